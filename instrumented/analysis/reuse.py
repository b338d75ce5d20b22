"""Stack distances of a lowered program: of every read, and of the next read of every write."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from instrumented.books.events import BufferInfo
from instrumented.distances.stack import price_instructions
from instrumented.lowering.program import NO_VALUE, Program
from instrumented.lowering.uses import Ints

COLD = -1
"""Distance of a read that meets its value for the first time: farther than any capacity."""

NEVER = 0
"""Distance of a write whose value is never read again: it dies where it was born."""


def distances(program: Program, buffers: Mapping[int, BufferInfo]) -> Ints:
    """Price a program on one LRU stack that lives through all its steps.

    Reads get the stack distance of their block in bytes (the block included). Writes get the
    distance of the next read of what they wrote: NEVER if there is none and the value is dead,
    COLD if it lives on beyond the record unread. What lies in memory before the first event is
    preloaded, data sets at the bottom.

    Rows gathered from a data set come in random order once per epoch, so they lie
    anywhere in it; they are priced at the bottom of the stack, at all bytes alive then, the whole
    data set included. The rows read are pushed on top, as any read.

    Returns:
        `(accesses,)` int64.
    """
    found = np.full(program.value.size, COLD, np.int64)
    held = program.value != NO_VALUE
    reads = np.flatnonzero(held & ~program.write)
    writes = np.flatnonzero(held & program.write)
    contents = program.contents
    is_data = np.array([buffers[b].role == "data" for b in contents.buffer.tolist()], np.bool_)
    initial = np.flatnonzero(contents.initial)
    ends = np.arange(program.event.size + 1)
    found[reads] = price_instructions(
        program.value[reads],
        np.searchsorted(program.instruction[reads], ends),
        program.value[writes],
        np.searchsorted(program.instruction[writes], ends),
        contents.sizes,
        initial[np.argsort(is_data[initial], kind="stable")],
        np.flatnonzero(contents.kept),
    )
    following = np.where(contents.kept, COLD, NEVER)
    following[program.value[reads[::-1]]] = found[reads[::-1]]
    found[writes] = following[program.value[writes]]
    gathers = np.flatnonzero(~held)
    if gathers.size:
        alive = live_bytes(program, buffers)
        found[gathers] = np.maximum(alive[program.instruction[gathers]], program.nbytes[gathers])
    return found


def lifetimes(program: Program) -> tuple[Ints, Ints]:
    """Return the instruction in which each value is born and that of its last read.

    A value that is there from the start is born in -1; one that is never read ends where it began.
    """
    held = program.value != NO_VALUE
    born = np.full(program.contents.sizes.size, -1, np.int64)
    written = np.flatnonzero(held & program.write)
    born[program.value[written]] = program.instruction[written]
    last = born.copy()
    read = np.flatnonzero(held & ~program.write)
    last[program.value[read]] = program.instruction[read]
    return born, last


def holding(program: Program, buffers: Mapping[int, BufferInfo]) -> dict[str, set[int]]:
    """Return the preloaded buffers that are held all the time, whoever uses them when.

    ``data_set``: data that no event writes; ``state``: weights and optimiser state. All other
    buffers (workspaces too) are alive as far as their values are.
    """
    written = {access.buffer for event in program.events for access in event.writes}
    preloaded = [info for info in buffers.values() if info.preloaded]
    return {
        "data_set": {i.buffer for i in preloaded if i.role == "data" and i.buffer not in written},
        "state": {i.buffer for i in preloaded if i.role in ("weight", "optimizer_state")},
    }


def live_bytes(program: Program, buffers: Mapping[int, BufferInfo]) -> Ints:
    """Return the bytes alive during every instruction, data sets and state included whole."""
    held = set().union(*holding(program, buffers).values())
    born, last = lifetimes(program)
    own = [buffer not in held for buffer in program.contents.buffer.tolist()]
    present = np.flatnonzero(np.array(own, np.bool_) & (last >= 0))
    change = np.zeros(program.event.size + 1, np.int64)
    change[0] = sum(buffers[buffer].nbytes for buffer in held)
    np.add.at(change, np.maximum(born[present], 0), program.contents.sizes[present])
    np.subtract.at(change, last[present] + 1, program.contents.sizes[present])
    return np.cumsum(change)[:-1]
