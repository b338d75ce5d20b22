"""Plain arrays in lists beside traced values: operands like any, in lists of any depth."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import instrumented
from instrumented import BareArrayError, Traffic

# x, its positions k and plain p and q of 6 elements are 48 bytes each, the masks m and n 6;
# of y with two rows every element is 0, a and b are single positions of 8 bytes
CALLS = [
    # q and x are read and the array made of them, 96 bytes, is written ...
    (lambda v: np.array([v.q, v.x], like=v.x), 96, 96),
    (lambda v: np.array((v.x, v.q), like=v.x), 96, 96),
    (lambda v: np.array([[v.q], [v.x]], like=v.x), 96, 96),
    (lambda v: np.array([memoryview(v.q), v.x], like=v.x), 96, 96),
    # ... and then read by the operation, with x
    (lambda v: v.x * [[v.q], [v.x]], 96 + 48 + 96, 96 + 96),
    (lambda v: np.multiply(v.x, [v.q, v.x]), 96 + 48 + 96, 96 + 96),
    (lambda v: np.append(v.x, [v.q, v.x]), 96 + 48 + 96, 96 + 144),
    (lambda v: np.isclose([v.q, v.x], v.x), 96 + 96 + 48, 96 + 12),
    (lambda v: np.dot([v.q, v.x], v.x), 96 + 96 + 48, 96 + 16),
    (lambda v: np.where([v.n, v.m], v.x, v.x), 12 + 12 + 96, 12 + 96),
    (lambda v: v.y.__setitem__(slice(None), [v.q, v.x]), 96 + 96, 96 + 96),
    (lambda v: setattr(v.y, "flat", [v.q, v.x]), 96 + 96, 96 + 96),
    (lambda v: np.copyto(v.y, [v.q, v.x]), 96 + 96, 96 + 96),
    (lambda v: np.full_like(v.y, [v.q, v.x]), 96 + 96, 96 + 96),
    # 12 elements by 12 positions
    (lambda v: v.x[[v.p, v.k]], 96 + 96 + 96, 96 + 96),
    (lambda v: np.add.at(v.x, [v.p, v.k], 1.0), 96 + 96 + 96, 96 + 96),
    (lambda v: v.y.flat[[v.b, v.a]], 16 + 16 + 16, 16 + 16),
]


def made(**settings):
    trace = instrumented.Trace(**settings)
    plain = SimpleNamespace(q=np.arange(6.0), p=np.arange(6), n=np.arange(6) > 2, b=np.array(1))
    given = {"x": np.arange(6.0), "y": np.zeros((2, 6)), "k": np.arange(6), "m": np.arange(6) > 1}
    for name, array in (*given.items(), ("a", np.array(2))):
        setattr(plain, name, trace.array(array))
    return trace, plain


@pytest.mark.parametrize(("call", "read", "written"), CALLS)
def test_a_plain_array_beside_a_traced_one_is_read(call, read, written):
    trace, operands = made()
    for times in (1, 2):
        call(operands)
        assert trace.traffic == Traffic(read, written) * times


@pytest.mark.parametrize("call", [call for call, *_ in CALLS])
def test_a_strict_trace_refuses_it_before_anything_runs(call):
    trace, operands = made(strict=True)
    with pytest.raises(BareArrayError, match="plain array of shape"):
        call(operands)
    assert trace.traffic == Traffic()
    assert not operands.y.escape().any()


def test_numbers_beside_traced_values_are_constants():
    trace, operands = made(strict=True)
    row = np.array([1.0, operands.q[0], operands.a], like=operands.x)
    assert row.escape().tolist() == [1.0, 0.0, 2.0]
    assert trace.traffic == Traffic(8 + 24, 24)  # the position a; the row written, and let out


def test_what_numpy_takes_for_an_array_is_one_in_a_list_too(traced):
    class Column:
        def __array__(self, dtype=None, copy=None):
            return np.zeros(4, np.float32)

    trace, x = traced((4,))
    assert np.stack([x, x]).shape == np.array([Column(), x], like=x).shape == (2, 4)
    # twice two rows of 16 bytes, read and written
    assert trace.traffic == Traffic(64, 64)
