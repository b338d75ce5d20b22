"""The tuned reading: what a step moves if every product is tiled for the memory at hand.

One trace is read at every capacity, in one order of micro-tiles. Here each product may instead run
as `tiling` says for one capacity, its operands outside at first; it does where that moves less.
Everything else stays as it is: what lies between two uses is the same bytes in any order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.analysis.pricing import places_of, scratchpad
from instrumented.analysis.tiling import tiling
from instrumented.books.events import Event, Kind
from instrumented.distances.marks import COLD
from instrumented.distances.memories import FOLLOW, PRICE, WARM
from instrumented.lowering.stream import Stream
from instrumented.lowering.table import Table
from instrumented.lowering.uses import Ints

COLUMNS: Final = (*PLACE, "capacity", "bytes_read", "bytes_written")
LEFT, RIGHT, RESULT = range(3)


def tuned(
    stream: Stream,
    step: int,
    capacities: Sequence[int],
    scopes: Collection[str] | None = (),
) -> pd.DataFrame:
    """Say what tuning saves of what a scratchpad moves in one order for all capacities.

    Args:
        stream: a trace lowered at tile grain.
        step: the step in question, as in ``distances``.
        capacities: sizes of the memory in bytes.
        scopes: names of the fusion scopes that are one operation; None: all.

    Returns:
        COLUMNS: a row per place and capacity, with the bytes by which what lies beyond is less
        (an operand may be read more so that others are read less: then it is negative).
    """
    table = stream.table
    names, place = places_of(table, scopes)
    products = _products(table, step)
    own = np.full(len(table.operands), 3 * len(products), np.int64)
    for number, operands in enumerate(products):
        own[list(operands)] = 3 * number + np.arange(3)
    memory = scratchpad(stream, own, data_bytes=0)  # whose rows are not a product's
    for passed, part in stream.parts(*table.span(step)):
        if passed == FOLLOW and memory.settled:
            break
        memory.run(part, (WARM, PRICE, FOLLOW)[passed])
    whose, distance, moved = memory.finish(stream.kept).rows()
    distance = np.where(distance == COLD, np.iinfo(np.int64).max, distance)
    rows = []
    for capacity in capacities:
        beyond = np.zeros((3 * len(products) + 1, 2), np.int64)
        far = distance > capacity
        np.add.at(beyond, whose[far], moved[far][:, [0, 2]])
        for number, operands in enumerate(products):
            saved = _saved(table, operands, beyond[3 * number : 3 * number + 3], capacity)
            for operand, (read, written) in zip(operands, saved.tolist(), strict=True):
                rows.append((*names.iloc[place[operand]], capacity, read, written))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    keys = list(COLUMNS[:-2])
    return found.groupby(keys, sort=False)[list(COLUMNS[-2:])].sum().reset_index()


def _products(table: Table, step: int) -> list[tuple[int, int, int]]:
    """Return the operands of every product of two matrices in a step: A, B and the write of C."""
    of_event: dict[int, list[int]] = {}
    for operand, (event, _) in enumerate(table.operands):
        if table.events[event].step == step and _is_plain(table.events[event]):
            of_event.setdefault(event, []).append(operand)
    return [(found[LEFT], found[RIGHT], found[-1]) for found in of_event.values()]


def _is_plain(event: Event) -> bool:
    if event.kind is not Kind.MATMUL or len(event.reads) != 2 or len(event.writes) != 1:
        return False
    return all(len(access.shape) == 2 for access in (*event.reads, *event.writes))


def _saved(table: Table, operands: tuple[int, int, int], beyond: Ints, capacity: int) -> Ints:
    """Return the bytes, read and written, that tiling saves of each of three operands."""
    (_, left), (_, right), (_, result) = (table.operands[operand] for operand in operands)
    (m, k), n, item = left.shape, right.shape[1], result.itemsize
    best = tiling(m, n, k, capacity // item)
    saved = np.zeros((3, 2), np.int64)
    if best is None:
        return saved
    written = min(int(beyond[RESULT, 1]), m * n * item)
    now = np.array([[best.left * item, 0], [best.right * item, 0], [0, written]], np.int64)
    return beyond - now if now.sum() < beyond.sum() else saved
