"""Operands of programs that are counted by hand, and how a count is held against a run."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import instrumented
from instrumented import Trace, Traffic, Work


def operands():
    """Make the operands, by the names that programs give their parameters."""
    x = np.array([[3.0, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]])
    records = [("a", "i4"), ("b", "f8"), ("c", "i4")]
    return {
        "X": x, "Y": x + 0.5, "XF": np.asfortranarray(x), "T": x.T, "N": x[::-1, ::2],
        "W": np.broadcast_to(np.array([1.0, 2, 3, 4]), (3, 4)), "E": np.zeros((0, 4)),
        "M": x > 2, "IN": np.array([[2, 0, 1, 0], [1, 1, 0, 2], [0, 2, 1, 1]]),
        "NA": np.array([[1, np.nan, 3, 4], [5, 6, np.nan, 8], [9, 1, 2, 3]]),
        "K": np.arange(24.0).reshape(2, 3, 4), "D": np.array(2.5),
        "R": x[0].copy(), "R2": x[1].copy(), "C3": np.array([1.0, 2, 3]),
        "S": np.array([4.0, 0, 9, 1, 2, 2, 7, 5]), "Q": np.array([[1.0, 2], [3, 4]]),
        "A2": np.array([[2.0, 1, 0], [1, 3, 1], [0, 1, 4]]),
        "F": np.arange(6, dtype=np.float32).reshape(2, 3) + 1,
        "G": np.arange(12, dtype=np.float32).reshape(3, 4) + 1,
        "SW": sliding_window_view(np.arange(8, dtype=np.float32), 3),
        "J": np.array([2, 0, 2]), "I4": np.array([[0, 1], [1, 0]]),
        "i32": np.array([1, 2, 3], np.int32), "V": np.array([True, False, True]),
        "B": np.array([True, False, True, True]), "Z": np.array([1 + 2j, 3 - 1j, 0.5j]),
        "H": np.array([1, 2, 3, 4], np.float16), "L": np.array([1, 2], np.longdouble),
        "B8": np.array([-3, 5, 7, 0, 2], np.int8), "U8": np.array([3, 5, 7, 0, 2], np.uint8),
        "ST": np.array([(1, 2.0, 3), (4, 5.0, 6)], records),
    }  # fmt: skip


def check_same(got, want):
    """Hold what a program answered, or left behind, against what it does untraced."""
    if isinstance(want, (tuple, list)):
        assert type(got) is type(want)
        assert len(got) == len(want)
        for have, wanted in zip(got, want, strict=True):
            check_same(have, wanted)
    elif isinstance(got, instrumented.TracedArray | instrumented.TracedScalar):
        plain = np.asarray(got._array)
        assert isinstance(got, instrumented.TracedArray) == isinstance(want, np.ndarray)
        assert plain.shape == np.shape(want)
        assert isinstance(want, bool) or plain.dtype == np.asarray(want).dtype
        np.testing.assert_array_equal(plain, want)
    else:
        assert type(got) is type(want)
        np.testing.assert_array_equal(got, want)


@pytest.fixture
def by_hand():
    """Return a function that runs a program three times, and holds counts and values.

    The second and third time it is known; counts are then those of so many runs. So are the bytes
    of the events of a recording trace, in which it runs as well.
    """

    def run(program, read, written, work=0):
        names = list(inspect.signature(program).parameters)
        one = Work(*work) if isinstance(work, tuple) else Work(work)
        trace, recording, untraced = Trace(), Trace(record=True), operands()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # means of nothing, imaginary parts left out
            want = program(*(untraced[name] for name in names))
            for times in (1, 2, 3):
                plain = operands()
                got = program(*(trace.array(plain[name]) for name in names))
                assert trace.traffic == Traffic(read, written) * times, inspect.getsource(program)
                assert trace.work == one * times, inspect.getsource(program)
                check_same(got, want)
                for name in names:
                    check_same(plain[name], untraced[name])
                program(*map(recording.array, map(operands().get, names)))
                moved = [
                    sum(one.nbytes for event in recording.events for one in getattr(event, side))
                    for side in ("reads", "writes")
                ]
                assert Traffic(*moved) == trace.traffic, inspect.getsource(program)
                assert sum((e.work for e in recording.events), Work()) == trace.work

    return run
