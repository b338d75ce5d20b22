"""Dally's grid: energies by hand, and the closed form against word by word."""

import math

import numpy as np
import pytest

import instrumented
from instrumented.distances.grid import grid_energy_fj, grid_hops


@pytest.mark.parametrize(
    ("distance", "size", "energy"),
    [
        (4, 4, 50),  # word 1, one hop: 2 fJ, the access itself is dearer
        (2500, 4, 50),  # word 625, 25 hops: 2 · 25 = 50
        (2504, 4, 52),  # word 626, 26 hops
        (2504, 8, 102),  # a float64 across the edge: 50 + 52
        (40_000, 4, 200),  # word 10,000, 100 hops
        (1, 1, 50),  # the nearest byte
        (8, 1, 50),  # one byte still moves its word
        (9, 2, 100),  # bytes 8 and 9 lie in words 2 and 3
    ],
)
def test_energies_worked_by_hand(distance, size, energy):
    assert grid_energy_fj(distance, size) == energy


def test_closed_form_equals_word_by_word():
    random = np.random.default_rng(3)
    distance = random.integers(1, 30_000, 400)
    size = np.minimum(distance, random.integers(1, 4_000, 400))
    expected = [
        sum(
            max(50, 2 * (math.isqrt(word - 1) + 1))
            for word in range((d - s) // 4 + 1, -(-d // 4) + 1)
        )
        for d, s in zip(distance.tolist(), size.tolist(), strict=True)
    ]
    assert grid_energy_fj(distance, size).tolist() == expected


def test_hops_are_rings_of_the_grid():
    # h² words within h hops: words 1 | 2–4 | 5–9
    assert grid_hops([4, 8, 16, 20, 36, 40]).tolist() == [1, 2, 2, 3, 3, 4]


def test_a_cold_access_has_no_place():
    with pytest.raises(instrumented.InstrumentError, match="no place on the grid"):
        grid_energy_fj([-1], 4)
