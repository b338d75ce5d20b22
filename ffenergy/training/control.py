"""The untrained control: a softmax head on random features."""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.network.dense import DenseLayer
from ffenergy.rules.random_features import RandomFeatures
from ffenergy.training.head import HeadStage
from ffenergy.training.run import Run
from ffenergy.training.stages import Algorithm, Plan


class ControlTraining(Algorithm):
    """Algorithm ``random``."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.network = RandomFeatures(run.trace, run.settings, run.random["init"])
        self.head_stage = HeadStage(run, self.network)

    def plans(self) -> Sequence[Plan]:
        """The head alone."""
        return [self.head_stage.plan()]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The random layers, and the head once there is one."""
        head = self.head_stage.head
        return [*self.network.layers, *([head.layer] if head else [])]
