"""Gradients written by hand against central differences of the loss, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.kit.head_stage import SoftmaxHead
from ffenergy.settings import Settings
from instrumented import Untraced

ROWS = 4


def settings(**overrides):
    return Settings.from_preset("quick").replace(
        layer_sizes=(6, 5, 4), batch_size=ROWS, dtype="float64", **overrides
    )


def data():
    rng = np.random.default_rng(3)
    return rng.random((9, 6)), np.eye(10)[rng.integers(0, 10, 9)], np.array([8, 0, 3, 5])


def decay(layer, strength):
    return strength / 2 * np.sum(layer.weights**2)


@pytest.mark.parametrize("goodness", ["sum", "mean"])
@pytest.mark.parametrize("normalization", ["unit_length", "mean_square"])
@pytest.mark.parametrize("passes", ["joined", "separate"])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("way", ["eager", "deferred"])
def test_forward_forward(
    goodness, normalization, passes, weight_decay, way, capture, assert_is_gradient
):
    images, _, index = data()
    chosen = settings(
        goodness=goodness, normalization=normalization, passes=passes, normalize_as=way,
        weight_decay=weight_decay, temperature=0.7, threshold=0.4, init="sqrt2",
    )  # fmt: skip
    ff = ForwardForward(
        Untraced(), chosen, images, np.random.default_rng(0), np.random.default_rng(1)
    )
    found = capture(ff.layers)
    ff.step(index, 0.0)
    for k, layer in enumerate(ff.layers):

        def loss(k=k, layer=layer):
            total = 0.0
            for cases in ff.room(ROWS).passes:
                below = cases.h[k - 1] if k else cases.inputs
                length = 1 if normalization == "unit_length" else math.sqrt(below.shape[1])
                x = below * length / (np.linalg.norm(below, axis=1, keepdims=True) + 1e-8)
                h = np.maximum(x @ layer.weights + layer.bias, 0)
                good = np.sum(h**2, axis=1) if goodness == "sum" else np.mean(h**2, axis=1)
                threshold = 0.4 * layer.width if goodness == "sum" else 0.4
                logit = (good - threshold) / 0.7
                total += np.sum(np.log1p(np.exp(-cases.signs * logit)))
            return total / (2 * ROWS) + decay(layer, weight_decay)

        assert_is_gradient(found[layer.name], loss, layer.values)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_backprop(weight_decay, capture, assert_is_gradient):
    images, targets, index = data()
    bp = Backprop(
        Untraced(), settings(weight_decay=weight_decay), images, targets, targets.argmax(1),
        np.random.default_rng(0),
    )  # fmt: skip
    found = capture(bp.layers)
    bp.step(index, 0.0)

    def loss():
        x = images[index]
        for layer in bp.layers[:-1]:
            x = np.maximum(x @ layer.weights + layer.bias, 0)
        scores = x @ bp.layers[-1].weights + bp.layers[-1].bias
        chosen = np.sum(scores * targets[index], axis=1)
        fit = np.mean(np.log(np.sum(np.exp(scores), axis=1)) - chosen)
        return fit + sum(decay(layer, weight_decay) for layer in bp.layers)

    for layer in bp.layers:
        assert_is_gradient(found[layer.name], loss, layer.values)


def test_softmax_head(capture, assert_is_gradient):
    features, targets, index = data()
    head = SoftmaxHead(
        Untraced(), settings(head_weight_decay=0.1), features, targets, np.random.default_rng(0)
    )
    found = capture([head.layer])
    head.step(index, 0.0)

    def loss():
        scores = features[index] @ head.layer.weights + head.layer.bias
        chosen = np.sum(scores * targets[index], axis=1)
        fit = np.mean(np.log(np.sum(np.exp(scores), axis=1)) - chosen)
        return fit + decay(head.layer, 0.1)

    assert_is_gradient(found["head"], loss, head.layer.values)
