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
