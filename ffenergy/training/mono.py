"""Mono-Forward: every layer learns to classify in every step; the last one answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ffenergy.network.dense import DenseLayer
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.training.run import Run
from ffenergy.training.stages import Values
from ffenergy.training.supervised import SupervisedTraining


class MonoForwardTraining(SupervisedTraining):
    """Algorithm ``mono-forward``: all layers in parallel."""

    stage = "layers"

    def __init__(self, run: Run) -> None:
        train = run.train
        self.network = MonoForward(
            run.trace, run.settings, train.images, run.targets, train.labels, run.random["init"]
        )
        super().__init__(run, self.network)

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The hidden layers; their projections are in the state and the weights too."""
        return self.network.layers

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters and optimiser state of layers and projections."""
        return self.network.state()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        super().load(state)
        for projection in self.network.projections:
            projection.load(state)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters: ``layer1/W``, ``layer1/b``, ``layer1/M`` and so on."""
        projections = [p.plain_parameters() for p in self.network.projections]
        return super().weights() | {key: m for p in projections for key, m in p.items()}

    def read(self) -> Values:
        """The mean of the layers' losses, each of them, and the last layer's right answers."""
        losses, right = self.network.read_meters()
        values = {"loss": sum(losses) / len(losses)}
        values |= {f"loss_layer{k}": loss for k, loss in enumerate(losses, start=1)}
        return values | {"train_accuracy": 100 * right}
