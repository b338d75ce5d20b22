"""Every phase of every layer of one training step of a 3-2-2 net, batch 2, float32, by hand."""

from __future__ import annotations

import numpy as np

from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Trace

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes=(3, 2, 2), batch_size=2, negative_pairs="shared", passes="joined"
)
# Adam over n bytes of parameters, ten operations: m*=b reads n; m+=g 2n; g*=g 2n; v*=b n; v+=g 2n;
# sqrt n; t+=e n; m/t 2n; t*=r n; w-=t 2n: 15 n read, 10 n written
ADAM_READ, ADAM_WRITTEN = 15, 10


def counts(trace):
    frame = trace.to_frame().groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
    return {
        key: tuple(row) for key, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)
    }


def inputs(trace):
    rng = np.random.default_rng(0)
    images = trace.array(rng.random((5, 3), np.float32))
    targets = trace.array(np.eye(10, dtype=np.float32)[:5])
    labels = trace.array(np.arange(5))
    return images, targets, labels, trace.array(np.array([4, 1]))


def test_forward_forward():
    trace = Trace(strict=True)
    images, _, _, index = inputs(trace)
    ff = ForwardForward(trace, SETTINGS, images, np.random.default_rng(0), np.random.default_rng(1))
    ff.step(index, 0.1)
    # 2 real and 2 hybrid cases go through together: 4 rows
    norm1_read = (
        (48 + 48)  # vecdot(x, x), x of 4*3*4 = 48 bytes
        + 16 + 16 + 16  # sqrt, + epsilon, length / scale, 4 rows of 4 bytes
        + (48 + 16)  # x * scale
    )  # fmt: skip
    goodness_read = (
        (32 + 32)  # vecdot(h, h), h of 4*2*4 = 32 bytes
        + 16 + 16 + (16 + 16)  # times sharpness, + offset, times sign
        + 16 + (16 + 16) + 16  # logaddexp, deficit - loss, exp
        + (16 + 16) + 16  # times sign, times constant
    )  # fmt: skip
    evaluate_read = (16 + 16) + 16 + (16 + 4)  # losses += loss; deficit < 0; right += 4 bools
    assert counts(trace) == {
        # the batch: two rows of 12 bytes through two int64 indices
        ("input", "forward"): (24 + 16, 24),
        ("input", "negatives"): (
            6  # bits to float32: 2*1*3 bools
            + (24 + 36)  # bits @ blur rows (3x3)
            + (4 + 24)  # blur columns (1x1) @ that
            + 24  # > 0.5
            + (24 + 16)  # partner images through two indices
            + (24 + 6 + 24),  # real pixels, mask and the hybrids they are merged into
            6
            + 24
            + 24
            + 24
            + 6
            + 16
            + 24
            + 24,  # bits, float bits, 2 products, mask, index, 2 images
        ),
        ("layer1", "normalize"): (norm1_read, 4 * 16 + 48),
        # x (48) @ W (3*2*4 = 24); + b (8); relu
        ("layer1", "forward"): (48 + 24 + 32 + 8 + 32, 32 + 32 + 32),
        ("layer1", "goodness"): (goodness_read, 9 * 16),
        ("layer1", "evaluate"): (evaluate_read, 16 + 4 + 16),
        # h * coefficient; x.T @ delta; sum of delta
        ("layer1", "gradient"): (32 + 16 + 48 + 32 + 32, 32 + 24 + 8),
        # (3 + 1) * 2 parameters of 4 bytes
        ("layer1", "optimizer"): (ADAM_READ * 32, ADAM_WRITTEN * 32),
        # now x is h of layer 1: 4*2*4 = 32 bytes
        ("layer2", "normalize"): (32 + 32 + 16 + 16 + 16 + 32 + 16, 4 * 16 + 32),
        ("layer2", "forward"): (32 + 16 + 32 + 8 + 32, 32 + 32 + 32),
        ("layer2", "goodness"): (goodness_read, 9 * 16),
        ("layer2", "evaluate"): (evaluate_read, 16 + 4 + 16),
        ("layer2", "gradient"): (32 + 16 + 32 + 32 + 32, 32 + 16 + 8),
        ("layer2", "optimizer"): (ADAM_READ * 24, ADAM_WRITTEN * 24),
    }


def test_backprop():
    trace = Trace(strict=True)
    images, targets, labels, index = inputs(trace)
    bp = Backprop(trace, SETTINGS, images, targets, labels, np.random.default_rng(0))
    bp.step(index, 0.1)
    # h of both hidden layers is 2*2*4 = 16 bytes, the scores are 2*10*4 = 80
    assert counts(trace) == {
        # images 24, targets 80, labels 16, each through the 16 bytes of the index
        ("input", "forward"): (24 + 16 + 80 + 16 + 16 + 16, 24 + 80 + 16),
        ("layer1", "forward"): (24 + 24 + 16 + 8 + 16, 16 + 16 + 16),
        ("layer2", "forward"): (16 + 16 + 16 + 8 + 16, 16 + 16 + 16),
        ("head", "forward"): (16 + 80 + 80 + 40, 80 + 80),
        ("head", "goodness"): (
            80  # largest score of each row
            + (80 + 8)  # scores - largest
            + (80 + 80)  # vecdot(scores, targets)
            + 80 + 80  # exp, its sum
            + 8 + (8 + 8)  # log, - right
            + (80 + 8) + (80 + 80) + 80,  # / total, - targets, / rows
            8 + 80 + 8 + 80 + 8 + 8 + 8 + 80 + 80 + 80,
        ),
        # argmax to int64; == labels; losses += loss; right += 2 bools
        ("head", "evaluate"): (80 + 16 + 16 + 8 + 8 + 8 + 2, 16 + 2 + 8 + 8),
        ("head", "backward"): (80 + 80, 16),  # delta @ W.T
        ("head", "gradient"): (16 + 80 + 80, 80 + 40),
        ("head", "optimizer"): (ADAM_READ * 120, ADAM_WRITTEN * 120),  # (2 + 1) * 10 * 4
        # h > 0 (4 bools), delta *= that; then delta @ W.T for the layer below
        ("layer2", "backward"): (16 + 16 + 4 + 16 + 16, 4 + 16 + 16),
        ("layer2", "gradient"): (16 + 16 + 16, 16 + 8),
        ("layer2", "optimizer"): (ADAM_READ * 24, ADAM_WRITTEN * 24),
        ("layer1", "backward"): (16 + 16 + 4, 4 + 16),
        ("layer1", "gradient"): (24 + 16 + 16, 24 + 8),
        ("layer1", "optimizer"): (ADAM_READ * 32, ADAM_WRITTEN * 32),
    }  # fmt: skip
