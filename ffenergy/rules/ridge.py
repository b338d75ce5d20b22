"""Closed-form control: ridge regression of the labels on random, untrained features.

What a practitioner would try first. With features F (n, d), one-hot targets T (n, 10) and
strength r, the weights that minimise |T - F W|² + r n |W|² are::

    W = (FᵀF + r n I)⁻¹ FᵀT

FᵀF and FᵀT are added up over batches in one pass; the largest entry of F W is the answer. The
features are those of the untrained control: all of its network, or with ``layer_sizes`` of one
hidden layer, random features of the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ffenergy.errors import SettingsError
from ffenergy.network import Array
from ffenergy.network.dense import DenseLayer
from ffenergy.network.head import CLASSES
from ffenergy.rules.kit.host import CHUNK, Host
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.rules.kit.stages import HEAD, Plan, Rule, Stage, Values
from ffenergy.rules.registry import rule

STAGE: Final = "ridge"


class Ridge:
    """Adds up the normal equations of ``network``'s features and solves them."""

    def __init__(self, host: Host, network: NormalizedNetwork) -> None:
        self.host, self.trace, self.network = host, host.trace, network
        size, dtype = network.n_features, np.dtype(host.settings.dtype)
        rng = host.random["head init"]
        self.layer = DenseLayer(
            self.trace, HEAD, size, CLASSES, 0.0, host.settings.dtype, rng, phase=HEAD
        )
        self.scope = self.trace.scope(layer=HEAD, phase=HEAD, makes="temporary")

        def room(columns: int, role: str, name: str) -> Array:
            return self.trace.array(np.zeros((size, columns), dtype), role=role, name=name)

        self.gram = room(size, "optimizer_state", "FtF")
        self.moments = room(CLASSES, "optimizer_state", "FtT")
        self.product = room(size, "temporary", "product")
        self.explained = 0.0  # of |T|² per case, by the weights
        self.squares = self.trace.array(np.zeros((), dtype), role="temporary", name="|T|²")

    def step(self, index: Array, rate: float) -> None:
        """Take the images at ``index`` (rows,) into the normal equations; ``rate`` is not used."""
        with self.trace.step(STAGE), self.scope:
            images = np.take(self.host.train.images, index, axis=0)
            targets = np.take(self.host.train.targets, index, axis=0)
            features = self.features(images, HEAD)
            self.gram += np.matmul(features.T, features, out=self.product)
            self.moments += features.T @ targets
            self.squares += np.vdot(targets, targets)

    def features(self, images: Array, phase: str) -> Array:
        """Return the features (rows, n_features) of ``images`` (rows, pixels)."""
        rows = images.shape[0]
        found = np.empty((rows, self.network.n_features), images.dtype, like=images)
        self.network.extract(images, found, phase)
        return found

    def solve(self) -> None:
        """Solve the normal equations; FᵀF keeps what is added to its diagonal.

        Raises SingularError where that is too little for one solution.
        """
        with self.trace.step("solve"), self.scope:
            diagonal = self.gram.reshape(-1)[:: self.network.n_features + 1]
            diagonal += self.host.settings.ridge_strength * self.host.train.count
            try:
                solution = np.linalg.solve(self.gram, self.moments)
            except np.linalg.LinAlgError:
                raise SingularError(
                    f"ridge_strength is {self.host.settings.ridge_strength:g}, too little for the "
                    f"features of {self.host.train.count} images, whose equations have many "
                    "solutions; raise it"
                ) from None
            self.layer.weights[...] = solution
            fit = self.trace.escape(np.vdot(self.layer.weights, self.moments))
            self.explained = float(fit) / self.host.train.count

    def scores(self, images: Array) -> Array:
        """Return the scores (rows, 10) of ``images`` (rows, pixels)."""
        features = self.features(images, "evaluate")
        empty = np.empty((features.shape[0], CLASSES), features.dtype, like=features)
        return self.layer.linear(features, empty)

    def read_loss(self) -> float:
        """Return |T|², summed over all cases since the last call: the loss of no weights at all."""
        with self.trace.step("report"), self.layer.scope["evaluate"]:
            total = float(self.trace.escape(self.squares))
            self.squares[...] = 0
        return total


class SingularError(SettingsError, np.linalg.LinAlgError):
    """The equations have many solutions, or none; one of NumPy's errors too, as of all values."""


@rule("ridge", title="closed-form control", short_title="ridge", colour="#4D4D4D", order=8)
class RidgeRule(Rule):
    """One pass over the images, and one system of equations; hidden layers stay as drawn."""

    trains_layers = False
    normalizes_inputs = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.network = NormalizedNetwork(host.trace, host.settings, host.random["init"])
        self.ridge = Ridge(host, self.network)

    def plans(self) -> Sequence[Plan]:
        """One epoch: each image is seen once."""
        return [Plan(STAGE, 1, self._open, part=HEAD)]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The random layers, and the weights that were solved for."""
        return [*self.network.layers, self.ridge.layer]

    def _open(self) -> Stage:
        return Stage(
            step=self.ridge.step,
            rate=("constant", 1.0),
            batch_size=min(CHUNK, self.host.train.count),
            shuffle="head shuffle",
            read=lambda: {"loss": self.ridge.read_loss()},
            close=self.ridge.solve,
            assess=self._assess,
        )

    def _assess(self, values: Values) -> Values:
        """Measure the errors; the loss becomes what was minimised, per case."""
        values["loss"] -= self.ridge.explained  # at the minimum: |T|² - W . FᵀT
        host, scores = self.host, self.ridge.scores
        host.test_error = host.error_rate(scores, host.test.images, host.test)
        host.train_error = host.error_rate(scores, host.train.images, host.train)
        return values | {"train_error": host.train_error, "test_error": host.test_error}
