"""A stream of accesses through the memories: what one step moves and how far, per place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.books.events import BufferInfo
from instrumented.distances.managed import Managed
from instrumented.distances.memories import FOLLOW, PRICE, WARM, Memory
from instrumented.distances.sums import COLUMNS, Sums
from instrumented.lowering.fusion_scopes import name_of
from instrumented.lowering.kinds import MemoryKind
from instrumented.lowering.layout import Ints
from instrumented.lowering.stream import Stream
from instrumented.lowering.table import NestTable

LEAST: Final = ("capacity", "bytes_read", "bytes_written")


class Priced(NamedTuple):
    """Sums per memory and the places they are of, and how large the step is.

    ``least`` is the lower estimate of a managed memory, a row per capacity: LEAST.
    """

    places: pd.DataFrame
    sums: dict[str, pd.DataFrame]
    least: pd.DataFrame
    instructions: int
    accesses: int


def distances(
    stream: Stream,
    buffers: Mapping[int, BufferInfo],
    step: int,
    memories: Sequence[str],
    scopes: Collection[str] | None = (),
    capacities: Sequence[int] = (),
) -> Priced:
    """Run a stream through memories of all sizes at once and sum up one step.

    Args:
        stream: a lowered trace.
        buffers: the buffers of the trace.
        step: the step in question; those before it warm the memories up, those after it show what
            becomes of its writes.
        memories: ``cache``, ``scratchpad``, ``managed``, or some of them.
        scopes: names of the fusion scopes that are one operation; None: all.
        capacities: sizes in bytes that a managed memory has; it counts as the next smaller one.

    Returns:
        A row per layer, phase, operation and role: the places. For every memory a row per place
        (its number) and distance (bytes; COLD, and for writes NEVER) with bytes_read,
        bytes_allocated (cache: what a write brings in first), bytes_written (by how far their value
        goes) and bytedmd (scratchpad), all exact integers. Where it is managed, a distance is the
        least of ``capacities`` at which an access hits.
    """
    names, places = places_of(stream.table, scopes)
    numbers = [0, 0]
    span = stream.table.span(step)
    made: dict[str, Memory | Managed] = {
        kind: _managed(stream, buffers, places, capacities, empty=span[0] == 0)
        if kind == MemoryKind.MANAGED
        else _memory(kind, stream, buffers, places)
        for kind in memories
    }
    marks = any(kind != MemoryKind.CACHE for kind in memories)  # a cache knows not what is dead
    for passed, part in stream.parts(*span, marks=marks):
        if passed == FOLLOW and all(one.settled(part.group, stream.last) for one in made.values()):
            break
        for memory in made.values():
            memory.run(part, (WARM, PRICE, FOLLOW)[passed])
        if passed == PRICE:
            instruction = part.chunk.instruction
            numbers[0] += int(np.count_nonzero(np.diff(instruction))) + bool(instruction.size)
            numbers[1] += instruction.size
    sums: dict[str, pd.DataFrame] = {}
    least = pd.DataFrame(columns=list(LEAST))
    for kind, memory in made.items():
        found = memory.finish(stream.kept)
        if not isinstance(found, Sums):
            found, lower = found
            least = pd.DataFrame(lower, columns=list(LEAST))
        place, distance, values = found.rows()
        columns = dict(zip(COLUMNS, values.T, strict=True))
        sums[kind] = pd.DataFrame({"place": place, "distance": distance, **columns})
    return Priced(names, sums, least, *numbers)


def places_of(table: NestTable, scopes: Collection[str] | None) -> tuple[pd.DataFrame, Ints]:
    """Return the places of a table's operands, and the place of every operand."""
    numbers: dict[tuple[str, ...], int] = {}
    of_event: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
    found = []
    last, known, where = -1, of_event["", "", ""], ("", "", "")
    for number, access in table.operands:
        if number != last:  # the operands of an event follow each other
            event = table.events[number]
            last, where = number, (event.layer, event.phase, name_of(event, scopes))
            known = of_event[where]
        place = known.get(access.role)
        if place is None:
            place = known[access.role] = numbers[*where, access.role] = len(numbers)
        found.append(place)
    return pd.DataFrame(list(numbers), columns=PLACE), np.array(found, np.int64)


def _managed(
    stream: Stream,
    buffers: Mapping[int, BufferInfo],
    places: Ints,
    capacities: Sequence[int],
    *,
    empty: bool,
) -> Managed:
    table, data_bytes = stream.table, _data_bytes(stream.table, buffers)
    product = stream.owners.product[stream.owners.event]
    return Managed(
        table.sizes,
        places,
        product,
        capacities,
        rows=table.rows,
        data_bytes=data_bytes,
        empty=empty,
    )


def _data_bytes(table: NestTable, buffers: Mapping[int, BufferInfo]) -> int:
    """Return the bytes of the data sets that are gathered from."""
    return sum(buffers[buffer].nbytes for buffer in set(table.buffer[table.rows :].tolist()))


def _memory(kind: str, stream: Stream, buffers: Mapping[int, BufferInfo], places: Ints) -> Memory:
    table, data_bytes = stream.table, _data_bytes(stream.table, buffers)
    if kind == MemoryKind.SCRATCHPAD:
        return scratchpad(stream, places, data_bytes)
    return Memory(table.sizes, places, rows=table.rows, data_bytes=data_bytes, live=None)


def scratchpad(stream: Stream, places: Ints, data_bytes: int) -> Memory:
    """Return a scratchpad with what is there at first: data at the bottom, first buffers on top."""
    table = stream.table
    initial = np.flatnonzero(stream.initial)[::-1]
    live = initial[np.argsort(~table.is_data[initial], kind="stable")]
    return Memory(table.sizes, places, rows=table.rows, data_bytes=data_bytes, live=live)
