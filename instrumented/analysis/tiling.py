"""A product tiled for one memory: which operand stays, its block, and what then comes in.

A (m×k) times B (k×n) is C (m×n), element by element. One of three loop nests, the one that moves
least:

- a block of C stays while k runs; per k a column of A's block and a row of B's come by;
- rows of A stay, all of k deep, while the columns of B come by one element at a time;
- columns of B stay so, while the rows of A come by.

Blocks are as equal as can be. Room that is left keeps a part of what the next block needs again.
Every partial sum is finished before it leaves, so C goes out once and never comes back.
"""

from __future__ import annotations

from typing import NamedTuple


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
