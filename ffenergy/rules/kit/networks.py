"""Networks as the settings say: their hidden layers, and stacks that normalise every input."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import INIT_STD, DenseLayer
from ffenergy.network.local import LocalLayer
from ffenergy.network.normalization import DEFERRED, normalize, row_scales, target_length
from ffenergy.settings import Settings


def hidden_layers(
    trace: Tracer, settings: Settings, init: str, rng: np.random.Generator
) -> list[DenseLayer]:
    """Return ``layer1`` … ``layerN``, freshly drawn as ``init`` says."""
    std = INIT_STD[init]
    if settings.local_fields:
        return [
            LocalLayer(trace, f"layer{k}", fields, std(fields.fan_in), settings.dtype, rng)
            for k, fields in enumerate(settings.fields, start=1)
        ]
    return [
        DenseLayer(trace, f"layer{k}", fan_in, width, std(fan_in), settings.dtype, rng)
        for k, (fan_in, width) in enumerate(pairwise(settings.layer_sizes), start=1)
    ]


class NormalizedNetwork:
    """A stack of ReLU layers, each of which first normalises its input (rows, fan_in)."""

    def __init__(self, trace: Tracer, settings: Settings, rng: np.random.Generator) -> None:
        self.trace = trace
        sizes = settings.layer_sizes
        self.lengths = [target_length(settings.normalization, size) for size in sizes]
        self.layers = hidden_layers(trace, settings, settings.init, rng)
        self.head_layers = self.layers[-settings.head_layers :]
        self.feature_scale = settings.head_feature_scale
        self.n_features = sum(layer.width for layer in self.head_layers)
        self.dtype = settings.dtype
        self.deferred = settings.normalize_as == DEFERRED

    def features(self, images: Array, chunks: Iterable[slice], phase: str = "head") -> Array:
        """Return the head's features of ``images`` (n, pixels): shape (n, n_features).

        They are the activities of the last hidden layers, each scaled to ``feature_scale``; they
        are computed once and stored, the rows of one of ``chunks`` after the other; ``phase`` is
        ``head`` or ``evaluate``.
        """
        features = self.trace.array(
            np.empty((images.shape[0], self.n_features), self.dtype), role="data", name="features"
        )
        for rows in chunks:
            with self.trace.step("features"):
                self.extract(images[rows], features[rows], phase)
        return features

    def extract(self, activities: Array, out: Array, phase: str) -> None:
        """Put the features of ``activities`` (rows, pixels) into ``out`` (rows, n_features)."""
        column = 0
        for layer, length in zip(self.layers, self.lengths, strict=False):
            with layer.scope[phase]:
                activities = self._pass_through(layer, activities, length)
                if layer in self.head_layers:
                    end = column + layer.width
                    scale = target_length(self.feature_scale, layer.width)
                    with layer.fuse_normalize:
                        normalize(activities, scale, out[:, column:end])
                    column = end

    def _pass_through(self, layer: DenseLayer, below: Array, length: float) -> Array:
        """Return the activities of ``layer`` on ``below`` (rows, fan_in), scaled to ``length``."""
        room = (below.shape[0], layer.width)
        if self.deferred:
            with layer.fuse_normalize:
                scales = row_scales(below, length)
            x = layer.input_room(below)
            layer.gather(below, x)
            return layer.relu(x, np.empty(room, below.dtype, like=below), scales)
        x = self._input(layer, below, length)
        return layer.relu(x, np.empty(room, x.dtype, like=x))

    def _input(self, layer: DenseLayer, below: Array, length: float) -> Array:
        """Return the inputs of ``layer``: ``below`` (rows, fan_in), each row of norm ``length``."""
        with layer.fuse_normalize:
            room = np.empty(layer.input_shape(below.shape[0]), self.dtype, like=below)
            return layer.scaled(below, length, room)
