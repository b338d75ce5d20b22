"""Forward-Forward: every layer learns in every step, then the head does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ffenergy.network.dense import DenseLayer
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.training.head import HeadStage
from ffenergy.training.run import Run
from ffenergy.training.stages import Algorithm, Plan, Stage, Values


class ForwardForwardTraining(Algorithm):
    """Algorithm ``ff``."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self.network = self.make_network(run)
        self.head_stage = HeadStage(run, self.network)

    def make_network(self, run: Run) -> ForwardForward:
        """Return the network to be trained."""
        return ForwardForward(
            run.trace, run.settings, run.train.images, run.random["init"], run.random["negatives"]
        )

    def plans(self) -> Sequence[Plan]:
        """All layers in parallel, then the head."""
        return [
            Plan("layers", self.run.settings.n_epochs, self._open_layers),
            self.head_stage.plan(),
        ]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The hidden layers, and the head once there is one."""
        head = self.head_stage.head
        return [*self.network.layers, *([head.layer] if head else [])]

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters, optimiser state and the running means of peer normalisation."""
        return super().state() | self.network.means()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        super().load(state)
        self.network.load_means(state)

    def _open_layers(self) -> Stage:
        settings, network = self.run.settings, self.network

        def read() -> Values:
            losses, right = network.read_meters()
            values = {"loss": sum(losses) / len(losses) / 2}
            values |= {f"loss_layer{k + 1}": loss / 2 for k, loss in enumerate(losses)}
            return values | {f"separation_layer{k + 1}": 50 * n for k, n in enumerate(right)}

        return Stage(
            step=network.step,
            rate=(settings.schedule, settings.lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=read,
        )
