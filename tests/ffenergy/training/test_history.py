"""The history of a run in memory: rows as they came, numbers in 8 bytes each."""

from __future__ import annotations

import math
import tracemalloc

import pandas as pd

from ffenergy.training.history import History

ROWS = [
    {"stage": "layers", "epoch": 1, "loss": 0.1 + 0.2, "bytes": 2**60 + 1, "wall_seconds": 1.5},
    {"stage": "layers", "epoch": 2, "loss": 0.25, "bytes": 2**70, "wall_seconds": 2.5},
    {"stage": "head", "epoch": 1, "loss": math.nan, "test_error": 4.5},
    {"stage": "head", "epoch": 2, "loss": 1, "test_error": 4.5},
]


def test_rows_come_back_as_they_were() -> None:
    history = History(ROWS)
    assert len(history) == 4
    assert str(list(history)) == str(ROWS)  # types too; NaN is unequal to itself
    assert [row["epoch"] for row in history[-3:]] == [2, 1, 2]
    assert history[-1] == ROWS[-1]
    assert history[9:] == []


def test_the_table_is_that_of_the_rows() -> None:
    for rows in (ROWS, ROWS[:1], ROWS[2:], []):
        pd.testing.assert_frame_equal(History(rows).frame(), pd.DataFrame(rows))


def test_an_epoch_takes_eight_bytes_a_number() -> None:
    tracemalloc.start()
    history = History()
    try:
        for epoch in range(10_000):
            history.append({"stage": "layers", "epoch": epoch, "loss": epoch / 7, "n": 10**12})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000 * 4 * 8 * 1.5
