"""Mono-Forward: every layer learns to classify in every step; the last one answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ffenergy.dense import DenseLayer
from ffenergy.mono_forward import MonoForward
from ffenergy.training.run import Run
from ffenergy.training.stages import Algorithm, Plan, Stage, Values


class MonoForwardTraining(Algorithm):
    """Algorithm ``mono-forward``, with the learning rate of backprop."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        train = run.train
        self.network = MonoForward(
            run.trace, run.settings, train.images, run.targets, train.labels, run.random["init"]
        )

    def plans(self) -> Sequence[Plan]:
        """All layers in parallel."""
        return [Plan("layers", self.run.settings.n_epochs, self._open)]

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

    def finish(self) -> None:
        """Measure the errors of the trained network."""
        run = self.run
        run.test_error = run.error_rate(self.network.scores, run.test.images, run.test.labels)
        run.train_error = run.error_rate(self.network.scores, run.train.images, run.train.labels)

    def _open(self) -> Stage:
        run, settings, network = self.run, self.run.settings, self.network

        def read() -> Values:
            losses, right = network.read_meters()
            values = {"loss": sum(losses) / len(losses)}
            values |= {f"loss_layer{k}": loss for k, loss in enumerate(losses, start=1)}
            return values | {"train_accuracy": 100 * right}

        def assess(values: Values) -> Values:
            run.test_error = run.error_rate(network.scores, run.test.images, run.test.labels)
            running = 100 - values.pop("train_accuracy")  # during the epoch, as it was trained
            return values | {"train_error": running, "test_error": run.test_error}

        return Stage(
            step=network.step,
            rate=(settings.schedule, settings.bp_lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=read,
            assess=assess,
        )
