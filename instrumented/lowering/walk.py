"""The order of a product's micro-tiles: one that is good at every memory size at once.

The box of M×N×K micro-tiles is halved along all three edges, down to one micro-tile: m outermost,
then n, then k. Each loop turns back every other time (serpentine), so that what one half ended
with is what the next begins with. Sizes are powers of two; what lies outside the box is left out.

A walker is a row of integers: the level it stands on, the top level, the extents, then for every
level the corner of its block, which of its eight halves come next, and the three directions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instrumented.compiling import inlined, int64

Ints = npt.NDArray[np.int64]

LEVELS = 24
LEVEL, TOP, EXTENT, FRAMES = 0, 1, 2, 5
NEXT, KIDS, TURN, FRAME = 3, 4, 12, 15
"""Where a frame keeps, after its corner (3), its next half, the halves (8), the turns (3)."""
WALKER = FRAMES + FRAME * (LEVELS + 1)


@inlined
def enter(walker: Ints, level: int, a: int, b: int, c: int) -> None:
    """Begin the block of a level at corner (a, b, c): order its halves, turn the loops round."""
    frame = FRAMES + FRAME * level
    half = 1 << (level - 1)
    walker[frame] = a
    walker[frame + 1] = b
    walker[frame + 2] = c
    walker[frame + NEXT] = 0
    turn = frame + TURN
    kid = frame + KIDS
    for x in range(2):
        along_m = x ^ walker[turn]
        for y in range(2):
            along_n = y ^ walker[turn + 1]
            for z in range(2):
                walker[kid] = 4 * along_m + 2 * along_n + (z ^ walker[turn + 2])
                kid += 1
            walker[turn + 2] ^= 1
        if b + half < walker[EXTENT + 1]:
            walker[turn + 1] ^= 1
    if a + half < walker[EXTENT]:
        walker[turn] ^= 1


@inlined
def begin(walker: Ints, m: int, n: int, k: int) -> None:
    """Set a walker before the first of m×n×k micro-tiles."""
    walker[:] = 0
    top, corner = int64(1), int64(0)
    while (1 << top) < max(m, n, k):
        top += 1
    walker[TOP] = top
    walker[LEVEL] = top
    walker[EXTENT] = m
    walker[EXTENT + 1] = n
    walker[EXTENT + 2] = k
    enter(walker, top, corner, corner, corner)


@inlined
def advance(walker: Ints, at: Ints) -> bool:
    """Put the next micro-tile (a, b, c) into ``at``; False when all have been visited."""
    level = walker[LEVEL]
    while level <= walker[TOP]:
        frame = FRAMES + FRAME * level
        number = walker[frame + NEXT]
        if number == 8:
            level += 1
            continue
        walker[frame + NEXT] = number + 1
        half = 1 << (level - 1)
        code = walker[frame + KIDS + number]
        a = walker[frame] + (code >> 2) * half
        b = walker[frame + 1] + ((code >> 1) & 1) * half
        c = walker[frame + 2] + (code & 1) * half
        if a >= walker[EXTENT] or b >= walker[EXTENT + 1] or c >= walker[EXTENT + 2]:
            continue
        if level == 1:
            walker[LEVEL] = level
            at[0] = a
            at[1] = b
            at[2] = c
            return True
        level -= 1
        enter(walker, level, a, b, c)
    walker[LEVEL] = level
    return False
