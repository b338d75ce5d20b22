"""What a stack distance costs under ByteDMD: ⌈√d⌉ for every byte read, in exact integers.

An s-byte block whose last byte lies at distance d has its bytes at distances d−s+1 … d, so it
costs S(d) − S(d−s) with S(n) = ⌈√1⌉ + … + ⌈√n⌉. With m = ⌈√n⌉ the distances (k−1)²+1 … k² all
cost k, hence S(n) = (m−1)m(4m−5)/6 + m·(n − (m−1)²).
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from instrumented.errors import InstrumentError

Ints = npt.NDArray[np.int64]
IntOrInts = TypeVar("IntOrInts", int, Ints)

LARGEST_IN_INT64 = 1 << 40  # above it (1 TiB) the closed form leaves 64 bits
CHUNK = 1 << 18


def access_costs(distances: npt.ArrayLike, sizes: npt.ArrayLike = 1) -> Ints:
    """ByteDMD cost of every read.

    Args:
        distances: integers, bytes from the top to the end of the block; −1, cold, costs 0.
        sizes: bytes of each block read, one number or an array that broadcasts.

    Returns:
        int64 costs in the shape of `distances`.

    Raises:
        InstrumentError: a block deeper than 1 TiB (`bytedmd_cost` has no such limit), or one
            that is larger than its own distance.

    Source: the README of ByteDMD (cybertronai), "Computation Model".
    """
    depth, size = _checked(distances, sizes)
    if depth.size and int(depth.max()) > LARGEST_IN_INT64:
        raise InstrumentError(
            f"distance {int(depth.max())} is beyond 2**40 bytes; use bytedmd_cost, which sums in "
            "integers of any length"
        )
    cold = depth < 0
    top = np.where(cold, 0, depth)
    bottom = np.where(cold, 0, depth - size)
    return sums_of_hops(top) - sums_of_hops(bottom)


def bytedmd_cost(distances: npt.ArrayLike, sizes: npt.ArrayLike = 1) -> int:
    """ByteDMD of a trace: the sum of `access_costs` as a Python integer, exact at any magnitude."""
    depth, size = (part.ravel() for part in _checked(distances, sizes))
    total = 0
    for start in range(0, depth.size, CHUNK):
        deep, wide = depth[start : start + CHUNK], size[start : start + CHUNK]
        huge = deep > LARGEST_IN_INT64
        costs = access_costs(deep[~huge], wide[~huge])
        # Halves of 32 bits: a sum of a chunk of them cannot overflow.
        total += (int((costs >> 32).sum()) << 32) + int((costs & 0xFFFFFFFF).sum())
        for end, count in zip(deep[huge].tolist(), wide[huge].tolist(), strict=True):
            total += _exact_sum_to(end) - _exact_sum_to(end - count)
    return total


def _checked(distances: npt.ArrayLike, sizes: npt.ArrayLike) -> tuple[Ints, Ints]:
    depth, size = np.asarray(distances), np.asarray(sizes)
    for array, what in ((depth, "distances"), (size, "sizes")):
        if array.size and array.dtype.kind not in "iu":
            raise InstrumentError(f"{what} has dtype {array.dtype}; give integers")
    depth = depth.astype(np.int64)
    size = np.broadcast_to(size.astype(np.int64), depth.shape)
    wrong = ((depth >= 0) & (size > depth)) | (size < 1) | (depth < -1)
    if wrong.any():
        where = int(np.flatnonzero(wrong)[0])
        raise InstrumentError(
            f"read {where} puts a block of {size.flat[where]} bytes at distance "
            f"{depth.flat[where]}; a distance reaches the block's last byte, or is -1 when cold"
        )
    return depth, size


def _ceil_sqrt(n: Ints) -> Ints:
    # Roots are rounded correctly: up to 2**50 only those of squares come out whole.
    return np.ceil(np.sqrt(n)).astype(np.int64)


def _sum_to(n: IntOrInts, m: IntOrInts) -> IntOrInts:
    # (m−1)m is even and the product a multiple of 3: dividing in two goes keeps it in 64 bits.
    return (m - 1) * m // 2 * (4 * m - 5) // 3 + m * (n - (m - 1) ** 2)


def sums_of_hops(n: npt.ArrayLike) -> Ints:
    """⌈√1⌉ + … + ⌈√n⌉ for every n, up to 2**40."""
    number = np.asarray(n, np.int64)
    return _sum_to(number, _ceil_sqrt(number))


def _exact_sum_to(n: int) -> int:
    return _sum_to(n, math.isqrt(n - 1) + 1 if n else 0)
