"""The backprop baseline: one stage, its own output."""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.network.dense import DenseLayer
from ffenergy.rules.backprop import Backprop
from ffenergy.training.run import Run
from ffenergy.training.stages import Values
from ffenergy.training.supervised import SupervisedTraining


class BackpropTraining(SupervisedTraining):
    """Algorithm ``bp``."""

    stage = "network"

    def __init__(self, run: Run) -> None:
        train = run.train
        self.network = Backprop(
            run.trace, run.settings, train.images, run.targets, train.labels, run.random["init"]
        )
        super().__init__(run, self.network)

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """Hidden layers and output layer."""
        return self.network.layers

    def read(self) -> Values:
        """The loss of the output, and the right answers."""
        loss, right = self.network.read_meters()
        return {"loss": loss, "train_accuracy": 100 * right}
