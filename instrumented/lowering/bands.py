"""Partition of a matrix into bands of rows, where some views are flat runs through it.

A flat run (an optimiser's block of a flattened weight matrix) begins and ends inside a row. That
row becomes a band of its own with a cut of its own; all other rows keep only the column cuts that
rectangular tiles ask for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from instrumented.lowering.layout import FIXED, Grid
from instrumented.lowering.uses import Ints, Partition, Tiles, Use, by_tile


def banded_partition(
    grid: Grid, uses: Sequence[Use], edges: Sequence[list[Ints] | None]
) -> Partition | None:
    """Cut a matrix into bands; None if a use is neither a rectangle nor a flat run.

    Args:
        grid: two digits, rows and columns.
        uses: the uses of the buffer.
        edges: for each use the edges of its tiles along rows and columns, None if it is none.
    """
    if len(grid.places) != 2 or any(
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
        else _rectangle_tiles(grid, use, edge, top, left)
        for use, edge in zip(uses, edges, strict=True)
    }
    return Partition(sizes, tiles)


def _run_tiles(use: Use, position: Ints, start: Ints) -> Tiles:
    """List the cells between the cuts of a flat run; cells start at rising positions."""
    first, last = np.searchsorted(start, (position[0], position[-1]))
    tile = np.searchsorted(position, start[first:last], side="right") - 1
    return by_tile(tile, np.arange(first, last), use.tiles)


def _rectangle_tiles(grid: Grid, use: Use, edges: list[Ints], top: Ints, left: Ints) -> Tiles:
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
