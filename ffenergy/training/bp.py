"""The backprop baseline: one stage, its own output."""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.backprop import Backprop
from ffenergy.dense import DenseLayer
from ffenergy.training.run import Run
from ffenergy.training.stages import Algorithm, Plan, Stage, Values


class BackpropTraining(Algorithm):
    """Algorithm ``bp``."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        train = run.train
        self.network = Backprop(
            run.trace, run.settings, train.images, run.targets, train.labels, run.random["init"]
        )

    def plans(self) -> Sequence[Plan]:
        """The whole network at once."""
        return [Plan("network", self.run.settings.n_epochs, self._open)]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """Hidden layers and output layer."""
        return self.network.layers

    def finish(self) -> None:
        """Measure the errors of the trained network."""
        run = self.run
        run.test_error = run.error_rate(self.network.scores, run.test.images, run.test.labels)
        run.train_error = run.error_rate(self.network.scores, run.train.images, run.train.labels)

    def _open(self) -> Stage:
        run, settings, network = self.run, self.run.settings, self.network

        def read() -> Values:
            loss, right = network.read_meters()
            return {"loss": loss, "train_accuracy": 100 * right}

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
