"""What a stack distance costs on Dally's grid: a 32-bit access at h hops takes max(50, 2 h) fJ.

Memory is a square grid of 32-bit words around the core, nearest first: h² words lie within h hops
(Manhattan distance, upper half-plane), so the word at depth w is ⌈√w⌉ hops away. Up to 25 hops, or
625 words, the access itself is the dearer part: 50 fJ. Reads and writes cost the same.

Not ByteDMD, whose unit is hops and which prices bytes: the two never share a column.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instrumented.distances.bytedmd import sums_of_hops
from instrumented.errors import InstrumentError

Ints = npt.NDArray[np.int64]

WORD_BYTES = 4
LEAST_FJ = 50
FJ_PER_HOP = 2
NEAR_WORDS = (LEAST_FJ // FJ_PER_HOP) ** 2  # 625 words, within which the least is paid


def grid_hops(distances: npt.ArrayLike) -> Ints:
    """Hops to the last byte at each stack distance, ⌈√⌈distance/4⌉⌉; distances in bytes, ≥ 1."""
    last = -(-_checked(distances) // WORD_BYTES)
    hops = np.sqrt(last).astype(np.int64)
    return hops + (hops * hops < last)


def grid_energy_fj(distances: npt.ArrayLike, sizes: npt.ArrayLike = WORD_BYTES) -> Ints:
    """Energy of every access in femtojoules, exact integers.

    Args:
        distances: integers, bytes from the top of the stack to the end of the block, as
            `stack_distances` and `price_instructions` return them.
        sizes: bytes of each block, one number or an array that broadcasts. A block pays for
            every 32-bit word that it touches.

    Returns:
        int64 in the shape of `distances`.

    Raises:
        InstrumentError: a cold access (distance −1 has no place on the grid: put inputs on it
            first), or a block that is larger than its own distance.

    Source: W. J. Dally, "On the model of computation", CACM 65(9), 2022; constants as cybertronai
    uses them (50 fJ an access at least, 2 fJ a hop and 32 bits).
    """
    depth = _checked(distances)
    size = np.broadcast_to(np.asarray(sizes, np.int64), depth.shape)
    if ((size < 1) | (size > depth)).any():
        raise InstrumentError("a block is larger than its distance, which reaches its last byte")
    return _up_to(-(-depth // WORD_BYTES)) - _up_to((depth - size) // WORD_BYTES)


def _up_to(words: Ints) -> Ints:
    """Energy of reading each of the nearest `words` words once, and the hops within the least."""
    beyond = sums_of_hops(np.maximum(words, NEAR_WORDS))
    near: Ints = np.minimum(words, NEAR_WORDS)
    return LEAST_FJ * near + FJ_PER_HOP * beyond


def _checked(distances: npt.ArrayLike) -> Ints:
    depth = np.asarray(distances)
    if depth.size and depth.dtype.kind not in "iu":
        raise InstrumentError(f"distances has dtype {depth.dtype}; give integers")
    depth = depth.astype(np.int64)
    if (depth < 1).any():
        raise InstrumentError(
            f"distance {int(depth.min())} has no place on the grid; a cold access must be given one"
        )
    return depth
