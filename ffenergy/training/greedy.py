"""Forward-Forward layer by layer: each to the end before the next, then the head."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ffenergy.rules.greedy import GreedyForwardForward
from ffenergy.training.ff import ForwardForwardTraining
from ffenergy.training.run import Run
from ffenergy.training.stages import Plan, Stage, Values


class GreedyTraining(ForwardForwardTraining):
    """Algorithm ``ff-greedy``: a stage ``layer1``, ``layer2`` … for each hidden layer."""

    network: GreedyForwardForward

    def make_network(self, run: Run) -> GreedyForwardForward:
        """Return the network to be trained."""
        streams = (run.random[name] for name in ("init", "negatives", "stored negatives"))
        return GreedyForwardForward(run.trace, run.settings, run.train.images, *streams)

    def plans(self) -> Sequence[Plan]:
        """Layer after layer, then the head."""
        epochs = self.run.settings.n_epochs
        layers = [
            Plan(layer.name, epochs, partial(self._open_layer, k))
            for k, layer in enumerate(self.network.layers)
        ]
        return [*layers, self.head_stage.plan()]

    def _open_layer(self, k: int) -> Stage:
        settings, network = self.run.settings, self.network
        network.learn(k)

        def read() -> Values:
            loss, right = network.read_meter(k)
            values = {"loss": loss / 2, f"loss_layer{k + 1}": loss / 2}
            return values | {f"separation_layer{k + 1}": 50 * right}

        return Stage(
            step=network.step,
            rate=(settings.schedule, settings.lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=read,
            counts_samples=k == 0,
        )
