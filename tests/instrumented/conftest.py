"""Shared by the tests of the instrument."""

from __future__ import annotations

import numpy as np
import pytest

import instrumented


@pytest.fixture
def traced():
    """Return a function that gives a trace and arrays in it, of the shapes asked for."""

    def make(*shapes, dtype=np.float32, trace=None):
        trace = trace or instrumented.Trace()
        rng = np.random.default_rng(0)
        arrays = [trace.array(rng.random(shape).astype(dtype) + 1) for shape in shapes]
        return trace, *arrays

    return make


@pytest.fixture
def counted():
    """Return a function that counts a call and holds its values against NumPy's."""

    def equal(got, expected):
        if isinstance(expected, (tuple, list)):
            assert len(got) == len(expected)
            for have, want in zip(got, expected, strict=True):
                equal(have, want)
        elif isinstance(expected, np.ndarray) or np.isscalar(expected):
            np.testing.assert_array_equal(got.escape(), expected)

    def run(call, *arrays):
        trace = instrumented.Trace()
        got = call(*(trace.array(array.copy()) for array in arrays))
        moved = trace.traffic, trace.work
        equal(got, call(*(array.copy() for array in arrays)))
        return moved

    return run


def _shapes():
    """The products (m, n, k) of 784-1000-… and 784-500-…, a batch of 100 and its hybrids."""
    for width in (1000, 500):
        yield 200, width, 784  # forward, first layer
        yield 200, width, width  # forward
        yield 784, width, 200  # gradient, first layer
        yield width, width, 200  # gradient
        yield 100, width, width  # backward


@pytest.fixture(params=_shapes(), ids=str)
def product_shape(request):
    """A product of these networks: m, n, k."""
    return request.param
