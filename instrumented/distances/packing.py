"""Which blocks a memory keeps from one access to the next: intervals packed under a capacity.

Keeping a block between two accesses takes its bytes at every moment strictly between them and
saves what bringing it back would move. `keep` packs such intervals greedily in the order of their
ends. Where a byte saves as much as any other and intervals may be kept in part, that is the most
that any memory of this capacity can save (docs/metric.md §8 "Levels").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]

NOTHING = -(1 << 62)


class Load(NamedTuple):
    """Bytes held at every moment: a tree of differences, `(2 n,)`, moment ``t`` at leaf ``n + t``.

    ``total`` is the sum of a node's differences, ``most`` the largest sum of any first few of them.
    """

    total: Ints
    most: Ints


def load_of(held: Ints) -> Load:
    """Return the tree of what is held at every moment, whatever is kept besides."""
    leaves = 1 << int(held.size).bit_length()
    total, most = np.zeros(2 * leaves, np.int64), np.zeros(2 * leaves, np.int64)
    total[leaves : leaves + held.size] = np.diff(held, prepend=0)
    most[leaves:] = total[leaves:]
    build(Load(total, most))
    return Load(total, most)


@compiled
def build(load: Load) -> None:
    """Sum up all nodes above the leaves."""
    total, most = load
    for node in range(total.size // 2 - 1, 0, -1):
        left = 2 * node
        total[node] = total[left] + total[left + 1]
        most[node] = max(most[left], total[left] + most[left + 1])


@inlined
def change(load: Load, moment: int, nbytes: int) -> None:
    """Hold more bytes from a moment on."""
    total, most = load
    node = total.size // 2 + moment
    total[node] += nbytes
    most[node] += nbytes
    node >>= 1
    while node:
        left = 2 * node
        total[node] = total[left] + total[left + 1]
        most[node] = max(most[left], total[left] + most[left + 1])
        node >>= 1


@inlined
def busiest(load: Load, start: int, end: int) -> int:
    """Return the most bytes held at any moment from ``start`` to before ``end``."""
    total, most = load
    leaves = total.size // 2
    before = 0
    node = leaves + start
    while node > 1:
        if node & 1:
            before += total[node - 1]
        node >>= 1
    left, right = leaves + start, leaves + end
    passed, found, behind = 0, NOTHING, NOTHING
    while left < right:
        if left & 1:
            found = max(found, passed + most[left])
            passed += total[left]
            left += 1
        if right & 1:
            right -= 1
            behind = max(most[right], total[right] + behind)
        left >>= 1
        right >>= 1
    highest: int = before + max(found, passed + behind)
    return highest


@compiled
def keep(load: Load, start: Words, end: Words, left: Words, capacity: int, whole: bool) -> None:
    """Keep intervals, the first first, as far as they fit.

    ``start`` and ``end`` are the moments of two accesses, ``left`` the bytes to be kept between
    them, off which is taken what is kept; ``whole``: all of them or none.
    """
    for i in range(left.size):
        room = capacity - busiest(load, start[i] + 1, end[i])
        kept = min(room, left[i])
        if kept > 0 and (kept == left[i] or not whole):
            change(load, start[i] + 1, kept)
            change(load, end[i], -kept)
            left[i] -= kept


def kept_at(
    capacities: Ints, held: Ints, times: Words, left: Words, turn: Ints, *, whole: bool
) -> Iterator[Words]:
    """Keep intervals at every capacity in turn, and what a smaller one keeps at all larger ones.

    Args:
        capacities: sizes of memory in bytes, rising.
        held: bytes that are in use at every moment.
        times: moments of the two accesses of every interval, `(2, n)`.
        left: bytes to be kept of every interval, `(n,)`; what is kept is taken off.
        turn: the intervals in the order in which they are kept.
        whole: keep all of an interval or nothing.

    Yields:
        After each capacity, the intervals of which some bytes are not kept.
    """
    who = turn.astype(np.int32)
    start, end = times[0, who], times[1, who]
    load = load_of(held)
    for capacity in capacities.tolist():
        mine = left[who]
        keep(load, start, end, mine, capacity, whole)
        left[who] = mine
        still = np.flatnonzero(mine)
        who, start, end = who[still], start[still], end[still]
        yield who
        if 8 * who.size < load.total.size:
            load, start, end = shorter(load, start, end)


def shorter(load: Load, start: Words, end: Words) -> tuple[Load, Words, Words]:
    """Join moments between which no interval begins or ends: the busiest stands for all."""
    held = np.cumsum(load.total[load.total.size // 2 :])
    begins = np.zeros(held.size, np.bool_)
    for moment in (start, end):
        begins[moment] = True
        begins[moment + 1] = True
    number = (np.cumsum(begins) - 1).astype(np.int32)
    joined = np.maximum.reduceat(held, np.flatnonzero(begins))
    return load_of(joined), number[start], number[end]
