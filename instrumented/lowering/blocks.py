"""Partition of a buffer into blocks, so that every tile of every view is a union of whole blocks.

The blocks are the common refinement of all cuts. Three ways, from cheap to general: cells of a
grid (``layout.py``), the product of the cuts along each digit; bands of a matrix, where flat runs
begin and end inside a row; classes of elements that exactly the same tiles touch.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from instrumented.books.events import BufferInfo
from instrumented.lowering.cuts import CutNest, use_of
from instrumented.lowering.layout import (
    FIXED,
    DigitGrid,
    DigitRun,
    Ints,
    Partition,
    Tiles,
    Use,
    View,
    by_tile,
    grid_of,
    unit_of,
)
from instrumented.lowering.nest import Touch


def partitions(
    cut: Sequence[CutNest], buffers: Mapping[int, BufferInfo]
) -> tuple[dict[int, Partition], dict[tuple[int, int], Tiles]]:
    """Partition every buffer, like ones once; give tiles by the ids of their operand and cuts."""
    uses: dict[int, dict[Use, list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for nest, cuts in {(id(nest), id(cuts)): (nest, cuts) for _, nest, cuts in cut}.values():
        for operand in (*nest.reads, *nest.writes):
            if operand.touch is not Touch.BOTTOM:
                found = uses[operand.access.buffer][use_of(operand, cuts)]
                found.append((id(operand), id(cuts)))
    known: dict[tuple[int, frozenset[Use]], Partition] = {}
    by_buffer: dict[int, Partition] = {}
    tiles: dict[tuple[int, int], Tiles] = {}
    for buffer, users in uses.items():
        key = (buffers[buffer].nbytes, frozenset(users))
        if key not in known:
            known[key] = partition(buffers[buffer].nbytes, list(users))
        by_buffer[buffer] = known[key]
        for use, operands in users.items():
            tiles |= dict.fromkeys(operands, known[key].tiles[use])
    return by_buffer, tiles


def partition(nbytes: int, uses: Sequence[Use]) -> Partition:
    """Cut a buffer of ``nbytes`` into the fewest grid cells (or classes) that serve all uses."""
    uses = list(dict.fromkeys(uses))
    grid = grid_of(nbytes, frozenset(use.view for use in uses))
    if grid is not None:
        located = [grid.locate(use.view) for use in uses]
        edges = [_edges(use, runs) for use, runs in zip(uses, located, strict=True)]
        if all(edge is not None for edge in edges):
            return _grid_partition(
                grid, uses, [runs or () for runs in located], [edge or [] for edge in edges]
            )
        banded = _banded_partition(grid, uses, edges)
        if banded is not None:
            return banded
    return _class_partition(nbytes, uses)


def _edges(use: Use, runs: tuple[DigitRun, ...] | None) -> list[Ints] | None:
    """Return the edges of the tiles along each digit, or None if a cut falls inside a digit."""
    if runs is None:
        return None
    edges = []
    for run in runs:
        if run.axis == FIXED:
            edges.append(np.array([run.start, run.stop]))
            continue
        cuts = np.array(use.cuts[run.axis])
        if np.any(cuts % run.quantum):
            return None
        steps = cuts // run.quantum
        edges.append(run.stop - steps[::-1] if run.reverse else run.start + steps)
    return edges


def _grid_partition(
    grid: DigitGrid, uses: list[Use], located: list[tuple[DigitRun, ...]], edges: list[list[Ints]]
) -> Partition:
    cuts = [
        np.unique(np.concatenate([[0, extent], *(edge[k] for edge in edges)]))
        for k, extent in enumerate(grid.extents)
    ]
    sizes = np.full(1, grid.places[-1], np.int64)
    for cut in cuts:
        sizes = np.multiply.outer(sizes, np.diff(cut))
    counts = [cut.size - 1 for cut in cuts]
    tiles = {
        use: _rectangle_tiles(use, runs, edge, cuts, counts)
        for use, runs, edge in zip(uses, located, edges, strict=True)
    }
    return Partition(sizes.ravel(), tiles)


def _rectangle_tiles(
    use: Use, runs: tuple[DigitRun, ...], edges: list[Ints], cuts: list[Ints], counts: list[int]
) -> Tiles:
    """List the cells of a view and the tile that each belongs to, then sort by tile."""
    steps = [len(cut) - 1 for cut in use.cuts]
    blocks = np.zeros(1, np.int64)
    tile = np.zeros(1, np.int64)
    for run, edge, cut, count in zip(runs, edges, cuts, counts, strict=True):
        first, last = np.searchsorted(cut, (edge[0], edge[-1]))
        blocks = np.add.outer(blocks * count, np.arange(first, last)).ravel()
        along = np.searchsorted(edge, cut[first:last], side="right") - 1
        if run.reverse:
            along = edge.size - 2 - along
        weight = 0 if run.axis == FIXED else math.prod(steps[run.axis + 1 :])
        tile = np.add.outer(tile, along * weight).ravel()
    return by_tile(tile, blocks, use.tiles)


# ---- bands of a matrix ---------------------------------------------------------------------------


def _banded_partition(
    grid: DigitGrid, uses: Sequence[Use], edges: Sequence[list[Ints] | None]
) -> Partition | None:
    """Cut a matrix into bands; None if a use is neither a rectangle nor a flat run.

    A flat run (an optimiser's block of a flattened weight matrix) begins and ends inside a row.
    That row becomes a band of its own with a cut of its own; all other rows keep only the column
    cuts that rectangular tiles ask for.

    Args:
        grid: two digits, rows and columns.
        uses: the uses of the buffer.
        edges: for each use the edges of its tiles along rows and columns, None if it is none.
    """
    if any(
        edge is None and not grid.is_flat_run(use.view)
        for use, edge in zip(uses, edges, strict=True)
    ):
        return None
    rows, width = grid.extents
    positions = {
        use: use.view.offset // use.view.itemsize + np.array(max(use.cuts, key=lambda cut: cut[-1]))
        for use, edge in zip(uses, edges, strict=True)
        if edge is None
    }
    inside: dict[int, set[int]] = defaultdict(set)
    for position in positions.values():
        for row, column in zip(*np.divmod(position, width), strict=True):
            if column:
                inside[int(row)].add(int(column))
    whole = [position // width for position in positions.values()]
    apart = [np.array([row, row + 1]) for row in inside]
    found = [edge for edge in edges if edge is not None]
    row_cuts = np.unique(np.concatenate([[0, rows], *whole, *apart, *(e[0] for e in found)]))
    column_cuts = np.unique(np.concatenate([[0, width], *(e[1] for e in found)]))

    shared = column_cuts[:-1]
    lefts = [shared] * (row_cuts.size - 1)
    for row, columns in inside.items():
        lefts[int(np.searchsorted(row_cuts, row))] = np.union1d(shared, sorted(columns))
    counts = np.array([left.size for left in lefts])
    left = np.concatenate(lefts)
    right = np.append(left[1:], 0)
    right[right == 0] = width
    top = np.repeat(row_cuts[:-1], counts)
    sizes = np.repeat(np.diff(row_cuts), counts) * (right - left) * grid.places[1]
    tiles = {
        use: _run_tiles(use, positions[use], top * width + left)
        if edge is None
        else _banded_tiles(grid, use, edge, top, left)
        for use, edge in zip(uses, edges, strict=True)
    }
    return Partition(sizes, tiles)


def _run_tiles(use: Use, position: Ints, start: Ints) -> Tiles:
    """List the cells between the cuts of a flat run; cells start at rising positions."""
    first, last = np.searchsorted(start, (position[0], position[-1]))
    tile = np.searchsorted(position, start[first:last], side="right") - 1
    return by_tile(tile, np.arange(first, last), use.tiles)


def _banded_tiles(grid: DigitGrid, use: Use, edges: list[Ints], top: Ints, left: Ints) -> Tiles:
    """List the cells inside a rectangle and the tile of each."""
    across, along = edges
    cells = np.flatnonzero(
        (top >= across[0]) & (top < across[-1]) & (left >= along[0]) & (left < along[-1])
    )
    tile = np.zeros(cells.size, np.int64)
    steps = [len(cut) - 1 for cut in use.cuts]
    for run, edge, corner in zip(grid.locate(use.view) or (), edges, (top, left), strict=True):
        step = np.searchsorted(edge, corner[cells], side="right") - 1
        if run.reverse:
            step = edge.size - 2 - step
        if run.axis != FIXED:
            tile += step * int(np.prod(steps[run.axis + 1 :], dtype=np.int64))
    return by_tile(tile, cells, use.tiles)


# ---- classes of elements -------------------------------------------------------------------------


def _class_partition(nbytes: int, uses: list[Use]) -> Partition:
    """Group units of memory by the tiles that touch them, for views that fit no grid.

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
