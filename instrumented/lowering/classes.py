"""Partition of a buffer into classes of elements, for views that fit no grid."""

from __future__ import annotations

import itertools

import numpy as np

from instrumented.lowering.layout import View, unit_of
from instrumented.lowering.uses import Ints, Partition, Use, by_tile


def class_partition(nbytes: int, uses: list[Use]) -> Partition:
    """Group units of memory by the tiles that touch them.

    An element that one view shows twice (overlapping windows) counts for its last tile. Units are
    first joined to runs that nothing tells apart, so that only runs are sorted.
    """
    unit = unit_of(use.view for use in uses)
    units = -(-nbytes // unit)
    begins = np.zeros(units, np.bool_)
    begins[0] = True
    marks = []
    for use in uses:
        mark = np.zeros(units, np.min_scalar_type(use.tiles))
        mark[_units(use.view, unit)] = _tile_numbers(use)[..., None] + 1
        begins[1:] |= mark[1:] != mark[:-1]
        marks.append(mark)
    runs = np.flatnonzero(begins)
    touched = [mark[runs].astype(np.int64) for mark in marks]
    classes = np.zeros(runs.size, np.int64)
    for use, mark in zip(uses, touched, strict=True):
        _, classes = np.unique(classes * (use.tiles + 1) + mark, return_inverse=True)
    sizes = np.zeros(classes.max() + 1, np.int64)
    np.add.at(sizes, classes, np.diff(runs, append=units) * unit)
    sizes[classes[-1]] -= -nbytes % unit
    tiles = {}
    for use, mark in zip(uses, touched, strict=True):
        tile_of_class = np.zeros(sizes.size, np.int64)
        tile_of_class[classes] = mark
        blocks = np.flatnonzero(tile_of_class)
        tiles[use] = by_tile(tile_of_class[blocks] - 1, blocks, use.tiles)
    return Partition(sizes, tiles)


def _units(view: View, unit: int) -> Ints:
    """Return the units under every element, shape ``view.shape + (units per element,)``."""
    index = np.full((), view.offset // unit, np.int64)
    for extent, stride in zip(view.shape, view.strides, strict=True):
        index = np.add.outer(index, np.arange(extent) * (stride // unit))
    return np.add.outer(index, np.arange(view.itemsize // unit))


def _tile_numbers(use: Use) -> Ints:
    """Return the number of the tile of every element, in the shape of the view."""
    number = np.zeros((), np.int64)
    for cut in use.cuts:
        along = np.repeat(np.arange(len(cut) - 1), [b - a for a, b in itertools.pairwise(cut)])
        number = np.add.outer(number * (len(cut) - 1), along)
    return number
