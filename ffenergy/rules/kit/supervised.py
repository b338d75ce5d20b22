"""What rules taught by the labels share: one stage over the whole network, which answers itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import DenseLayer
from ffenergy.network.head import CLASSES
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.stages import Plan, Rule, Stage, Values
from ffenergy.settings import Settings

INIT: Final = "he"
"""How the hidden layers begin."""


@dataclass(frozen=True)
class Workspace:
    """What a batch of one size is computed in.

    Per hidden layer ``h``, ``delta``, ``active`` (rows, width), and ``scores`` (rows, 10).
    ``x`` is what the product of every layer reads, an output layer among them: dense layers read
    the array below, ``inputs`` or ``h``, locally connected ones a gathered copy.
    """

    inputs: Array
    x: list[Array]
    h: list[Array]
    delta: list[Array]
    active: list[Array]
    scores: Array

    @classmethod
    def of(
        cls,
        trace: Tracer,
        settings: Settings,
        rows: int,
        hidden: Sequence[DenseLayer],
        output: Sequence[DenseLayer] = (),
    ) -> Workspace:
        """Make that of ``rows`` images for hidden layers, and an output layer on top of them."""

        def room(width: int, role: str, name: str, dtype: str = settings.dtype) -> Array:
            return trace.array(np.zeros((rows, width), dtype), role=role, name=name)

        def rooms(role: str, name: str, dtype: str = settings.dtype) -> list[Array]:
            return [room(layer.width, role, f"{layer.name} {name}", dtype) for layer in hidden]

        inputs = room(settings.layer_sizes[0], "data", "input")
        h = rooms("activation", "h")
        layers = [*hidden, *output]
        below = (inputs, *h)[: len(layers)]
        return cls(
            inputs=inputs,
            x=[layer.input_room(k) for layer, k in zip(layers, below, strict=True)],
            h=h,
            delta=rooms("gradient", "delta"),
            active=rooms("temporary", "active", "bool"),
            scores=room(CLASSES, "activation", "scores"),
        )


class Classifier(Protocol):
    """A network that learns from batches and gives class scores without a head of its own."""

    def step(self, index: Array, rate: float) -> None:
        """Train on the images at ``index`` (rows,)."""

    def scores(self, images: Array) -> Array:
        """Return the scores (rows, 10) of ``images`` (rows, pixels)."""


class Supervised(Rule):
    """A network taught by the labels, with the learning rate and decay of backprop."""

    def __init__(self, host: Host, network: Classifier) -> None:
        super().__init__(host)
        self._answering = network

    def plans(self) -> Sequence[Plan]:
        """The whole network at once."""
        return [Plan(self.stage, self.host.settings.n_epochs, self.open)]

    @abstractmethod
    def read(self) -> Values:
        """Return the losses and ``train_accuracy``, summed over all cases since the last call."""

    def finish(self) -> None:
        """Measure the errors of the trained network."""
        self._test()
        host = self.host
        host.train_error = host.error_rate(self._answering.scores, host.train.images, host.train)

    def open(self) -> Stage:
        """Return the stage of the whole network."""
        settings = self.host.settings
        return Stage(
            step=self._answering.step,
            rate=(settings.schedule, settings.bp_lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=self.read,
            assess=self._assess,
        )

    def _assess(self, values: Values) -> Values:
        self._test()
        running = 100 - values.pop("train_accuracy")  # during the epoch, as it was trained
        return values | {"train_error": running, "test_error": self.host.test_error}

    def _test(self) -> None:
        host = self.host
        host.test_error = host.error_rate(self._answering.scores, host.test.images, host.test)
