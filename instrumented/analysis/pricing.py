"""A stream of accesses through the memories: what one step moves and how far, per place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.books.events import BufferInfo
from instrumented.distances.memories import FOLLOW, PRICE, WARM, Memory
from instrumented.distances.sums import COLUMNS
from instrumented.lowering.kinds import MemoryKind
from instrumented.lowering.scopes import scope_of
from instrumented.lowering.stream import Stream
from instrumented.lowering.table import Table
from instrumented.lowering.uses import Ints


class Priced(NamedTuple):
    """A table per memory, and how large the step is that they are of."""

    tables: dict[str, pd.DataFrame]
    instructions: int
    accesses: int


def distances(
    stream: Stream,
    buffers: Mapping[int, BufferInfo],
    step: int,
    memories: Sequence[str],
    scopes: Collection[str] | None = (),
) -> Priced:
    """Run a stream through memories of all sizes at once and sum up one step.

    Args:
        stream: a lowered trace.
        buffers: the buffers of the trace.
        step: the step in question; those before it warm the memories up, those after it show what
            becomes of its writes.
        memories: ``cache`` and ``scratchpad``, or one of them.
        scopes: names of the fusion scopes that are one operation; None: all.

    Returns:
        For every memory a row per layer, phase, operation, role and distance (bytes; COLD, and for
        writes NEVER) with bytes_read, bytes_allocated (cache: what a write brings in first),
        bytes_written (by how far their value goes) and bytedmd (scratchpad), all exact integers.
    """
    names, places = places_of(stream.table, scopes)
    numbers = [0, 0]
    made = {kind: _memory(kind, stream, buffers, places) for kind in memories}
    for passed, part in stream.parts(*stream.table.span(step)):
        if passed == FOLLOW and all(memory.settled for memory in made.values()):
            break
        for memory in made.values():
            memory.run(part, (WARM, PRICE, FOLLOW)[passed])
        if passed == PRICE:
            instruction = part.chunk.instruction
            numbers[0] += int(np.count_nonzero(np.diff(instruction))) + bool(instruction.size)
            numbers[1] += instruction.size
    tables = {kind: _frame(memory, stream, names) for kind, memory in made.items()}
    return Priced(tables, *numbers)


def places_of(table: Table, scopes: Collection[str] | None) -> tuple[pd.DataFrame, Ints]:
    """Return the places of a table's operands, and the place of every operand."""
    numbers: dict[tuple[str, ...], int] = {}
    found = []
    for number, access in table.operands:
        event = table.events[number]
        scope = scope_of(event, scopes)
        name = event.operation if scope is None else scope[0]
        place = (event.layer, event.phase, name, access.role)
        found.append(numbers.setdefault(place, len(numbers)))
    return pd.DataFrame(list(numbers), columns=PLACE), np.array(found, np.int64)


def _memory(kind: str, stream: Stream, buffers: Mapping[int, BufferInfo], places: Ints) -> Memory:
    table = stream.table
    sets = set(table.buffer[table.rows :].tolist())
    live = None
    if kind == MemoryKind.SCRATCHPAD:  # data at the bottom, the first buffer on top
        initial = np.flatnonzero(stream.initial)[::-1]
        live = initial[np.argsort(~table.is_data[initial], kind="stable")]
    data_bytes = sum(buffers[buffer].nbytes for buffer in sets)
    return Memory(table.sizes, places, rows=table.rows, data_bytes=data_bytes, live=live)


def _frame(memory: Memory, stream: Stream, names: pd.DataFrame) -> pd.DataFrame:
    place, distance, values = memory.finish(stream.kept).rows()
    frame = names.iloc[place].reset_index(drop=True)
    return frame.assign(distance=distance, **dict(zip(COLUMNS, values.T, strict=True)))
