"""Instructions of one loop nest: which blocks each of them reads and writes, without a loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from instrumented.lowering.nest import Nest, Operand, Touch
from instrumented.lowering.uses import Ints, Tiles

BOTTOM_BLOCK = -1
GATHERED_BLOCK = -2


@dataclass(frozen=True, slots=True)
class Emitted:
    """Accesses of a nest in instruction order, reads of an instruction before its writes.

    ``instruction`` counts from 0, ``slot`` is the position among the nest's reads and then writes,
    ``block`` the block within the buffer of that operand (BOTTOM_BLOCK: random rows of a data set,
    GATHERED_BLOCK: those rows, now on top), ``nbytes`` what is moved, ``write`` the direction.
    ``place`` is where each instruction stands in its event, from 0 to 1.
    """

    instruction: Ints
    slot: Ints
    block: Ints
    nbytes: Ints
    write: npt.NDArray[np.bool_]
    place: npt.NDArray[np.float64]


Part = tuple[int, Ints, Ints, Ints, bool]


def emit(
    nest: Nest,
    cuts: Sequence[tuple[int, ...]],
    tiles: Sequence[tuple[Tiles, Ints] | None],
) -> Emitted:
    """Unroll a nest.

    Args:
        nest: loops and operands.
        cuts: where each loop is cut; an instruction is one tile of every loop.
        tiles: for every operand, reads then writes, the blocks per tile and the block sizes of
            its buffer; None for Touch.BOTTOM.
    """
    steps = [len(cut) - 1 for cut in cuts]
    count = math.prod(steps)
    every = np.arange(count)
    index = [every // math.prod(steps[k + 1 :]) % step for k, step in enumerate(steps)]
    parts: list[Part] = []
    writes: list[Part] = []
    for slot, operand in enumerate((*nest.reads, *nest.writes)):
        found = tiles[slot]
        if found is None:
            moved = np.array([operand.access.nbytes])
            parts.append((slot, every[:1], np.array([BOTTOM_BLOCK]), moved, False))
            writes.append((slot, every[:1], np.array([GATHERED_BLOCK]), 0 * moved, True))
            continue
        blocks, sizes = found
        tile = np.zeros(count, np.int64)
        for loop, extent in zip(operand.axes, operand.access.shape, strict=True):
            if loop >= 0 and extent > 1:
                tile = tile * steps[loop] + index[loop]
        moved = _moved_bytes(operand, blocks, sizes)
        if slot < len(nest.reads):
            parts.append(_part(slot, every, tile, blocks, moved, write=False))
            continue
        writes.append(_part(slot, every, tile, blocks, moved, write=True))
        if operand.touch is Touch.SOME:  # what is not stored lives on
            parts.append(_part(slot, every, tile, blocks, 0 * moved, write=False))
        else:
            again = _after_the_first(operand, index)
            parts.append(_part(slot, every[again], tile[again], blocks, moved, write=False))
    return _in_order([*parts, *writes], _places(nest, steps))


def _part(
    slot: int, instruction: Ints, tile: Ints, tiles: Tiles, moved: Ints, *, write: bool
) -> Part:
    """List the blocks of the given tile in every given instruction."""
    start = tiles.ptr[tile]
    length = tiles.ptr[tile + 1] - start
    ends = np.cumsum(length)
    total = int(ends[-1]) if ends.size else 0
    entry = np.arange(total) + np.repeat(start - (ends - length), length)
    return slot, np.repeat(instruction, length), tiles.blocks[entry], moved[entry], write


def _moved_bytes(operand: Operand, tiles: Tiles, sizes: Ints) -> Ints:
    """Return the bytes moved per block of a view: all of them, or its share of a partial access."""
    covered = sizes[tiles.blocks]
    total = int(covered.sum())
    if total == operand.access.nbytes:
        return covered
    ends = np.cumsum(covered) * operand.access.nbytes // max(total, 1)
    return np.diff(ends, prepend=0)


def _after_the_first(operand: Operand, index: Sequence[Ints]) -> npt.NDArray[np.bool_]:
    """Mark instructions in which a loop that does not move the result has come round again."""
    again = np.zeros(index[0].size if index else 1, np.bool_)
    for loop, position in enumerate(index):
        if loop not in operand.axes:
            again |= position > 0
    return again


def _places(nest: Nest, steps: Sequence[int]) -> npt.NDArray[np.float64]:
    """Spread the instructions over the event; all depths of one C tile share a place."""
    count = math.prod(steps)
    depth = steps[-1] if nest.product else 1
    return nest.begin + (nest.end - nest.begin) * (np.arange(count) // depth * depth) / count


def _in_order(parts: Sequence[Part], place: npt.NDArray[np.float64]) -> Emitted:
    instruction = np.concatenate([part[1] for part in parts])
    order = np.argsort(instruction, kind="stable")
    counts = [part[1].size for part in parts]
    return Emitted(
        instruction[order],
        np.repeat([part[0] for part in parts], counts)[order],
        np.concatenate([part[2] for part in parts])[order],
        np.concatenate([part[3] for part in parts])[order],
        np.repeat([part[4] for part in parts], counts)[order],
        place,
    )
