"""From a recorded trace to distances: hand-worked numbers, conservation, steady state."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import InstrumentError, Trace
from instrumented.analysis.step import analyse, analyse_live, analyse_tuned

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


def test_partial_reads_count_as_their_union():
    # 2 of 400 elements gathered (8 bytes, and 16 of the index), then all of them: each byte once
    trace = Trace(record=True)
    x = trace.array(np.ones(400, f32), role="activation")
    for _ in range(3):
        with trace.step("s"), trace.fuse("scope"):
            index = trace.array(np.array([3, 5]), role="data")
            trace.escape(x[index])
            trace.escape(x.sum())
    frame = analyse(trace.events, trace.buffers, fused=True).traffic
    assert frame["bytes_read"].sum() == 1600 + 16


def test_a_dead_preloaded_buffer_is_not_alive():
    trace = Trace(record=True)
    old, w = (trace.array(np.ones(n, f32), role="weight") for n in (100, 4))
    for number in range(5):
        with trace.step("s"):
            w += old[:4] if number == 0 else 1.0
    assert analyse_live(trace.events, trace.buffers).peak_bytes == 16
    assert analyse_live(trace.events, trace.buffers, step=0).peak_bytes == 416


@pytest.mark.parametrize("role", ["weight", "optimizer_state"])
def test_a_preloaded_buffer_that_no_operation_uses_may_be_needed_later(role):
    trace = Trace(record=True)
    trace.array(np.ones(100, f32), role=role)  # 400 bytes
    w = trace.array(np.ones(4, f32), role="weight")
    for _ in range(5):
        with trace.step("s"):
            w += 1.0
    assert analyse_live(trace).peak_bytes == 416


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("grain", ["operation", "tile"])
def test_five_and_thirty_steps_agree(grain, fused):
    few, many = (
        analyse(t.events, t.buffers, grain=grain, atom=4, fused=fused)
        for t in (network(5), network(30))
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
        analyse(trace.events, trace.buffers, grain=g, atom=4) for g in ("operation", "tile")
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
    # misses(16) = the one read at 32; b and c are read at 16, but the farthest
    # read of a, in the next step, is the one at 32: it goes out of a memory of 16 bytes
    assert analysis.misses([15, 16, 31, 32]).tolist() == [80, 16, 16, 0]
    levels = analysis.levels([16, 64]).groupby("level")[["bytes_read", "bytes_written"]].sum()
    assert levels.loc["level1"].tolist() == [64, 32]
    assert levels.loc["level2"].tolist() == [16, 16]
    live = analyse_live(trace.events, trace.buffers)
    assert live.series["total"].tolist() == [32, 48, 32]  # a b; a b c; a c
    assert live.peak_bytes == 48
    assert live.alive["bytes"].tolist() == [16, 16, 16]


def test_what_dead_values_pushed_down_is_near_again():
    # x of 16 bytes is read on top; t lies over it (32), is read at 16 and dies; s of 4 takes its
    # place, so x is read at 20 and s at 4. A memory of 20 bytes that holds t has 4 of x: 12 miss.
    trace = Trace(record=True)
    x = trace.array(np.ones(4, f32), role="weight")
    for _ in range(3):
        with trace.step("s"):
            t = x * 2
            x *= t.sum()
    assert analyse(trace).misses([19, 20]).tolist() == [16, 0]
    assert analyse_live(trace).peak_bytes == 16 + 16 + 4
    managed = analyse(trace, grain="tile", memory="managed", capacities=[20])
    assert managed.least is not None
    assert managed.least["bytes_read"].tolist() == [12]


def test_fused_scope_reads_outside_once_and_writes_survivors():
    trace = Trace(strict=True, record=True)
    x = trace.array(np.ones((4, 2), f32), role="activation")
    for _ in range(3):
        with trace.step("s"):
            with trace.fuse("f"):
                y = x * x + x  # eager: reads 3*32 + 32, writes 2*32
            y + 1  # 32 bytes read
    eager, fused = (analyse(trace.events, trace.buffers, fused=is_fused) for is_fused in (0, 1))
    frame = fused.traffic[fused.traffic["operation"] == "f"]
    assert frame[["bytes_read", "bytes_written", "flops"]].sum().tolist() == [32, 32, 16]
    assert eager.traffic["bytes_read"].sum() == 128 + 32


def product(n, **options):
    trace = Trace(strict=True, record=True)
    a, b = (trace.array(np.ones((n, n), f32), role="weight") for _ in range(2))
    for _ in range(3):
        with trace.step("s"):
            a @ b
    return analyse(trace.events, trace.buffers, grain="tile", **options)


def test_matmul_reads_follow_the_formula():
    # 8x8 in micro-tiles of 4: A once per column of tiles (2), B once per row (2), C 2 - 1 times
    analysis = product(8, atom=4)
    assert analysis.reads["bytes_read"].sum() == 4 * 64 * (2 + 2 + 1)
    assert analysis.writes["bytes_written"].sum() == 4 * 64 * 2


def test_the_folded_axis_of_a_square_array_is_known():
    # x.sum(axis=0) in blocks of 2x2: a row of blocks at a time, so each partial sum comes back
    # after three others (16 + 8 bytes each); x.sum(axis=1) has its partial sum at hand
    far = {}
    for axis in (0, 1):
        trace = Trace(record=True)
        x = trace.array(np.ones((8, 8), f32), role="weight")
        for _ in range(3):
            with trace.step("s"):
                x.sum(axis=axis)
        reads = analyse(trace.events, trace.buffers, grain="tile", atom=2).reads
        partial = reads[reads["role"] == "temporary"]
        assert partial["bytes_read"].sum() == 3 * 8 * 4  # four visits, the first reads none
        far[axis] = partial["distance"].max()
    assert far == {0: 3 * (16 + 8) + 8, 1: 8}


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


@pytest.mark.parametrize("atom", [0, -1, 2.5])
def test_an_instruction_of_no_multiply_add_is_refused(atom):
    with pytest.raises(InstrumentError, match=f"atom={atom}"):
        analyse(network(3), grain="tile", atom=atom)


@pytest.mark.parametrize(
    "call",
    [
        lambda trace, scopes: analyse(trace, fused=True, scopes=scopes),
        lambda trace, scopes: analyse(trace, scopes=scopes),  # though none is asked for
        lambda trace, scopes: analyse_live(trace, fused=True, scopes=scopes),
        lambda trace, scopes: analyse_tuned(trace, capacities=[64], fused=True, scopes=scopes),
    ],
)
def test_a_fusion_scope_that_was_not_recorded_is_refused(call):
    trace = Trace(record=True)
    x = trace.array(np.ones((4, 4)))
    for _ in range(5):
        with trace.step("train"), trace.fuse("kernel"):
            x @ x
    call(trace, ["kernel"])
    with pytest.raises(InstrumentError, match="named 'kernle'; recorded are kernel"):
        call(trace, ["kernel", "kernle"])


@pytest.mark.parametrize(
    ("capacities", "message"),
    [
        (["1MiB"], "level capacity '1MiB'; give whole numbers of bytes"),
        ([0.5], "level capacity 0.5"),
        ([-1], "do not rise"),
        ([16, 16], "do not rise"),
    ],
)
def test_levels_that_are_no_bytes_are_refused(capacities, message):
    trace = Trace(record=True)
    trace.array(np.ones(4, np.float32)) + 1
    with pytest.raises(InstrumentError, match=message):
        analyse(trace).levels(capacities)
