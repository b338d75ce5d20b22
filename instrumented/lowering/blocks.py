"""Partition of a buffer into blocks, so that every tile of every view is a union of whole blocks.

The blocks are the common refinement of all cuts. Three ways, from cheap to general: cells of a
grid (``layout.py``), the product of the cuts along each digit; bands of a matrix (``bands.py``),
where flat runs begin and end inside a row; classes of elements (``classes.py``) that exactly the
same tiles touch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from instrumented.lowering.bands import banded_partition
from instrumented.lowering.classes import class_partition
from instrumented.lowering.layout import FIXED, Grid, Run, grid_of
from instrumented.lowering.uses import Ints, Partition, Tiles, Use, by_tile


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
        banded = banded_partition(grid, uses, edges)
        if banded is not None:
            return banded
    return class_partition(nbytes, uses)


def _edges(use: Use, runs: tuple[Run, ...] | None) -> list[Ints] | None:
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
    grid: Grid, uses: list[Use], located: list[tuple[Run, ...]], edges: list[list[Ints]]
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
    use: Use, runs: tuple[Run, ...], edges: list[Ints], cuts: list[Ints], counts: list[int]
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
