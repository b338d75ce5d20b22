"""Fused products at tile grain: the epilogue costs nothing, the source is seen through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instrumented import Trace
from instrumented.analysis.step import analyse, analyse_live
from instrumented.lowering.fusion_scopes import NO_SCOPE, scope_instances


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


@pytest.mark.parametrize(
    ("program", "read", "written"),
    [
        # 8x8x8 in tiles of 4: 64 elements of both operands twice, of C once more and twice written
        (lambda x, w, b: x @ w, 128 + 128 + 64, 128),
        (lambda x, w, b: (x * 2.0).T @ w, 128 + 128 + 64, 128),
        (lambda x, w, b: ((x.T * 2.0).T * 3.0) @ w, 128 + 128 + 64, 128),
        # one tile is both operands in two of eight instructions, in four where one is turned
        (lambda x, w, b: w @ w, 128 + 128 - 2 * 16 + 64, 128),
        (lambda x, w, b: w @ w.T, 128 + 128 - 4 * 16 + 64, 128),
        # what is no work on matching elements is not seen through, and costs nothing: of a
        # product its own C, and w comes back once more; of a running sum x; x is what stays
        (lambda x, w, b: (x @ w) @ w, 320 + 64 + 64, 192),
        (lambda x, w, b: np.cumsum(x, axis=0) @ w, 64 + 128 + 64, 128),
        (lambda x, w, b: np.multiply(x, 2.0, out=x) @ w, 64 + 128 + 64, 64 + 128),
        # a repeated row is read once, and is not what the operand is made from
        (lambda x, w, b: (np.broadcast_to(b, (8, 8)) * x) @ w, 8 + 128 + 128 + 64, 128),
    ],
)
def test_a_fused_product_comes_back_to_what_its_operands_are_made_from(
    program: Callable[[Any, Any, Any], Any], read: int, written: int
) -> None:
    trace = Trace(record=True)
    x, w, b = (trace.array(np.ones(shape, np.float32)) for shape in ((8, 8), (8, 8), (8,)))
    for _ in range(3):
        with trace.step("s"):
            with trace.fuse("scope"):
                h = program(x, w, b)
            trace.escape(h)
    moved = analyse(trace, grain="tile", atom=4, fused=True).traffic
    moved = moved[moved["operation"] == "scope"]
    assert moved[["bytes_read", "bytes_written"]].sum().tolist() == [4 * read, 4 * written]


def test_the_last_byte_of_a_partial_read_counts() -> None:
    trace = Trace(record=True)
    x = trace.array(np.ones(10, np.uint8))
    index = trace.array(np.arange(9))
    for _ in range(3):
        with trace.step("s"), trace.fuse("scope"):
            x[index].sum() + x.sum()
    # nine of ten bytes, then all of them; 72 of the index
    assert analyse(trace, fused=True).traffic["bytes_read"].sum() == 10 + 72


def test_of_nested_scopes_the_outermost_that_is_named_is_one_kernel() -> None:
    trace = Trace(record=True)
    x = trace.array(np.ones(4, np.float32))
    with trace.fuse("outer"):
        for _ in range(2):
            with trace.fuse("inner"):
                x + 1
        x + 2
    x + 3
    for names, instances in [
        (None, [0, 0, 0, NO_SCOPE]),
        (["outer"], [0, 0, 0, NO_SCOPE]),
        (["inner"], [0, 1, NO_SCOPE, NO_SCOPE]),
        (["other"], [NO_SCOPE] * 4),
    ]:
        assert scope_instances(trace.events, names).tolist() == instances
