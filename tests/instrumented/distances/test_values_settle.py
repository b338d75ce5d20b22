"""How far written values go, and when it is known: single accesses through a memory, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented.distances.memories import COLD, FOLLOW, PRICE, WARM, Memory
from instrumented.distances.sums import ALLOCATED, BYTEDMD, READ, WRITTEN
from instrumented.lowering.generate import Chunk
from instrumented.lowering.stream import Accesses

SIZES = (6, 10, 1)


def memory(*, live: list[int] | None, rows: int = len(SIZES), data_bytes: int = 0) -> Memory:
    """Return a cache, or a scratchpad in which blocks lie, the bottom first."""
    lying = None if live is None else np.array(live, np.int64)
    places = np.zeros(1, np.int64)
    return Memory(np.array(SIZES), places, rows=rows, data_bytes=data_bytes, live=lying)


def run(into: Memory, phase: int, *accesses: tuple[int, int, int]) -> None:
    """Let (block, write, marked) pass, each an instruction of its own that moves 6 bytes or 1."""
    block, write, marked = np.array(accesses, np.int32).T
    zero = np.zeros(block.size, np.int32)
    nbytes = np.where(block == 2, 1, 6).astype(np.int32)
    order = np.arange(block.size) + 100 * into.clock
    chunk = Chunk(block, zero, nbytes, write.astype(np.uint8), order)
    into.run(Accesses(chunk, marked.astype(np.uint8)), phase)


def sums(of: Memory, column: int, kept: tuple[bool, ...] = (True, True, True)) -> dict[int, int]:
    """Return what a column holds, by distance."""
    _, distance, values = of.finish(np.array(kept)).rows()
    held = values[:, column - READ]
    return dict(zip(distance[held > 0].tolist(), held[held > 0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("kept", "cache", "expected"),
    [
        (True, False, {COLD: 6}),  # lives on: it comes out of any memory
        (False, False, {16: 6}),  # read from below the 10 bytes of block 1: 6 + 10
        (True, True, {COLD: 6}),
        (False, True, {COLD: 6}),  # a cache does not know that nobody wants it
    ],
)
def test_a_value_that_nobody_overwrites_goes_as_far_as_its_reads_or_lives_on(
    kept: bool, cache: bool, expected: dict[int, int]
) -> None:
    into = memory(live=None if cache else [1])
    run(into, PRICE, (0, 1, 1), (1, 0, 0), (0, 0, 1))
    assert sums(into, WRITTEN, (kept, True, True)) == expected


def test_values_are_settled_when_each_is_overwritten() -> None:
    into, last = memory(live=None), np.full(3, 100)
    run(into, PRICE, (0, 1, 0), (1, 1, 0))
    assert not into.settled(50, last)
    run(into, FOLLOW, (0, 1, 0))
    assert not into.settled(50, last)  # block 1 is open
    run(into, FOLLOW, (1, 1, 0))
    assert into.settled(50, last)


def test_values_are_settled_after_the_last_group_with_one_that_is_open() -> None:
    """Block 1 is open and in no group after 9; block 2 is in some until 20, and never written."""
    into = memory(live=None)
    run(into, PRICE, (1, 1, 0), (2, 0, 0))
    last = np.array([15, 9, 20])
    assert [into.settled(group, last) for group in (9, 10)] == [False, True]


def test_open_values_are_looked_for_again_after_two_accesses_per_block() -> None:
    """Block 0, in groups until 15, is overwritten; block 1 is open, and in none after 9."""
    into, last = memory(live=None), np.array([15, 9, 20])
    run(into, PRICE, (0, 1, 0), (1, 1, 0))
    assert not into.settled(10, last)
    run(into, FOLLOW, (0, 1, 0), (2, 0, 0), (2, 0, 0), (2, 0, 0), (2, 0, 0))
    assert not into.settled(10, last)  # five accesses since, three blocks
    run(into, FOLLOW, (2, 0, 0))
    assert into.settled(10, last)


def test_a_cache_is_empty_at_first() -> None:
    into = memory(live=None)
    run(into, PRICE, (0, 1, 0), (0, 0, 0), (1, 0, 0), (0, 0, 0))
    assert sums(into, ALLOCATED) == {COLD: 6}
    assert sums(into, READ) == {6: 6, COLD: 6, 16: 6}


def test_what_is_read_from_nowhere_lies_on_an_empty_scratchpad() -> None:
    into = memory(live=[])
    run(into, PRICE, (0, 0, 0), (1, 0, 0), (0, 0, 0))
    assert sums(into, READ) == {COLD: 12, 16: 6}


def test_a_byte_on_top_costs_one() -> None:
    into = memory(live=[2])
    run(into, PRICE, (2, 0, 0))
    assert sums(into, BYTEDMD) == {1: 1}


@pytest.mark.parametrize("phase", [WARM, PRICE])
@pytest.mark.parametrize("cache", [False, True])
def test_only_gathered_rows_are_left_out_of_what_lies_before_a_data_set(
    cache: bool, phase: int
) -> None:
    """6 bytes of block 0 and a row of 10 are written: a row is behind 6 + 10 - 10 + 100 bytes."""
    into = memory(live=None if cache else [], rows=1, data_bytes=100)
    run(into, phase, (0, 1, 1), (1, 1, 1))
    run(into, PRICE, (-1, 0, 0))
    assert sums(into, READ) == {106: 6}


def test_there_is_room_for_two_sums_per_access() -> None:
    into = memory(live=None)
    run(into, PRICE, *[(0, 0, 0)] * 10_000)
    assert into.sums.cells.rows.shape[0] > 20_000
