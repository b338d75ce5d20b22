"""Batched products at tile grain, by hand: a stack of matrices is one product after another.

But ``matmul``, a stack times one matrix is one product, all rows together.
"""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace
from instrumented.analysis.step import analyse

f32 = np.float32
LOCATIONS, M, K, N = 3, 4, 6, 4


def fields(rng):
    """Fields (locations, m, k) gathered anew from a flat image, as a locally connected layer."""
    return rng.random((LOCATIONS, M, K)).astype(f32)


@pytest.mark.parametrize("strided", [False, True])
def test_every_matrix_of_a_stack_is_tiled_by_itself(strided):
    rng = np.random.default_rng(0)
    trace = Trace(strict=True, record=True)
    x, w = trace.array(fields(rng)), trace.array(rng.random((LOCATIONS, K, N)).astype(f32))
    shape = (M, LOCATIONS, N) if strided else (LOCATIONS, M, N)
    out = trace.array(np.zeros(shape, f32))
    for _ in range(3):
        with trace.step("train"):
            np.matmul(x, w, out=out.swapaxes(0, 1) if strided else out)
    found = analyse(trace.events, trace.buffers, grain="tile", atom=2)
    # per location, micro-tiles of 2x2x2: A once per column of tiles (2), B once per row of tiles
    # (2), C back at every depth but the first (2 of 3); C written at every depth
    read = M * K * 2 + K * N * 2 + M * N * 2
    assert found.reads["bytes_read"].sum() == LOCATIONS * read * 4
    assert found.writes["bytes_written"].sum() == LOCATIONS * M * N * 3 * 4
    assert found.instructions == LOCATIONS * 2 * 2 * 3
    assert found.traffic["flops"].sum() == 2 * LOCATIONS * M * N * K


def test_a_stack_costs_what_its_matrices_cost_one_after_another():
    rng = np.random.default_rng(0)
    values, weights = fields(rng), rng.random((LOCATIONS, K, N)).astype(f32)
    results = []
    for batched in (True, False):
        trace = Trace(strict=True, record=True)
        x, w = trace.array(values), trace.array(weights)
        out = trace.array(np.zeros((LOCATIONS, M, N), f32))
        for _ in range(3):
            with trace.step("train"):
                if batched:
                    np.matmul(x, w, out=out)
                else:
                    for k in range(LOCATIONS):
                        np.matmul(x[k], w[k], out=out[k])
        found = analyse(trace.events, trace.buffers, grain="tile", atom=2)
        results.append((found.reads["bytes_read"].sum(), found.total_bytedmd))
    assert results[0] == results[1]


# micro-tiles of 16: x (48×40) once per column of tiles (2), w (40×32) once per row of them (3; of a
# stack two times all 8), h back at two depths of three; eager, h and b come for the sum, h for the
# maximum, b in every row of tiles; fused, b comes once
READ = 48 * 40 * 2 + 40 * 32 * 3 + 48 * 32 * 2


@pytest.mark.parametrize(
    ("fused", "read"), [(False, READ + 48 * 32 * 2 + 32 * 3), (True, READ + 32)]
)
def test_a_stack_times_one_matrix_costs_what_all_its_rows_cost(fused, read):
    results = []
    for shape in ((6, 8, 40), (48, 40)):
        trace = Trace(strict=True, record=True)
        x = trace.array(np.ones(shape, f32), role="activation")
        w, b = (trace.array(np.ones(one, f32), role="weight") for one in ((40, 32), (32,)))
        for _ in range(3):
            with trace.step("train"), trace.fuse("scope"):
                h = np.dot(x, w)
                h += b
                np.maximum(h, 0, out=h)
        found = analyse(trace.events, trace.buffers, grain="tile", fused=fused)
        assert found.reads["bytes_read"].sum() == 4 * read
        results.append(found.total_bytedmd)
    assert results[0] == results[1]
