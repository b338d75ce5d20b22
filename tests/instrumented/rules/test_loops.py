"""The loops that a record names are those NumPy ran: einsum over them gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instrumented import Trace


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.integers(-4, 5, shape).astype(float) for shape in shapes]


CALLS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "sum of rows": (lambda x: x.sum(axis=0), [(3, 3)]),
    "sum of columns": (lambda x: x.sum(axis=1), [(3, 3)]),
    "sum, axis kept": (lambda x: np.sum(x, axis=0, keepdims=True), [(3, 3)]),
    "sum of all": (np.sum, [(3, 4)]),
    "sum of two axes": (lambda x: np.add.reduce(x, axis=(0, -1)), [(3, 4, 3)]),
    "reduce": (np.add.reduce, [(3, 3)]),
    "vecdot": (np.vecdot, [(3, 3), (3, 3)]),
    "vecdot along rows": (lambda x, y: np.vecdot(x, y, axis=0), [(3, 4), (3, 1)]),
    "matmul": (np.matmul, [(3, 3), (3, 3)]),
    "batched": (np.matmul, [(2, 3, 4), (4, 2)]),
    "matrix and vector": (lambda x, y: x @ y, [(3, 3), (3,)]),
    "vector and matrix": (lambda x, y: x @ y, [(3,), (3, 3)]),
    "dot": (np.dot, [(3, 3), (3, 3)]),
    "dot of more axes": (np.dot, [(2, 3), (4, 3, 2)]),
    "inner": (np.inner, [(3, 3), (3, 3)]),
    "inner of more axes": (np.inner, [(2, 3), (4, 2, 3)]),
    "vdot": (np.vdot, [(3,), (3,)]),
    "linalg.matmul": (np.linalg.matmul, [(3, 3), (3, 3)]),
    "linalg.matmul, vector first": (np.linalg.matmul, [(3,), (3, 3)]),
    "linalg.matmul, vector last": (np.linalg.matmul, [(3, 3), (3,)]),
    "linalg.vecdot": (np.linalg.vecdot, [(3, 3), (3, 3)]),
    "tensordot": (lambda x, y: np.tensordot(x, y, 1), [(3, 3), (3, 3)]),
    "tensordot of two axes": (np.tensordot, [(2, 3, 4), (3, 4)]),
    "tensordot of more axes": (lambda x, y: np.tensordot(x, y, 1), [(2, 3), (3, 2, 2)]),
    "tensordot, axes named": (
        lambda x, y: np.tensordot(x, y, axes=([0, 1], [1, 0])),
        [(3, 4, 2), (4, 3, 2)],
    ),
    "outer": (np.outer, [(3,), (3,)]),
    "multiply.outer": (np.multiply.outer, [(3,), (3,)]),
    "einsum": (lambda x, y: np.einsum("ij,kj->ki", x, y), [(3, 3), (3, 3)]),
    "einsum of three": (
        lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z),
        [(3, 3), (3, 3), (3, 3)],
    ),
    "einsum with dots": (lambda x, y: np.einsum("...ij,j", x, y), [(2, 3, 3), (3,)]),
}


if hasattr(np, "matvec"):  # since NumPy 2.2
    CALLS["matvec"] = (np.matvec, [(2, 3, 3), (3,)])
    CALLS["vecmat"] = (np.vecmat, [(2, 3), (3, 3)])


@pytest.mark.parametrize("name", CALLS)
def test_loops_are_those_numpy_ran(name):
    call, shapes = CALLS[name]
    plain = arrays(*shapes)
    trace = Trace(record=True)
    for _ in range(2):  # the second call takes the shortcut
        call(*(trace.array(x) for x in plain))
    for event in trace.events:
        reads = [
            part for pair in zip(plain, map(list, event.axes[:-1]), strict=True) for part in pair
        ]
        kept = list(event.axes[-1])
        assert len(set(kept)) == len(kept)
        dropped = [
            loop
            for loop, extent in zip(kept, event.writes[0].shape, strict=True)
            if extent > 1 or "kept" not in name
        ]
        found = np.einsum(*reads, dropped)
        np.testing.assert_array_equal(found.ravel(), np.ravel(call(*plain)))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.cumsum(x, axis=0),
        lambda x: np.median(x, axis=0),
        lambda x: np.linalg.inv(x),
        lambda x: np.dot(x, 3.0),
    ],
)
def test_loops_of_what_is_no_fold_or_product_are_not_said(call):
    trace = Trace(record=True)
    call(trace.array(np.eye(3)))
    assert [event.axes for event in trace.events] == [()]


def test_a_mask_runs_with_the_axes_that_it_has():
    trace = Trace(record=True)
    x, mask = trace.array(np.ones((2, 3))), trace.array(np.array([True, False, True]))
    np.add.reduce(x, axis=0, where=mask)
    assert [event.axes for event in trace.events] == [((0, 1), (1,), (1,))]
