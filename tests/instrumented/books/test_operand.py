"""Bytes under a view."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented.books.operand import covered_bytes, own_bytes


def test_windows_that_overlap_their_next_one_are_covered_once() -> None:
    x = np.zeros(25, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(x, 10)[::5]
    # four windows of 10, each 5 after the one before: 0 to 9, 5 to 14, 10 to 19, 15 to 24
    assert windows.shape == (4, 10)
    assert own_bytes(windows) == 25 * 4
    # every eighth: 0 to 9 and 8 to 17
    assert own_bytes(np.lib.stride_tricks.sliding_window_view(x, 10)[:9:8]) == 18 * 4


@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((1 << 50,), (4,), 1 << 52),
        ((3, 1 << 50), (0, 4), 1 << 52),  # a row, broadcast
        ((3, 1 << 48), (1 << 50, 4), 3 << 50),  # three rows
        ((1, 1 << 50), (8, 4), 1 << 52),  # one window
    ],
)
def test_memory_larger_than_any_machines_is_not_run_through(
    shape: tuple[int, ...], strides: tuple[int, ...], expected: int
) -> None:
    assert covered_bytes(shape, strides, 4) == expected
