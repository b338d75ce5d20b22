"""Deferred normalisation: what a step moves, by hand, and that it learns what the eager one does.

Its gradient is held against differences of the loss in ``test_gradient_checks.py``.
"""

from __future__ import annotations

import numpy as np

from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Trace, Untraced

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes=(3, 2, 2), batch_size=2, negative_pairs="shared", passes="joined"
)


def test_a_step_by_hand() -> None:
    """Layers of 3-2-2, two real and two hybrid cases: 4 rows, a factor a row is 16 bytes."""
    counts = {}
    for way in ("eager", "deferred"):
        trace = Trace(strict=True)
        images = trace.array(np.random.default_rng(0).random((5, 3), np.float32))
        streams = [np.random.default_rng(k) for k in range(2)]
        ff = ForwardForward(trace, SETTINGS.replace(normalize_as=way), images, *streams)
        ff.step(trace.array(np.array([4, 1])), 0.1)
        frame = trace.to_frame().groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
        counts[way] = dict(zip(frame.index, map(tuple, frame.to_numpy().tolist()), strict=True))
    root = 16 + 16 + 16  # sqrt, + epsilon, length / scale
    changed = {
        ("layer1", "normalize"): ((48 + 48) + root, 16 + 48),  # nobody summed the images' squares
        # x @ W; times the factor; + b; ReLU
        ("layer1", "forward"): (48 + 24 + (32 + 16) + (32 + 8) + 32, 4 * 32),
        # c @ h; c * s; h * that; x.T @ delta; the bias's part goes to its place
        ("layer1", "gradient"): (
            (16 + 32) + (16 + 16) + (32 + 16) + (48 + 32) + 8,
            8 + 16 + 32 + 24 + 8,
        ),
        ("layer2", "normalize"): (root, 48),  # the squares are the goodness of layer 1
        ("layer2", "forward"): (32 + 16 + (32 + 16) + (32 + 8) + 32, 4 * 32),
        ("layer2", "gradient"): (
            (16 + 32) + (16 + 16) + (32 + 16) + (32 + 32) + 8,
            8 + 16 + 32 + 16 + 8,
        ),
    }
    assert counts["deferred"] == counts["eager"] | changed
    # what is made where activities are normalised: x . x, the root, x * scale
    assert counts["eager"]["layer2", "normalize"] == ((32 + 32) + root + (32 + 16), 16 + 48 + 32)


def test_float32_training_differs_by_rounding_alone() -> None:
    """Twenty steps of Adam, every weight and moment; rounding is 6e-8 an operation."""
    settings = SETTINGS.replace(layer_sizes=(16, 12, 10), batch_size=10)
    images = np.random.default_rng(0).random((40, 16), np.float32)
    states = []
    for way in ("eager", "deferred"):
        streams = [np.random.default_rng(k) for k in range(2)]
        ff = ForwardForward(Untraced(), settings.replace(normalize_as=way), images, *streams)
        for step in range(20):
            ff.step(np.arange(10) + 10 * (step % 4), 1e-3)
        states.append({k: v for layer in ff.layers for k, v in layer.state().items()})
    eager, deferred = states
    assert eager.keys() == deferred.keys()
    for name, values in eager.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(deferred[name], values, atol=1e-5 * scale, rtol=0, err_msg=name)
    assert any(np.any(eager[name] != deferred[name]) for name in eager)
