"""Fused products at tile grain: the epilogue costs nothing, the source is seen through."""

from __future__ import annotations

import numpy as np

from instrumented import Trace
from instrumented.analysis.step import analyse, analyse_live


def linear(*, fold):
    trace = Trace(strict=True, record=True)
    x = trace.array(np.ones((8, 8), np.float32), role="activation")
    w = trace.array(np.ones((8, 8), np.float32), role="weight")
    b = trace.array(np.ones(8, np.float32), role="weight")
    for _ in range(3):
        with trace.step("s"):
            with trace.fuse("linear"):
                inputs = x * 2.0 if fold else x
                h = np.maximum(inputs @ w + b, 0)
            trace.escape(h)
    return trace


def test_fused_product_keeps_tile_reuse_and_drops_the_epilogue():
    # tile 4x4x4 on 8x8x8: x and w twice each, C once more (2 depths), b once; h read by escape
    trace = linear(fold=False)
    analysis = analyse(trace.events, trace.buffers, grain="tile", atom=4, fused=True)
    fused = analysis.traffic[analysis.traffic["operation"] == "linear"]
    assert fused["bytes_read"].sum() == 4 * (64 * 2 + 64 * 2 + 64 + 8)
    assert fused["bytes_written"].sum() == 4 * (64 + 64)  # C after the first depth, then h
    assert fused["flops"].sum() == 2 * 512 + 64 + 64


def test_operand_made_in_the_scope_is_read_from_its_source():
    folded, plain = (
        analyse(t.events, t.buffers, grain="tile", atom=4, fused=True).traffic
        for t in (linear(fold=True), linear(fold=False))
    )
    assert folded["bytes_read"].sum() == plain["bytes_read"].sum()
    assert folded["bytes_written"].sum() == plain["bytes_written"].sum()


def test_fusion_shortens_live_memory():
    trace = linear(fold=True)
    eager, fused = (
        analyse_live(trace.events, trace.buffers, fused=fused) for fused in (False, True)
    )
    # x (256 B), w and b (288 B) always; eager: two temporaries of 256 B at once; fused: h alone
    assert eager.peak_bytes == 256 + 288 + 2 * 256
    assert fused.peak_bytes == 256 + 288 + 256
