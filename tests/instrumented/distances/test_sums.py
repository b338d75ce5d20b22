"""Sums per place and distance: exact in any order, and whenever room is made."""

from __future__ import annotations

import numpy as np

from instrumented.distances.sums import ALLOCATED, BYTEDMD, READ, WRITTEN, Sums, add


def listed(sums: Sums) -> list[tuple[int, ...]]:
    """Return place, distance and the four columns of every pair."""
    place, distance, columns = sums.rows()
    return [
        (p, d, *row)
        for p, d, row in zip(place.tolist(), distance.tolist(), columns.tolist(), strict=True)
    ]


def test_amounts_are_summed_under_their_place_distance_and_column() -> None:
    sums = Sums()
    for place, distance, column, amount in (
        (2, 7, READ, 5),
        (0, -1, ALLOCATED, 8),  # a first access
        (2, 7, READ, 6),  # 5 + 6 are 11
        (0, 0, WRITTEN, 4),  # a write that nobody reads
        (1, 7, READ, 3),  # another place, the same distance
        (2, 7, BYTEDMD, 9),
        (2, 6, READ, 1),
    ):
        add(sums.cells, place, distance, column, amount)
    assert listed(sums) == [
        (0, -1, 0, 8, 0, 0),
        (0, 0, 0, 0, 4, 0),
        (1, 7, 3, 0, 0, 0),
        (2, 6, 1, 0, 0, 0),
        (2, 7, 11, 0, 0, 9),
    ]


def test_sums_stay_where_they_are_when_room_is_made() -> None:
    sums = Sums()
    pairs = [(place, distance) for place in (0, 1, 6) for distance in (-1, 0, 1, 6, 2**42 - 2)]
    for amount, (place, distance) in enumerate(pairs, 1):
        for column in (READ, ALLOCATED, WRITTEN, BYTEDMD):
            add(sums.cells, place, distance, column, column * amount)
    before = listed(sums)
    sums.make_room(1 << 14)
    assert listed(sums) == before
    assert before == [
        (place, distance, amount, 2 * amount, 3 * amount, 4 * amount)
        for amount, (place, distance) in enumerate(pairs, 1)
    ]


def test_there_is_an_empty_cell_beyond_those_asked_for() -> None:
    """A table without one would be searched forever for a pair that it lacks."""
    for there in (0, 3):
        for more in (16_380, 16_381, 16_383, 16_384, 32_767, 32_768):
            sums = Sums()
            for distance in range(there):
                add(sums.cells, 0, distance, READ, 1)
            sums.make_room(more)
            assert sums.cells.rows.shape[0] > there + more


def test_pairs_that_begin_their_search_at_one_cell_are_kept_apart() -> None:
    """Three places of 5,461 distances: 16,383 pairs in 16,384 cells."""
    sums = Sums()
    place, distance = np.divmod(np.arange(16_383), 5_461)
    for p, d in zip(place.tolist(), distance.tolist(), strict=True):
        add(sums.cells, p, d, READ, p + d)
    places, distances, columns = sums.rows()
    assert np.array_equal(places, place)
    assert np.array_equal(distances, distance)
    assert np.array_equal(columns[:, 0], place + distance)
