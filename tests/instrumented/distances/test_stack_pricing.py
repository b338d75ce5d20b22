"""⌈√d⌉ a byte, against the sum written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrumented.distances.bytedmd import access_costs, bytedmd_cost, sums_of_hops
from instrumented.errors import InstrumentError


def written_out(distance, size):
    return sum(math.isqrt(d - 1) + 1 for d in range(distance - size + 1, distance + 1))


reads = st.tuples(st.integers(1, 3000), st.integers(1, 3000)).map(lambda pair: sorted(pair)[::-1])


@settings(max_examples=200, deadline=None)
@given(st.lists(reads, max_size=20))
def test_equals_the_sum_written_out(pairs):
    distances = [distance for distance, _ in pairs]
    sizes = [size for _, size in pairs]
    expected = [written_out(*pair) for pair in pairs]
    assert access_costs(distances, sizes).tolist() == expected
    assert bytedmd_cost(distances, sizes) == sum(expected)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 2**31), st.integers(-3, 3), st.integers(1, 40))
def test_exact_around_perfect_squares_on_both_sides_of_64_bits(root, offset, size):
    distance = max(root * root + offset, size)
    expected = written_out(distance, size)
    assert bytedmd_cost([distance, distance], size) == 2 * expected
    if distance <= 2**40:
        assert access_costs([distance], size)[0] == expected


def test_whole_stack_of_a_tebibyte():
    # Σ⌈√d⌉ to m² is m(m+1)(4m−1)/6; the total of many leaves 64 bits.
    m = 2**20
    assert bytedmd_cost(np.full(100, m * m), m * m) == 100 * (m * (m + 1) * (4 * m - 1) // 6)


def test_beside_every_square_up_to_a_tebibyte():
    """⌈√(k² − 1)⌉ and ⌈√k²⌉ are k, ⌈√(k² + 1)⌉ is k + 1."""
    k = np.arange(2, 2**20 + 1)
    before, square, after = np.diff(
        [sums_of_hops(k * k + beside) for beside in range(-2, 2)], axis=0
    )
    assert np.array_equal(before, k)
    assert np.array_equal(square, k)
    assert np.array_equal(after, k + 1)


def test_a_block_is_a_byte_if_its_size_is_left_out():
    # ⌈√2⌉ + ⌈√10⌉.
    assert access_costs([2, 10]).tolist() == [2, 4]
    assert bytedmd_cost([2, 10]) == 6


def test_cold_reads_cost_nothing():
    assert bytedmd_cost([-1, 4, -1], 4) == 1 + 2 + 2 + 2
    assert bytedmd_cost([]) == 0


def test_four_byte_element_at_depth_two():
    # Bytes 5 … 8: ⌈√5⌉ + ⌈√6⌉ + ⌈√7⌉ + ⌈√8⌉.
    assert access_costs([8], 4).tolist() == [12]


@pytest.mark.parametrize(
    ("distances", "sizes", "message"),
    [
        ([3], 4, "read 0 puts a block of 4 bytes at distance 3"),
        ([5, 0], 1, "read 1"),
        ([5, -2], 1, "read 1"),
        ([5], 0, "block of 0 bytes"),
        ([1.5], 1, "distances has dtype float64"),
    ],
)
def test_errors(distances, sizes, message):
    with pytest.raises(InstrumentError, match=message):
        bytedmd_cost(distances, sizes)


def test_single_costs_beyond_64_bits_are_refused():
    with pytest.raises(InstrumentError, match="use bytedmd_cost"):
        access_costs([2**41], 1)
