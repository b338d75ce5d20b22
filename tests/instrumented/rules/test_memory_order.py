"""What is made of a traced array lies in memory as what NumPy makes of a plain one."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from instrumented import Trace

ARRAYS = {
    "F": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "transposed": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    "reversed": np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2],
    "repeated": np.broadcast_to(np.arange(3.0), (2, 3)),
}

CALLS = [
    *(lambda x, order=order: x.copy(order) for order in "CFAK"),
    *(lambda x, order=order: x.flatten(order) for order in "CFAK"),
    *(lambda x, order=order: x.ravel(order) for order in "CFAK"),
    *(lambda x, order=order: np.copy(x, order=order) for order in "CFAK"),
    lambda x: np.copy(x),
    lambda x: copy.copy(x),
    lambda x: copy.deepcopy(x),
    lambda x: x.astype(np.float32),
    lambda x: x.astype(np.float32, order="C"),
    lambda x: np.zeros_like(x),
    lambda x: np.ones_like(x, order="C"),
    lambda x: np.full_like(x, 2),
    lambda x: np.empty_like(x, dtype=np.int8),
    lambda x: x + 1,
    lambda x: x * x.copy(),
    lambda x: -x,
    lambda x: np.exp(x),
    lambda x: x**2,
    lambda x: np.add(x, x, order="C"),
    lambda x: np.where(x > 2, x, 0),
    lambda x: x.clip(0, 1),
    lambda x: x.round(1),
    lambda x: np.nan_to_num(x),
    lambda x: x.T.copy(),
    lambda x: x[[0, 1]],
    lambda x: x.sum(0, keepdims=True),
    lambda x: x.cumsum(0),
]


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
@pytest.mark.parametrize("call", CALLS)
def test_strides_and_flags_are_numpys(call, array):
    trace = Trace()
    want, x = call(array), trace.array(array)
    for _ in range(2):  # the second call of a kind is answered another way
        got = call(x)
        assert (got.shape, got.strides, got.dtype) == (want.shape, want.strides, want.dtype)
        for flag in ("C", "F", "O", "W", "A"):
            assert got.flags[flag] == want.flags[flag], flag
