"""Traces that count operations on large memory without carrying them out."""

from __future__ import annotations

from typing import Any

import numpy as np

import instrumented

LARGE, SMALL = (40, 50), (4, 5)


def program(trace: Any, shape: tuple[int, int]) -> np.ndarray:
    """All ways to write into memory that is there already; returns it."""
    memory = np.full(shape, 3.0, np.float32)
    target: Any = trace.array(memory, role="weight")
    rows, columns = (trace.array(np.ones(n, np.float32)) for n in shape)
    for _ in range(3):  # the first of its kind, and those that are known
        with trace.step("step"):
            target += 1.0
            target *= target
            target[: shape[0] // 2] -= columns
            np.multiply(target, 2.0, out=target)
            np.matmul(rows[:, None], columns[None], out=target)
            np.copyto(target, columns)
            np.add.reduce(target[None], axis=0, out=target)
            np.sum(target[None], axis=0, out=target)
            np.clip(target, 0.0, 1.0, out=target)
            np.cumsum(target, axis=0, out=target)
            target[1:] = rows[0]
            target[...] = columns
            target[0, 0] = 1.0
            target[trace.array(np.array([0, 2]))] = columns
            target[target > 0] = 0.0
            target[[0, 1]] += columns
            np.add.at(target, [0, 0], columns)
            np.divmod(target, 2.0, out=(target, target))
            np.median(target, axis=0, overwrite_input=True)
            np.percentile(target, 50, None, None, True)
            np.nan_to_num(target, copy=False, nan=1.0)
            target.flat = 1.0
            target.flat[1:3] = 2.0
    return memory


def test_the_books_are_those_of_the_whole_computation() -> None:
    whole, spared = instrumented.Trace(), instrumented.Trace(computes_up_to=0)
    assert not (program(whole, SMALL) == 3).any()
    assert (program(spared, SMALL) == 3).all()
    assert spared.signatures == whole.signatures
    assert spared.to_frame().equals(whole.to_frame())


def test_events_are_too() -> None:
    whole = instrumented.Trace(record=True)
    spared = instrumented.Trace(record=True, computes_up_to=0)
    program(whole, SMALL)
    assert (program(spared, SMALL) == 3).all()
    assert spared.events == whole.events
    assert spared.buffers == whole.buffers


def test_memory_up_to_the_limit_is_computed() -> None:
    trace = instrumented.Trace(computes_up_to=4 * 40 * 50)
    whole = program(instrumented.Trace(), LARGE)
    np.testing.assert_array_equal(program(trace, LARGE), whole)
    assert trace.writes(np.zeros(LARGE, np.float32))
    assert not trace.writes(np.zeros(LARGE, np.float64))
    assert not trace.writes(np.zeros(LARGE, np.float64)[:1])  # a part of memory that is too large


def test_results_of_their_own_are_computed() -> None:
    trace = instrumented.Trace(computes_up_to=0)
    x: Any = trace.array(np.arange(4.0))
    assert ((x + 1) * 2).escape().tolist() == [2, 4, 6, 8]
    assert x.sum().escape() == 6
    y: Any = trace.array(np.array([3.0, 1.0, 2.0, np.nan]))
    assert np.nanmedian(y, overwrite_input=True).escape() == 2
    np.testing.assert_array_equal(y.escape(), [3, 1, 2, np.nan])  # left as it is
