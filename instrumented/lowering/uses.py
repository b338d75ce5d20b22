"""Views with the cuts that an instruction stream makes in them, and the blocks that result."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from instrumented.lowering.layout import View

Ints = npt.NDArray[np.int64]


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
        ends = np.cumsum(covered) * nbytes // max(total, 1)
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
