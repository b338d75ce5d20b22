"""Exact sums per place and stack distance, gathered while a stream is priced.

An open hash table: memory follows the distinct pairs of place and distance, not the accesses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined

Ints = npt.NDArray[np.int64]

READ, ALLOCATED, WRITTEN, BYTEDMD = range(1, 5)
COLUMNS = ("bytes_read", "bytes_allocated", "bytes_written", "bytedmd")
KEY = 0
WIDTH = 8  # a row is a cache line
SHIFT = 42  # distances below 4 TiB
MULTIPLIER = -7046029254386353131  # 2**64 over the golden ratio, as a signed integer


class Cells(NamedTuple):
    """``rows`` (cells, 8): a key (0 where empty) and the columns; ``used`` (1,) cells taken."""

    rows: Ints
    used: Ints


@inlined
def find(cells: Cells, place: int, distance: int) -> int:
    """Return the row of a pair of place and distance (−1 and up), opened if it is new."""
    key = ((place + 1) << SHIFT) + distance + 1
    mask = cells.rows.shape[0] - 1
    at: int = ((key * MULTIPLIER) >> 20) & mask
    while cells.rows[at, KEY] != key:
        if cells.rows[at, KEY] == 0:
            cells.rows[at, KEY] = key
            cells.used[0] += 1
            break
        at = (at + 1) & mask
    return at


@inlined
def add(cells: Cells, place: int, distance: int, column: int, amount: int) -> None:
    """Add to one column of a pair of place and distance."""
    cells.rows[find(cells, place, distance), column] += amount


@compiled
def move(source: Cells, target: Cells) -> None:
    """Add all cells of a table to those of a larger one."""
    for cell in range(source.rows.shape[0]):
        key = source.rows[cell, KEY]
        if key:
            at = find(target, (key >> SHIFT) - 1, (key & ((1 << SHIFT) - 1)) - 1)
            for column in range(READ, WIDTH):
                target.rows[at, column] += source.rows[cell, column]


class Sums:
    """Sums of bytes read, allocated and written and of ByteDMD, by place and distance."""

    def __init__(self) -> None:
        self.cells = _empty(1 << 14)

    def make_room(self, more: int) -> None:
        """Make sure that ``more`` further pairs find an empty cell, and those there are quickly."""
        used = int(self.cells.used[0])
        needed = max(2 * used, used + more + 1)
        if needed > self.cells.rows.shape[0]:
            larger = _empty(1 << (needed - 1).bit_length())
            move(self.cells, larger)
            self.cells = larger

    def rows(self) -> tuple[Ints, Ints, Ints]:
        """Return place `(n,)`, distance `(n,)` and the four columns `(n, 4)`, sorted by both."""
        keys = self.cells.rows[:, KEY]
        used = np.flatnonzero(keys)
        taken = self.cells.rows[used[np.argsort(keys[used])]]
        place = (taken[:, KEY] >> SHIFT) - 1
        distance = (taken[:, KEY] & ((1 << SHIFT) - 1)) - 1
        return place, distance, taken[:, READ : BYTEDMD + 1]


def _empty(size: int) -> Cells:
    return Cells(np.zeros((size, WIDTH), np.int64), np.zeros(1, np.int64))
