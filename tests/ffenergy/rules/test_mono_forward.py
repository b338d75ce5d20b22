"""Mono-Forward: gradients, locality, prediction, bytes by hand, and a price for every step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ffenergy.costs.measuring import random_dataset
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import run_kinds
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.settings import Settings
from ffenergy.training import train
from instrumented import Trace, Untraced

TINY = Settings.from_preset("quick").replace(layer_sizes=(6, 5, 4), batch_size=4, dtype="float64")
SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,10,8", n_epochs=3, softmax_epochs=1, batch_size=100
)
DATA = random_dataset(SETTINGS, 250)
DATA = dataclasses.replace(
    DATA, test_images=DATA.train_images[:50], test_labels=DATA.train_labels[:50]
)
INDEX = np.array([8, 0, 3, 5])


def network(settings=TINY):
    rng = np.random.default_rng(3)
    images = rng.random((9, 6)).astype(settings.dtype)
    labels = rng.integers(0, 10, 9)
    targets = np.eye(10, dtype=settings.dtype)[labels]
    return MonoForward(Untraced(), settings, images, targets, labels, np.random.default_rng(0))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_gradients_of_weights_and_projections(weight_decay, assert_is_gradient):
    mono = network(TINY.replace(weight_decay=weight_decay))
    for layer in mono.layers:
        layer.bias[:] = np.random.default_rng(7).normal(size=layer.width)  # off the kink of ReLU
    found = []
    for part in (*mono.layers, *mono.projections):
        part.update = lambda rate, part=part: found.append((part, part.gradient.copy()))
    mono.step(INDEX, 0.0)
    assert len(found) == 4
    for part, gradient in found:
        k = next(
            k
            for k, pair in enumerate(zip(mono.layers, mono.projections, strict=True))
            if part in pair
        )
        layer, projection = mono.layers[k], mono.projections[k]

        def loss(k=k, layer=layer, projection=projection):
            x = mono.images[INDEX]
            for below in mono.layers[:k]:
                x = np.maximum(x @ below.weights + below.bias, 0)
            scores = np.maximum(x @ layer.weights + layer.bias, 0) @ projection.weights
            fit = np.log(np.exp(scores).sum(axis=1)) - (scores * mono.targets[INDEX]).sum(axis=1)
            decayed = np.sum(layer.weights**2) + np.sum(projection.weights**2)
            return fit.mean() + weight_decay / 2 * decayed

        assert_is_gradient(gradient, loss, part.values)


def test_no_layer_hears_of_those_above_it():
    """The first layer learns the same whatever stands on it."""
    one, other = network(), network()
    other.layers[1].values *= 3
    other.projections[1].values *= -2
    for mono in (one, other):
        for _ in range(3):
            mono.step(INDEX, 1e-2)
    np.testing.assert_array_equal(one.layers[0].values, other.layers[0].values)
    np.testing.assert_array_equal(one.projections[0].values, other.projections[0].values)
    assert not np.array_equal(one.layers[1].values, other.layers[1].values)


def test_the_last_layer_answers():
    mono = network()
    h = mono.images
    for layer in mono.layers:
        h = np.maximum(h @ layer.weights + layer.bias, 0)
    expected = h @ mono.projections[-1].plain.reshape(4, 10)
    np.testing.assert_allclose(mono.scores(mono.images), expected, rtol=1e-12)
    mono.step(INDEX, 0.0)
    right = np.sum(expected[INDEX].argmax(axis=1) == mono.labels[INDEX])
    losses, counted = mono.read_meters()
    assert counted == right
    fit = np.log(np.exp(expected[INDEX]).sum(axis=1)) - expected[INDEX, mono.labels[INDEX]]
    assert losses[-1] == pytest.approx(fit.sum())


def test_bytes_of_a_step_by_hand():
    """A 3-2-2 net, batch 2, float32."""
    settings = SETTINGS.replace(layer_sizes=(3, 2, 2), batch_size=2)
    trace = Trace(strict=True)
    rng = np.random.default_rng(0)
    images = trace.array(rng.random((5, 3), np.float32))
    targets, labels = trace.array(np.eye(10, dtype=np.float32)[:5]), trace.array(np.arange(5))
    mono = MonoForward(trace, settings, images, targets, labels, rng)
    mono.step(trace.array(np.array([4, 1])), 0.1)
    frame = trace.to_frame().groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
    found = {k: tuple(row) for k, row in zip(frame.index, frame.to_numpy().tolist(), strict=True)}
    # h is 2*2*4 = 16 bytes, scores and targets 2*10*4 = 80, M 2*10*4 = 80
    goodness = (
        (16 + 80)  # h @ M
        + 80 + (80 + 8) + (80 + 80)  # largest of each row, scores - largest, vecdot with targets
        + 80 + 80 + 8 + (8 + 8)  # exp, its sum, log, - right
        + (80 + 8) + (80 + 80) + 80,  # / total, - targets, / rows
        80 + 8 + 80 + 8 + 80 + 8 + 8 + 8 + 80 + 80 + 80,
    )  # fmt: skip
    # error (80) @ M.T (80); h > 0 (4 bools); delta *= that
    backward = (80 + 80 + 16 + (16 + 4), 16 + 4 + 16)
    # Adam reads 15 and writes 10 times the bytes of the parameters: (fan_in + 1) * 2 * 4, and M
    assert found == {
        # images 24, targets 80, labels 16, each through the 16 bytes of the index
        ("input", "forward"): (24 + 16 + 80 + 16 + 16 + 16, 24 + 80 + 16),
        # x @ W, + b, ReLU
        ("layer1", "forward"): (24 + 24 + 16 + 8 + 16, 16 + 16 + 16),
        ("layer1", "goodness"): goodness,
        ("layer1", "evaluate"): (8 + 8, 8),  # losses += loss
        ("layer1", "backward"): backward,
        # x.T @ delta, sum of delta; h.T @ error
        ("layer1", "gradient"): (24 + 16 + 16 + (16 + 80), 24 + 8 + 80),
        ("layer1", "optimizer"): (15 * (32 + 80), 10 * (32 + 80)),
        ("layer2", "forward"): (16 + 16 + 16 + 8 + 16, 16 + 16 + 16),
        ("layer2", "goodness"): goodness,
        # besides: argmax to int64; == labels; right += 2 bools
        ("layer2", "evaluate"): (8 + 8 + 80 + (16 + 16) + (8 + 2), 8 + 16 + 2 + 8),
        ("layer2", "backward"): backward,
        ("layer2", "gradient"): (16 + 16 + 16 + (16 + 80), 16 + 8 + 80),
        ("layer2", "optimizer"): (15 * (24 + 80), 10 * (24 + 80)),
    }


@pytest.mark.slow
def test_every_step_of_a_run_is_priced():
    result = train("mono-forward", SETTINGS, DATA)
    warned = []
    results = {"mono-forward": {"signatures": result.signatures}}
    kinds = run_kinds(results, Workload(SETTINGS, 250, 50), warned.append)
    assert not warned
    assert sum(kind.steps for kind in kinds) == sum(int(s["steps"]) for s in result.signatures)
    assert (result.steps, result.samples) == (3 * 3, 3 * 250)
    assert set(result.weights) == {f"layer{k}/{part}" for k in (1, 2, 3) for part in "WbM"}


def test_locally_connected_layers_have_projections_too():
    settings = SETTINGS.replace(layer_sizes="64,32,12", local_fields="4x4/4x8,2x2/1x12")
    data = random_dataset(settings, 200)
    data = dataclasses.replace(data, test_images=data.train_images, test_labels=data.train_labels)
    result = train("mono-forward", settings, data)
    assert result.weights["layer1/M"].shape == (32, 10)
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
