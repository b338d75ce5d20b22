"""Batched products at tile grain, by hand: a stack of matrices is one product after another."""

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
