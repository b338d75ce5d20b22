"""Coordinates inside a buffer: a mixed-radix grid in which strided views are rectangles.

The strides of all views of a buffer, sorted from large to small, are the place values of a number
system when each divides the one before: byte offsets become digits, a view with stride ``s`` runs
along the digit of place value ``s``. Row halves, column ranges, transposes, reshapes, windows of
images and stepped slices are then rectangles of digits, so cuts along one digit never shatter
another. Views that are no rectangles (flat runs that begin inside a row, diagonals, sliding
windows) are left to the other two ways of ``blocks.py``.

An instruction stream cuts views: a ``Use`` is a view with its cuts, ``Tiles`` are the blocks of
every piece, a ``Partition`` those of a buffer.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.books.events import Access

Ints = npt.NDArray[np.int64]

FIXED = -1


class View(NamedTuple):
    """Which bytes of a buffer an operand covers: an Access without its identity and role."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int


def view_of(access: Access) -> View:
    """Return the bytes that an access covers, whatever the buffer and role."""
    return View(access.offset, access.shape, access.strides, access.itemsize)


@dataclass(frozen=True, slots=True)
class DigitRun:
    """Where a view lies along one digit: ``start <= digit < stop``, moved by one of its axes.

    ``axis`` is FIXED when no axis of the view moves along the digit. ``quantum`` elements of the
    axis make one step of the digit (more than 1 where a reshape folded digits into one axis), and
    ``reverse`` marks a negative stride.
    """

    start: int
    stop: int
    axis: int = FIXED
    quantum: int = 1
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class DigitGrid:
    """Place values (bytes, descending, each dividing the one before) and extents of the digits."""

    places: tuple[int, ...]
    extents: tuple[int, ...]

    def locate(self, view: View) -> tuple[DigitRun, ...] | None:
        """Return the rectangle of a view, one run per digit, or None if it is not a rectangle."""
        offset = view.offset + sum(
            (extent - 1) * stride
            for extent, stride in zip(view.shape, view.strides, strict=True)
            if stride < 0
        )
        starts = [
            offset // place % extent if k else offset // place
            for k, (place, extent) in enumerate(zip(self.places, self.extents, strict=True))
        ]
        runs: list[DigitRun | None] = [None] * len(starts)
        for k, place in enumerate(self.places):  # digits inside one element
            if place < view.itemsize:
                if starts[k]:
                    return None
                runs[k] = DigitRun(0, self.extents[k])
        for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
            if extent == 1 or stride == 0:
                continue
            k, left, quantum = self.places.index(abs(stride)), extent, 1
            while k and starts[k] + left > self.extents[k]:  # carries into the digit above
                if starts[k] or left % self.extents[k] or runs[k] is not None:
                    return None
                runs[k] = DigitRun(0, self.extents[k])
                left //= self.extents[k]
                quantum *= self.extents[k]
                k -= 1
            if runs[k] is not None:
                return None
            runs[k] = DigitRun(starts[k], starts[k] + left, axis, quantum, stride < 0)
        return tuple(
            DigitRun(start, start + 1) if run is None else run
            for run, start in zip(runs, starts, strict=True)
        )

    def is_flat_run(self, view: View) -> bool:
        """Whether a view is one contiguous run through a matrix of elements of its size."""
        moving = [(e, s) for e, s in zip(view.shape, view.strides, strict=True) if e > 1 and s]
        return (
            len(self.places) == 2
            and self.places[1] == view.itemsize
            and len(moving) == 1
            and moving[0][1] == view.itemsize
        )


@functools.lru_cache(maxsize=4096)
def grid_of(nbytes: int, views: frozenset[View]) -> DigitGrid | None:
    """Return the grid that the strides of a buffer's views span, or None if they span none."""
    places = {unit_of(views)}
    for view in views:
        places.add(view.itemsize)
        places.update(abs(stride) for stride in moving_strides(view))
    values = sorted(places, reverse=True)
    if nbytes % values[0] or any(a % b for a, b in itertools.pairwise(values)):
        return None
    extents = (nbytes // values[0], *(a // b for a, b in itertools.pairwise(values)))
    return DigitGrid(tuple(values), extents)


def unit_of(views: Iterable[View]) -> int:
    """Return the largest number of bytes in which every element of every view can be counted."""
    return math.gcd(
        *(
            number
            for view in views
            for number in (view.itemsize, view.offset, *moving_strides(view))
        )
    )


def moving_strides(view: View) -> list[int]:
    """Return the strides that lead to other elements: axes of extent 1 or stride 0 do not."""
    return [
        stride
        for extent, stride in zip(view.shape, view.strides, strict=True)
        if extent > 1 and stride
    ]


@dataclass(frozen=True, slots=True)
class Use:
    """A view and the cuts of its axes: ``cuts[a]`` rises from 0 to the extent of axis ``a``.

    Tile ``(i, j, …)`` holds elements ``cuts[0][i] … cuts[0][i+1]`` of axis 0, and so on; tiles are
    numbered in C order. Axes that lead nowhere (extent 1 or stride 0) must not be cut.
    """

    view: View
    cuts: tuple[tuple[int, ...], ...]

    @property
    def tiles(self) -> int:
        """How many tiles the view has."""
        return math.prod(len(cut) - 1 for cut in self.cuts)


@dataclass(frozen=True, slots=True)
class Tiles:
    """Blocks of each tile of a view: tile ``t`` is ``blocks[ptr[t]:ptr[t+1]]``, int64."""

    ptr: Ints
    blocks: Ints

    def moved(self, sizes: Ints, nbytes: int) -> Ints:
        """Return the bytes moved per block of the view: all, or its share of a partial access."""
        covered = sizes[self.blocks]
        total = int(covered.sum())
        if total == nbytes:
            return covered
        ends = np.cumsum(covered) * nbytes // total
        return np.diff(ends, prepend=0)


@dataclass(frozen=True, slots=True)
class Partition:
    """Blocks of one buffer: ``sizes`` in bytes (int64), and the blocks of every use given."""

    sizes: Ints
    tiles: dict[Use, Tiles] = field(repr=False)


def by_tile(tile: Ints, blocks: Ints, tiles: int) -> Tiles:
    """Sort the blocks of a view by the number of their tile."""
    if np.any(tile[1:] < tile[:-1]):
        order = np.argsort(tile, kind="stable")
        tile, blocks = tile[order], blocks[order]
    return Tiles(np.searchsorted(tile, np.arange(tiles + 1)), blocks)
