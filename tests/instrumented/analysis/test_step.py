"""From a recorded trace to distances: hand-worked numbers, conservation, steady state."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import InstrumentError, Trace
from instrumented.analysis.fused import fused_traffic
from instrumented.analysis.step import analyse, analyse_live
from instrumented.lowering.tile import choose_tile, cut

f32 = np.float32


def network(steps, *, rows=10, inputs=24, width=40):
    """Two layers, a normalisation, a backward pass and a flat update, on little arrays."""
    rng = np.random.default_rng(0)
    trace = Trace(strict=True, record=True)
    images = trace.array(rng.random((50, inputs), f32), role="data", name="images")
    flats = [
        trace.array(rng.random((n + 1) * width).astype(f32), role="weight", name=f"W{n}")
        for n in (inputs, width)
    ]
    ws = [f[:-width].reshape(-1, width) for f in flats]
    bs = [f[-width:] for f in flats]
    for _ in range(steps):
        with trace.step("train"), trace.scope(layer="layer1", phase="forward", makes="activation"):
            x = np.take(images, trace.made(rng.permutation(50)[:rows]), axis=0)
            with trace.fuse("normalise"):
                x = x / np.sqrt((x * x).sum(axis=1))[:, None]
            hs = [x]
            for w, b in zip(ws, bs, strict=True):
                with trace.fuse("linear"):
                    hs.append(np.maximum(hs[-1] @ w + b, 0))
            with trace.scope(phase="backward", makes="gradient"):
                delta = hs[-1]
                for k in (1, 0):
                    below = delta @ ws[k].T * (hs[k] > 0)
                    gradient = hs[k].T @ delta
                    with trace.fuse("update"):
                        flat = flats[k][: ws[k].size]
                        half = flat.size // 2 + 3
                        for part in (slice(0, half), slice(half, flat.size)):
                            step = gradient.reshape(-1)[part] * 0.1
                            flat[part] -= step
                    delta = below
    return trace


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("grain", ["operation", "tile"])
def test_three_and_thirty_steps_agree(grain, fused):
    few, many = (
        analyse(t.events, t.buffers, grain=grain, fast_memory=2048, fused=fused)
        for t in (network(3), network(30))
    )
    assert few.reads.equals(many.reads)
    assert few.writes.equals(many.writes)
    assert few.traffic.equals(many.traffic)


def test_operation_grain_moves_what_the_trace_counts():
    trace = network(3)
    analysis = analyse(trace.events, trace.buffers)
    book = trace.to_frame(by_step=True)
    book = book[book["step"] == 1]
    for column in ("bytes_read", "bytes_written", "flops"):
        assert analysis.traffic[column].sum() == book[column].sum()
    assert analysis.reads["bytes_read"].sum() == book["bytes_read"].sum()


def test_tile_grain_reads_no_less_and_computes_the_same():
    trace = network(3)
    coarse, fine = (
        analyse(trace.events, trace.buffers, grain=g, fast_memory=2048)
        for g in ("operation", "tile")
    )
    assert fine.traffic["flops"].sum() == coarse.traffic["flops"].sum()
    assert fine.traffic["bytes_read"].sum() >= coarse.traffic["bytes_read"].sum()
    assert (fine.traffic["bytes_read"] >= coarse.traffic["bytes_read"]).all()


def test_hand_worked_distances_levels_and_live_memory():
    # a (16 B, preloaded) and b = a + a (16 B), c = a + b (16 B), a <- c, every step.
    trace = Trace(strict=True, record=True)
    a = trace.array(np.ones(4, f32), role="weight")
    for _ in range(3):
        with trace.step("s"):
            b = a + a  # a on top twice: 16, 16
            c = a + b  # stack b, a: a at 32, b at 16; b dies here
            a[...] = c  # c on top: 16; a's old value died before, so the stack is c alone
    analysis = analyse(trace.events, trace.buffers)
    table = analysis.reads.groupby("distance")["bytes_read"].sum().to_dict()
    assert table == {16: 4 * 16, 32: 16}
    # misses(16) = the one read at 32; every write is next read at 16 (b, c, a of the next step)
    assert analysis.misses([15, 16, 31, 32]).tolist() == [80, 16, 16, 0]
    levels = analysis.levels([16, 64]).groupby("level")[["bytes_read", "bytes_written"]].sum()
    assert levels.loc["level1"].tolist() == [64, 48]
    assert levels.loc["level2"].tolist() == [16, 0]
    live = analyse_live(trace.events, trace.buffers)
    assert live.series["total"].tolist() == [32, 48, 32]  # a b; a b c; a c
    assert live.peak_bytes == 48
    assert live.alive["bytes"].tolist() == [16, 16, 16]


def test_fused_scope_reads_outside_once_and_writes_survivors():
    trace = Trace(strict=True, record=True)
    x = trace.array(np.ones((4, 2), f32), role="activation")
    with trace.step("s"), trace.fuse("f"):
        y = x * x + x  # eager: reads 3*32 + 32, writes 2*32
    with trace.step("s"):
        y + 1
    frame = fused_traffic(trace.events, trace.buffers, step=0)
    assert frame["operation"].unique().tolist() == ["f"]
    assert frame[["bytes_read", "bytes_written", "flops"]].sum().tolist() == [32, 32, 16]
    assert fused_traffic(trace.events, trace.buffers, scopes=(), step=0)["bytes_read"].sum() == 128


def product(n, **options):
    trace = Trace(strict=True, record=True)
    a, b = (trace.array(np.ones((n, n), f32), role="weight") for _ in range(2))
    for _ in range(3):
        with trace.step("s"):
            a @ b
    return analyse(trace.events, trace.buffers, grain="tile", **options)


def test_matmul_reads_follow_the_formula():
    # 8x8, tile 4x3x2: A once per column of tiles (3), B once per row (2), C 4 - 1 times: floats
    analysis = product(8, tile=(4, 3, 2))
    assert analysis.reads["bytes_read"].sum() == 4 * 64 * (3 + 2 + 3)
    assert analysis.writes["bytes_written"].sum() == 4 * 64 * 4


def test_matmul_stays_between_the_lower_bound_and_1_4_times_it():
    n, elements = 1024, 65536
    bound = 2 * n**3 / elements**0.5 - 2 * elements
    analysis = product(n, fast_memory=4 * elements)
    words = int(analysis.misses([4 * elements])[0]) // 4 + n * n  # C leaves once
    assert bound <= words <= 1.4 * bound


def test_tile_fits_and_cuts_are_exact():
    for shape in [(100, 2000, 784), (7, 5, 3), (1, 1000, 10)]:
        tile = choose_tile(*shape, 65536)
        assert tile.m * tile.n + tile.k * (tile.m + tile.n) <= 65536
    assert cut(10, 4) == (0, 4, 8, 10)
    assert cut(10, 4, (3, 1)) == (0, 1, 4, 7, 10)


def test_gathered_rows_come_from_the_bottom():
    trace = network(3)
    reads = analyse(trace.events, trace.buffers).reads
    gathered = reads[(reads["operation"] == "take") & (reads["role"] == "data")]
    assert gathered["bytes_read"].tolist() == [10 * 24 * 4]
    weights = 4 * 40 * (25 + 41)
    assert gathered["distance"].min() >= 50 * 24 * 4 + weights


def test_too_few_steps_and_unknown_grain_are_refused():
    trace = network(2)
    with pytest.raises(InstrumentError, match="record at least 3"):
        analyse(trace.events, trace.buffers)
    with pytest.raises(InstrumentError, match="unknown grain"):
        analyse(trace.events, trace.buffers, grain="scalar")
