"""Tile grain: how loops are cut so that what an instruction touches fits the fast memory.

A matrix product runs ``for i: for j: for k`` over tiles of m, n and k and keeps the C tile in
place while k runs: an instruction reads A[i,k], B[k,j] and, but for the first k, C[i,j], and
writes C[i,j]. A is streamed once per column of tiles and B once per row, so the words moved are
``m·k·⌈n/tn⌉ + k·n·⌈m/tm⌉ + m·n``, lowest for a large C tile and a thin k. The C tile costs its
bytes again at every k, at the shortest distance there is: the top of the stack. That is the reuse
of a register or accumulator tile, priced instead of assumed free.

Everything else runs in blocks of consecutive rows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from instrumented.errors import InstrumentError

DEPTHS = (64, 32, 16, 8, 4, 2, 1)
SLACK = 1.1
OPERANDS = 4


class Tile(NamedTuple):
    """Extents of a matmul tile along m, n and k, in elements."""

    m: int
    n: int
    k: int


def choose_tile(m: int, n: int, k: int, elements: int) -> Tile:
    """Return the tile for an ``m×k @ k×n`` product and a fast memory of so many elements.

    The A, B and C tiles fit together. Among the depths tried the deepest is taken that moves at
    most 10 % more than the best: fewer, larger instructions for the same traffic.

    Raises:
        InstrumentError: fewer than 3 elements, too few for one multiply-add.
    """
    if elements < 3:
        raise InstrumentError(
            f"a fast memory of {elements} elements holds no tile; A, B and C need one each"
        )
    best = [_best_for_depth(m, n, k, depth, elements) for depth in DEPTHS]
    fitting = [found for found in best if found is not None]
    least = min(words for words, _ in fitting)
    return next(tile for words, tile in fitting if words <= SLACK * least)


@functools.lru_cache(maxsize=1024)
def _best_for_depth(m: int, n: int, k: int, depth: int, elements: int) -> tuple[int, Tile] | None:
    """Return the fewest words moved with this depth and the tile that does it, if any fits."""
    depth = min(depth, k)
    rows = -(-m // np.arange(1, m + 1))  # tile heights that split m evenly
    columns = np.minimum(n, (elements - depth * rows) // (rows + depth))
    rows, columns = rows[columns > 0], columns[columns > 0]
    if not rows.size:
        return None
    words = m * k * -(-n // columns) + k * n * -(-m // rows) + m * n
    at = int(np.argmin(words))
    splits = -(-n // int(columns[at]))
    return int(words[at]), Tile(int(rows[at]), -(-n // splits), depth)


def block_steps(loops: Sequence[int], itemsize: int, fast_memory: int) -> list[int]:
    """Return the block extents of an elementwise operation over ``loops``: consecutive rows.

    A block of one operand takes at most a quarter of the fast memory (bytes); where rows are
    counted they are a power of two, so that blocks of different operations nest.
    """
    left = max(1, fast_memory // OPERANDS // itemsize)
    steps = [1] * len(loops)
    for loop in reversed(range(len(loops))):
        if loops[loop] > left:
            steps[loop] = 1 << (left.bit_length() - 1)
            break
        steps[loop] = loops[loop]
        left //= max(1, loops[loop])
    return steps


def cut(extent: int, step: int, rhythm: tuple[int, int] = (1, 0)) -> tuple[int, ...]:
    """Cut an axis about every ``step`` elements, the remainder last.

    ``rhythm`` (quantum, first) keeps the cuts at ``first + i * quantum``: ``cut(10, 4)`` is
    ``(0, 4, 8, 10)`` and ``cut(10, 4, (3, 1))`` is ``(0, 1, 4, 7, 10)``.
    """
    quantum, first = rhythm
    step = max(quantum, step // quantum * quantum)
    inner = range(first or step, extent, step)
    return (0, *inner, extent)


def steps_of(
    loops: Sequence[int], product: bool, itemsize: int, fast_memory: int, tile: Tile | None
) -> list[int]:
    """Return the extents of one instruction along every loop of a nest."""
    if not product:
        return block_steps(loops, itemsize, fast_memory)
    m, n, k = loops[-3:]
    chosen = tile or choose_tile(m, n, k, fast_memory // itemsize)
    return [1] * (len(loops) - 3) + [min(m, chosen.m), min(n, chosen.n), min(k, chosen.k)]
