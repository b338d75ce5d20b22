"""The softmax head, and its stage: on the features of a network that learns no more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import DenseLayer
from ffenergy.network.head import CLASSES, cross_entropy
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.rules.kit.stages import HEAD, Plan, Stage, Values
from ffenergy.settings import Settings


class HeadLayer(DenseLayer):
    """The output layer of a head, which may answer with a mean of its parameters over epochs.

    After epoch t the mean becomes mean + (η + 1) / (t + η) (values - mean): polynomial-decay
    averaging (Shamir and Zhang 2013, arXiv 1212.1824, section 4), where a larger η forgets the
    first epochs sooner. With ``averaging`` 0 there is no mean: the last parameters answer.
    """

    def __init__(
        self,
        trace: Tracer,
        n_features: int,
        settings: Settings,
        rng: np.random.Generator,
    ) -> None:
        std, dtype = settings.head_init_std, settings.dtype
        super().__init__(trace, "head", n_features, CLASSES, std, dtype, rng, phase="head")
        self.averaging, self.epochs = settings.head_averaging, 0
        if self.averaging:
            self.plain_mean = self.plain.copy()
            self.mean = trace.array(self.plain_mean, role="weight", name="head mean")

    def average(self) -> None:
        """Take the parameters after an epoch into the mean."""
        self.epochs += 1
        eta = self.averaging
        self.mean += (self.values - self.mean) * ((eta + 1) / (self.epochs + eta))

    def answer(self, x: Array, out: Array) -> Array:
        """Put the scores of ``x`` (rows, n_features) into ``out`` (rows, 10)."""
        if not self.averaging:
            return self.linear(x, out)
        np.matmul(x, self.mean[:-CLASSES].reshape(self.weights_shape), out=out)
        out += self.mean[-CLASSES:]
        return out

    def plain_parameters(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters that answer."""
        if not self.averaging:
            return super().plain_parameters()
        weights = self.plain_mean[:-CLASSES].reshape(self.weights_shape)
        return {"head/W": weights.copy(), "head/b": self.plain_mean[-CLASSES:].copy()}

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of parameters, optimiser state, and the mean and its epochs."""
        if not self.averaging:
            return super().state()
        mean = {"head/mean": self.plain_mean.copy(), "head/epochs": np.array(self.epochs)}
        return super().state() | mean

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over this layer's part of a :meth:`state`, if there is one."""
        super().load(state)
        if self.averaging and "head/mean" in state:
            self.plain_mean[...] = state["head/mean"]
            self.epochs = int(state["head/epochs"])


class SoftmaxHead:
    """A linear softmax classifier on stored features; layer ``head``, phase ``head``.

    ``features`` (n, n_features) and ``targets`` (n, 10) are traced arrays.
    """

    def __init__(
        self,
        trace: Tracer,
        settings: Settings,
        features: Array,
        targets: Array,
        rng: np.random.Generator,
    ) -> None:
        self.trace = trace
        self.features = features
        self.targets = targets
        self.layer = HeadLayer(trace, features.shape[1], settings, rng)
        self.layer.prepare_training(settings.head_optimizer, settings.head_weight_decay)
        self.scope = trace.scope(layer="head", phase="head", makes="temporary")
        self.losses = trace.array(
            np.zeros(settings.head_batch_size, settings.dtype), role="temporary", name="losses"
        )

    def step(self, index: Array, rate: float) -> None:
        """Train on the cases at ``index`` (rows,)."""
        with self.trace.step("head"), self.scope:
            rows = index.shape[0]
            x = np.take(self.features, index, axis=0)
            targets = np.take(self.targets, index, axis=0)
            scores = self.layer.linear(x, np.empty((rows, CLASSES), x.dtype, like=x))
            loss, delta = cross_entropy(scores, targets)
            self.layer.find_gradient(x, delta)
            self.layer.update(rate)
            losses = self.losses[:rows]
            losses += loss

    def read_losses(self) -> float:
        """Return the loss summed over all cases since the last call."""
        with self.trace.step("report"), self.layer.scope["evaluate"]:
            total = float(self.trace.escape(self.losses).sum(dtype=np.float64))
            self.losses[...] = 0
        return total

    def scores(self, features: Array) -> Array:
        """Return the scores (rows, 10) of ``features`` (rows, n_features)."""
        empty = np.empty((features.shape[0], CLASSES), features.dtype, like=features)
        return self.layer.answer(features, empty)

    def average(self) -> None:
        """Take the parameters after an epoch into their mean, if the head has one."""
        with self.trace.step("average"), self.scope:
            self.layer.average()


class HeadStage:
    """Extracts the features when it is opened, then trains a head on them."""

    def __init__(self, host: Host, network: NormalizedNetwork) -> None:
        self.host, self.network = host, network
        self.head: SoftmaxHead | None = None

    def plan(self) -> Plan:
        """Return the stage to come."""
        return Plan(HEAD, self.host.settings.softmax_epochs, self._open, part=HEAD)

    @property
    def layers(self) -> list[DenseLayer]:
        """The hidden layers, and the head once there is one."""
        return [*self.network.layers, *([self.head.layer] if self.head else [])]

    def _open(self) -> Stage:
        host, settings = self.host, self.host.settings
        features = self._features(host.train, "head")
        test_features = self._features(host.test, "evaluate")
        targets, rng = host.train.targets, host.random["head init"]
        head = SoftmaxHead(host.trace, settings, features, targets, rng)
        self.head = head

        def assess(values: Values) -> Values:
            host.train_error = host.error_rate(head.scores, features, host.train)
            host.test_error = host.error_rate(head.scores, test_features, host.test)
            return values | {"train_error": host.train_error, "test_error": host.test_error}

        return Stage(
            step=head.step,
            rate=(settings.head_schedule, settings.softmax_lr),
            batch_size=settings.head_batch_size,
            shuffle="head shuffle",
            read=lambda: {"loss": head.read_losses()},
            close=head.average if settings.head_averaging else None,
            assess=assess,
        )

    def _features(self, examples: Examples, phase: str) -> Array:
        images = examples.images
        return self.network.features(images, self.host.chunks(examples, images), phase)
