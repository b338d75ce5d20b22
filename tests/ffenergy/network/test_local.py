"""Locally connected layers against the equivalent dense layer, and against central differences."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.network.dense import DenseLayer
from ffenergy.network.fields import Fields
from ffenergy.network.local import LocalLayer
from ffenergy.network.normalization import normalize
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.settings import Settings
from instrumented import Untraced

ROWS = 4
# 5x5 pixels: 2x2 fields of 3x3 that overlap by one pixel, 3 channels; then one field of all 4
SETTINGS = Settings.from_preset("paper-local").replace(
    layer_sizes=(25, 12, 4), local_fields="3x3/2x3,2x2/1x4", head_layers=2,
    batch_size=ROWS, dtype="float64", temperature=0.7, threshold=0.4,
)  # fmt: skip
OVERLAPPING = Fields(below=(4, 5, 2), field=(2, 3), stride=1, channels=3)  # a grid of 3x3


def rng():
    return np.random.default_rng(3)


def local_layer(fields=OVERLAPPING):
    layer = LocalLayer(Untraced(), "layer1", fields, 1.0, "float64", rng())
    layer.bias[:] = rng().normal(size=layer.width)
    layer.prepare_training("adam", 0.0)
    return layer


def equivalent(layer):
    """The dense layer with zeros wherever a unit sees nothing, filled unit by unit."""
    fields = layer.fields
    height, width, below = fields.below
    dense = np.zeros((height, width, below, *fields.grid, fields.channels))
    weights = layer.weights.reshape(*fields.grid, *fields.field, below, fields.channels)
    for down, across in np.ndindex(*fields.grid):
        for y, x in np.ndindex(*fields.field):
            top, left = down * fields.stride + y, across * fields.stride + x
            dense[top, left, :, down, across] = weights[down, across, y, x]
    return dense.reshape(height * width * below, layer.width)


def gathered(layer, x):
    out = np.empty(layer.input_shape(len(x)))
    layer.gather(x, out)
    return out


def test_products_are_those_of_the_equivalent_dense_layer():
    layer = local_layer()
    x = rng().normal(size=(ROWS, 40))
    out = layer.relu(gathered(layer, x), np.empty((ROWS, 27)))
    np.testing.assert_allclose(out, np.maximum(x @ equivalent(layer) + layer.bias, 0))
    delta = rng().normal(size=(ROWS, 27))
    below = np.full((ROWS, 40), np.nan)
    layer.pass_back(delta, below)
    np.testing.assert_allclose(below, delta @ equivalent(layer).T)


@pytest.mark.parametrize("add", [False, True])
def test_gradient_is_that_of_the_equivalent_dense_layer_inside_the_fields(add):
    layer = local_layer()
    x, delta = rng().normal(size=(ROWS, 40)), rng().normal(size=(ROWS, 27))
    layer.find_gradient(gathered(layer, x), delta)
    if add:
        layer.find_gradient(gathered(layer, x), delta, add=True)
    dense = x.T @ delta * (2 if add else 1)
    layer.weights[:] = layer.weights_gradient
    np.testing.assert_allclose(equivalent(layer), np.where(equivalent(layer) != 0, dense, 0))
    np.testing.assert_allclose(layer.bias_gradient, delta.sum(axis=0) * (2 if add else 1))


def test_the_length_of_the_whole_input_is_normalised_before_the_fields_are_gathered():
    layer = local_layer()
    x = rng().normal(size=(ROWS, 40))
    scaled = layer.normalized(x, 3.0, np.empty(layer.input_shape(ROWS)))
    np.testing.assert_array_equal(scaled, gathered(layer, normalize(x, 3.0, np.empty_like(x))))


def test_parameters_are_written_as_those_of_the_equivalent_dense_layer():
    layer = local_layer()
    parameters = layer.plain_parameters()
    np.testing.assert_array_equal(parameters["layer1/W"], equivalent(layer))
    np.testing.assert_array_equal(parameters["layer1/b"], layer.bias)


def test_the_state_keeps_the_weights_without_the_zeros():
    layer = local_layer()
    state = layer.state()
    np.testing.assert_array_equal(state["layer1/W"], layer.weights)
    np.testing.assert_array_equal(state["layer1/b"], layer.bias)
    assert {"layer1/first", "layer1/second", "layer1/steps"} <= state.keys()


def test_a_single_field_of_everything_is_a_dense_layer():
    layer = local_layer(Fields(below=(4, 5, 2), field=(4, 5), stride=1, channels=6))
    dense = DenseLayer(Untraced(), "layer1", 40, 6, 1.0, "float64", rng())
    np.testing.assert_array_equal(layer.weights[0], dense.weights)


@pytest.mark.parametrize("passes", ["joined", "separate"])
def test_forward_forward_gradient(passes, capture, assert_is_gradient):
    images = rng().random((9, 25))
    chosen = SETTINGS.replace(passes=passes, peer_strength=0.0, weight_decay=0.1)
    ff = ForwardForward(
        Untraced(), chosen, images, np.random.default_rng(0), np.random.default_rng(1)
    )
    found = capture(ff.layers)
    ff.step(np.array([8, 0, 3, 5]), 0.0)
    for k, layer in enumerate(ff.layers):

        def loss(k=k, layer=layer):
            total = 0.05 * np.sum(layer.weights**2)
            for cases in ff.room(ROWS).passes:
                below = cases.h[k - 1] if k else cases.inputs
                x = below * np.sqrt(below.shape[1] / np.sum(below**2, axis=1, keepdims=True))
                h = np.maximum(x @ equivalent(layer) + layer.bias, 0)
                logit = (np.sum(h**2, axis=1) - 0.4 * layer.width) / 0.7
                total += np.sum(np.log1p(np.exp(-cases.signs * logit))) / (2 * ROWS)
            return total

        assert_is_gradient(found[layer.name], loss, layer.values)


def test_backprop_gradient(capture, assert_is_gradient):
    images, index = rng().random((9, 25)), np.array([8, 0, 3, 5])
    targets = np.eye(10)[rng().integers(0, 10, 9)]
    bp = Backprop(
        Untraced(), SETTINGS, images, targets, targets.argmax(1), np.random.default_rng(0)
    )
    found = capture(bp.layers)
    bp.step(index, 0.0)

    def expected_scores():
        x = images[index]
        for layer in bp.hidden:
            x = np.maximum(x @ equivalent(layer) + layer.bias, 0)
        return x @ bp.head.weights + bp.head.bias

    np.testing.assert_allclose(bp.scores(images[index]), expected_scores())

    def loss():
        scores = expected_scores()
        return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - np.sum(scores * targets[index], 1))

    for layer in bp.layers:
        assert_is_gradient(found[layer.name], loss, layer.values)


def test_features_of_the_head():
    images = rng().random((7, 25))
    network = NormalizedNetwork(Untraced(), SETTINGS, np.random.default_rng(0))
    features = network.features(images, [slice(0, 3), slice(3, 7)])
    below, expected = images, []
    for layer in network.layers:
        x = normalize(below, np.sqrt(below.shape[1]), np.empty_like(below))
        below = np.maximum(x @ equivalent(layer) + layer.bias, 0)
        expected.append(normalize(below, np.sqrt(layer.width), np.empty_like(below)))
    np.testing.assert_allclose(features, np.hstack(expected))
