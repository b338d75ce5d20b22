"""The tuned reading: what a step moves if every product is tiled for the memory at hand.

One trace is read at every capacity, in one order of micro-tiles. Here each product may instead run
as `tiling` says for one capacity, its operands outside at first; it does where that moves less.
Everything else stays as it is: what lies between two uses is the same bytes in any order.

A (m×k) times B (k×n) is C (m×n), element by element. One of three loop nests, the one that moves
least:

- a block of C stays while k runs; per k a column of A's block and a row of B's come by;
- rows of A stay, all of k deep, while the columns of B come by one element at a time;
- columns of B stay so, while the rows of A come by.

Blocks are as equal as can be. Room that is left keeps a part of what the next block needs again.
Every partial sum is finished before it leaves, so C goes out once and never comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.analysis.step_distances import places_of, scratchpad
from instrumented.books.events import Event, Kind
from instrumented.distances.memories import FOLLOW, PRICE, WARM
from instrumented.distances.stack import COLD
from instrumented.lowering.layout import Ints
from instrumented.lowering.stream import Stream
from instrumented.lowering.table import NestTable


class Tiling(NamedTuple):
    """Which operand ``stays``, and in how many ``rows`` of C by how many ``columns`` at a time.

    ``left`` and ``right`` are the elements of A and of B that come in.
    """

    stays: str
    rows: int
    columns: int
    left: int
    right: int

    @property
    def moved(self) -> int:
        """Elements that come in."""
        return self.left + self.right


def tiling(m: int, n: int, k: int, held: int) -> Tiling | None:
    """Return the best of the three nests for a memory of ``held`` elements; None: too small."""
    found = []
    for rows in _shares(m):
        if (columns := (held - rows) // (rows + 1)) > 0:
            found += _block_stays(m, n, k, held, rows, _share(n, columns))
    if (most := (held - 1) // (k + 1)) > 0:
        rows, columns = _share(m, most), _share(n, most)
        spare = held - 1 - rows * (k + 1)
        again = k * n * _parts(m, rows) - min(spare, k * n) * (_parts(m, rows) - 1)
        found.append(Tiling("A", rows, n, m * k, again))
        spare = held - 1 - columns * (k + 1)
        again = m * k * _parts(n, columns) - min(spare, m * k) * (_parts(n, columns) - 1)
        found.append(Tiling("B", m, columns, again, k * n))
    return min(found, key=lambda one: one.moved, default=None)


def _block_stays(m: int, n: int, k: int, held: int, rows: int, columns: int) -> list[Tiling]:
    """Return the nests in which a block of C stays: blocks follow along a row, or a column."""
    down, along = _parts(m, rows), _parts(n, columns)
    spare = held - rows * columns - rows - columns
    left, right = m * k * along, k * n * down
    return [
        Tiling("C", rows, columns, left - _kept(m, rows, k, spare) * (along - 1), right),
        Tiling("C", rows, columns, left, right - _kept(n, columns, k, spare) * (down - 1)),
    ]


def _kept(extent: int, size: int, k: int, spare: int) -> int:
    """Return what ``spare`` elements keep of every block of an operand, in all."""
    last = extent - (_parts(extent, size) - 1) * size
    return (_parts(extent, size) - 1) * min(spare, size * k) + min(spare, last * k)


def _parts(extent: int, size: int) -> int:
    return -(-extent // size)


def _share(extent: int, most: int) -> int:
    """Return the size of equal parts, none larger than ``most``."""
    return _parts(extent, _parts(extent, most))


def _shares(extent: int) -> list[int]:
    """Return the sizes of all equal parts of an extent, the last perhaps smaller."""
    return sorted({_share(extent, size) for size in range(1, extent + 1)})


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
        if passed == FOLLOW and memory.settled(part.group, stream.last):
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


def _products(table: NestTable, step: int) -> list[tuple[int, int, int]]:
    """Return the operands of every product of two matrices in a step: A, B and the write of C."""
    of_event: dict[int, list[int]] = {}
    for operand, (event, _) in enumerate(table.operands):
        if table.events[event].step == step and _is_plain(table.events[event]):
            of_event.setdefault(event, []).append(operand)
    return [(found[LEFT], found[RIGHT], found[-1]) for found in of_event.values()]


def _is_plain(event: Event) -> bool:
    if event.kind is not Kind.MATMUL or len(event.reads) != 2 or len(event.writes) != 1:
        return False
    # an empty operand takes no part, and zeros are made without it
    return all(len(one.shape) == 2 and one.nbytes for one in (*event.reads, *event.writes))


def _saved(table: NestTable, operands: tuple[int, int, int], beyond: Ints, capacity: int) -> Ints:
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
