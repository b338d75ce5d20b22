"""Where temporaries lie: a freed array's memory goes to the next one of its size and shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instrumented import Trace
from instrumented.lowering.lower import lower

Program = Callable[[Any, Any], object]


def anew(x: Any, w: Any) -> None:
    x * 1.0
    x * 2.0


def both_alive(x: Any, w: Any) -> None:
    a = x * 1.0
    b = x * 2.0
    a + b
    x * 3.0


def read_where_it_lies(x: Any, w: Any) -> None:
    x * 1.0
    b = x * 2.0
    w += b


def other_shape(x: Any, w: Any) -> None:
    x * 1.0
    x.reshape(2, 2) * 2.0


def begun_in_part(x: Any, w: Any) -> None:
    for _ in range(2):
        y = np.empty_like(x)
        y[:2] = 1.0
        y[2:] = 1.0


def kept_in_place(x: Any, w: Any) -> None:
    x * 1.0
    np.multiply(x, 2.0, out=w)


def after_a_weight(x: Any, w: Any) -> None:
    x * 1.0
    w * 1.0
    w * 2.0


@pytest.mark.parametrize(
    ("program", "homes"),
    [
        # x is buffer 0, w is 1; an operation's reads, then its writes
        (anew, [0, 2, 0, 2]),
        (both_alive, [0, 2, 0, 3, 2, 3, 4, 0, 4]),  # the sum was freed last
        (read_where_it_lies, [0, 2, 0, 2, 1, 2, 1]),
        (other_shape, [0, 2, 0, 3]),
        (begun_in_part, [2, 2, 3, 3]),  # what is not stored is the array's own
        (kept_in_place, [0, 2, 0, 1]),
        (after_a_weight, [0, 2, 1, 2, 1, 2]),  # x is not read again, but stays
    ],
)
def test_a_temporary_takes_the_place_of_a_dead_one(program: Program, homes: list[int]) -> None:
    trace = Trace(record=True)
    x, w = (trace.array(np.ones(4, np.float32), role="weight") for _ in "xw")
    program(x, w)
    operands = lower(trace.events, trace.buffers).operands
    assert [access.buffer for _, access in operands] == homes
