"""Rules that differ from Forward-Forward in one thing: how gradients travel, or what teaches."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.network.head import one_hot
from ffenergy.rules.hybrid_backprop import HybridBackprop
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.label_forward import LabelForwardForward
from ffenergy.settings import Settings
from instrumented import Trace, Untraced

ROWS = 4


def settings(**overrides):
    return Settings.from_preset("quick").replace(
        **{"layer_sizes": (6, 8, 7, 5), "batch_size": ROWS, "dtype": "float64", **overrides}
    )


@pytest.mark.parametrize("normalization", ["unit_length", "mean_square"])
@pytest.mark.parametrize("passes", ["joined", "separate"])
@pytest.mark.parametrize("hybrid_loss", ["all", "top"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_gradients_pass_through_every_layer(
    normalization, passes, hybrid_loss, weight_decay, capture, assert_is_gradient
):
    chosen = settings(
        normalization=normalization, passes=passes, hybrid_loss=hybrid_loss,
        weight_decay=weight_decay, temperature=0.7, threshold=0.4, init="sqrt2",
    )  # fmt: skip
    images = np.random.default_rng(3).random((9, 6))
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    network = HybridBackprop(Untraced(), chosen, images, *rngs)
    found = capture(network.layers)
    network.step(np.array([8, 0, 3, 5]), 0.0)

    def loss():
        total = 0.0
        for cases in network.room(ROWS).passes:
            h = cases.inputs
            for k, layer in enumerate(network.layers):
                x = h * (network.lengths[k] / (np.linalg.norm(h, axis=1, keepdims=True) + 1e-8))
                h = np.maximum(x @ layer.weights + layer.bias, 0)
                if hybrid_loss == "all" or k == 2:
                    logit = (np.sum(h**2, axis=1) - 0.4 * layer.width) / 0.7
                    total += np.sum(np.log1p(np.exp(-cases.signs * logit)))
        decays = sum(np.sum(layer.weights**2) for layer in network.layers)
        return total / (2 * ROWS) + weight_decay / 2 * decays

    for layer in network.layers:
        assert_is_gradient(found[layer.name], loss, layer.values, atol=1e-7)


def test_the_top_layer_learns_as_in_forward_forward():
    """Its gradient knows no layer above: with one layer alone the two rules are one."""
    from ffenergy.rules.forward_forward import ForwardForward

    chosen = settings(layer_sizes=(6, 5), peer_strength=0.1)
    images = np.random.default_rng(3).random((9, 6))
    states = []
    for kind in (ForwardForward, HybridBackprop):
        network = kind(
            Untraced(), chosen, images, np.random.default_rng(0), np.random.default_rng(1)
        )
        for _ in range(3):
            network.step(np.array([8, 0, 3, 5]), 0.1)
        states.append([layer.state() for layer in network.layers] + [network.means()])
    for one, other in zip(*states, strict=True):
        np.testing.assert_equal(one, other)


def counts(trace):
    frame = trace.to_frame().groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
    return {
        key: tuple(row) for key, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)
    }


def test_bytes_of_the_way_back_by_hand():
    trace = Trace(strict=True)
    chosen = settings(layer_sizes=(3, 2, 2), batch_size=2, dtype="float32")
    images = trace.array(np.random.default_rng(0).random((5, 3), np.float32))
    rngs = np.random.default_rng(0), np.random.default_rng(1)
    network = HybridBackprop(trace, chosen, images, *rngs)
    network.step(trace.array(np.array([4, 1])), 0.1)
    found = counts(trace)
    # 2 real and 2 hybrid cases: h of both layers, and what is passed back, are 4*2*4 = 32 bytes
    assert found["layer2", "backward"] == (
        (32 + 16)  # delta @ W.T, W of 2*2*4 bytes
        + (32 + 32) + (16 + 16) + (16 + 16) + 16  # vecdot(passed, h); twice times scale; constant
        + (32 + 16) + (32 + 32) + (32 + 16),  # h * along; passed += that; passed *= scale
        32 + 16 + 16 + 16 + 16 + 32 + 32 + 32,
    )  # fmt: skip
    # h > 0 into 8 bools; passed *= those; layer 1's own delta += what was passed to it
    assert found["layer1", "backward"] == (32 + (32 + 8) + (32 + 32), 8 + 32 + 32)
    assert "goodness" in {phase for layer, phase in found if layer == "layer1"}


def label_host(trace, chosen, count=9):
    rng = np.random.default_rng(3)
    pixels = rng.random((count, chosen.layer_sizes[0])).astype(chosen.dtype)
    labels = rng.integers(0, 10, count)
    examples = [Examples(trace, which, pixels, labels) for which in ("train", "test")]
    return Host(chosen, trace, *examples), labels


def test_a_negative_is_its_positive_with_a_wrong_label():
    chosen = settings(layer_sizes=(16, 5, 4))
    host, labels = label_host(Untraced(), chosen)
    network = LabelForwardForward(host)
    index = np.array([8, 0, 3, 5])
    seen = set()
    for _ in range(200):
        batch = network.room(ROWS)
        network.present(index, batch)
        np.testing.assert_array_equal(batch.positives[:, :10], one_hot(labels[index], "float64"))
        np.testing.assert_array_equal(batch.positives[:, 10:], host.train.images[index][:, 10:])
        np.testing.assert_array_equal(batch.negatives[:, 10:], batch.positives[:, 10:])
        wrong = batch.negatives[:, :10].argmax(axis=1)
        np.testing.assert_array_equal(batch.negatives[:, :10].sum(axis=1), 1)
        assert not np.any(wrong == labels[index])
        seen |= set(wrong[:1].tolist())
    assert len(seen) == 9  # every wrong label is drawn


def test_goodness_answers_with_the_label_that_fits_best():
    chosen = settings(layer_sizes=(16, 5, 4, 3))
    host, _ = label_host(Untraced(), chosen)
    network = LabelForwardForward(host)
    expected = np.zeros((9, 10))
    for label in range(10):
        h = host.test.images.copy()
        h[:, :10] = np.eye(10)[label]
        for k, layer in enumerate(network.layers):
            x = h * (network.lengths[k] / (np.linalg.norm(h, axis=1, keepdims=True) + 1e-8))
            h = np.maximum(x @ layer.weights + layer.bias, 0)
            expected[:, label] += np.sum(h**2, axis=1) * (k > 0)
    np.testing.assert_allclose(network.scores(host.test.images), expected, rtol=1e-12)


def test_bytes_of_labels_by_hand():
    trace = Trace(strict=True)
    host, _ = label_host(trace, settings(layer_sizes=(12, 2), batch_size=2, dtype="float32"))
    network = LabelForwardForward(host)
    with trace.step("present"):
        network.present(trace.array(np.array([4, 1])), network.room(2))
    assert counts(trace) == {
        # two images of 48 bytes and two targets of 40 through two int64 indices; targets stored
        ("input", "forward"): ((96 + 16) + (80 + 16) + 80, 96 + 80 + 80),
        # images copied; labels through the index, added to the draw, mod 10; one-hot rows; stored
        ("input", "negatives"): (
            96 + (16 + 16) + (16 + 16) + 16 + (80 + 16) + 80,
            96 + 16 + 16 + 16 + 16 + 80 + 80,
        ),
    }


def test_the_label_is_worth_something(tmp_path):
    """On images that say nothing, labels in the input are all there is to tell right from wrong."""
    chosen = settings(layer_sizes=(16, 32, 32), batch_size=32, lr=0.01)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 256)
    pixels = np.zeros((256, 16))
    pixels[np.arange(256), 10 + labels] = 1.0
    examples = [Examples(Untraced(), which, pixels, labels) for which in ("train", "test")]
    host = Host(chosen, Untraced(), *examples)
    network = LabelForwardForward(host)
    for _ in range(300):
        network.step(rng.integers(0, 256, 32), 0.01)
    assert np.mean(network.scores(host.test.images).argmax(axis=1) == labels) > 0.95
