"""A training step of a tiny locally connected net, batch 2, float32: byte counts by hand.

3x3 pixels; layer 1 has a 2x2 grid of 2x2 fields with 2 channels, layer 2 one field of that grid
with 3 channels. Weights: layer 1 4 locations * 4 inputs * 2 = 32 (128 bytes) and 8 biases (32
bytes); layer 2 1 * 8 * 3 = 24 (96 bytes) and 3 biases (12 bytes).
"""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Trace, analyse, analyse_live

SETTINGS = Settings.from_preset("paper-local").replace(
    layer_sizes=(9, 8, 3), local_fields="2x2/1x2,2x2/1x3", batch_size=2,
    negative_pairs="shared", peer_strength=0.0,
)  # fmt: skip
LAYERS = ("layer1", "layer2")


def forward_forward(trace):
    images = trace.array(np.random.default_rng(0).random((5, 9), np.float32))
    return ForwardForward(
        trace, SETTINGS, images, np.random.default_rng(0), np.random.default_rng(1)
    )


def backprop(trace):
    images = trace.array(np.random.default_rng(0).random((5, 9), np.float32))
    targets = trace.array(np.eye(10, dtype=np.float32)[:5])
    labels = trace.array(np.arange(5))
    return Backprop(trace, SETTINGS, images, targets, labels, np.random.default_rng(0))


def train(make, steps, *, record=False):
    trace = Trace(strict=True, record=record)
    network = make(trace)
    for _ in range(steps):
        network.step(trace.array(np.array([4, 1])), 0.1)
    return trace


def counts(trace, phases):
    frame = trace.to_frame().groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
    rows = zip(frame.index, frame.to_numpy().tolist(), strict=True)
    return {key: tuple(row) for key, row in rows if key[0] in LAYERS and key[1] in phases}


def test_forward_forward():
    # 2 real and 2 hybrid cases: 4 rows; pixels 4*9*4 = 144 bytes, h 4*8*4 = 128 and 4*3*4 = 48
    found = counts(train(forward_forward, 1), ("normalize", "forward", "gradient", "optimizer"))
    scales = 16 + 16 + 16  # sqrt, + epsilon, length / scale of 4 rows
    assert found == {
        # vecdot(x, x); then each of 4 fields (4 rows * 4 pixels * 4 bytes) times the scales
        ("layer1", "normalize"): ((144 + 144) + scales + 4 * (64 + 16), 4 * 16 + 4 * 64),
        # 4 fields of 64 @ W, + b, relu
        ("layer1", "forward"): ((256 + 128) + (128 + 32) + 128, 3 * 128),
        # h * coefficient; fields.T @ delta; sum of delta
        ("layer1", "gradient"): ((128 + 16) + (256 + 128) + 128, 128 + 128 + 32),
        ("layer1", "optimizer"): (15 * 160, 10 * 160),
        # one field: all of layer 1
        ("layer2", "normalize"): ((128 + 128) + scales + (128 + 16), 4 * 16 + 128),
        ("layer2", "forward"): ((128 + 96) + (48 + 12) + 48, 3 * 48),
        ("layer2", "gradient"): ((48 + 16) + (128 + 48) + 48, 48 + 96 + 12),
        ("layer2", "optimizer"): (15 * 108, 10 * 108),
    }


def test_backprop():
    # 2 rows: h 2*8*4 = 64 and 2*3*4 = 24 bytes
    found = counts(train(backprop, 1), ("forward", "backward", "gradient"))
    assert found == {
        # gather 4 fields of 2 rows * 4 pixels * 4 bytes; @ W, + b, relu
        ("layer1", "forward"): (4 * 32 + (128 + 128) + (64 + 32) + 64, 4 * 32 + 3 * 64),
        ("layer2", "forward"): (64 + (64 + 96) + (24 + 12) + 24, 64 + 3 * 24),
        # h > 0 (6 bools), delta *= that; delta @ W.T; zeros; the field added to them
        ("layer2", "backward"): (24 + (24 + 6) + (24 + 96) + (64 + 64), 6 + 24 + 64 + 64 + 64),
        ("layer1", "backward"): (64 + (64 + 16), 16 + 64),
        ("layer2", "gradient"): ((64 + 24) + 24, 96 + 12),
        ("layer1", "gradient"): ((128 + 64) + 64, 128 + 32),
    }


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("make", [forward_forward, backprop])
def test_a_step_is_analysed_at_both_grains(make, fused):
    trace = train(make, 3, record=True)
    coarse, fine = (
        analyse(trace.events, trace.buffers, grain=grain, atom=2, fused=fused)
        for grain in ("operation", "tile")
    )
    assert fine.traffic["flops"].sum() == coarse.traffic["flops"].sum()
    assert fine.reads["bytes_read"].sum() > coarse.reads["bytes_read"].sum()
    assert fine.instructions > coarse.instructions
    assert analyse_live(trace.events, trace.buffers, fused=fused).peak_bytes > 0
