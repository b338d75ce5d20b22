"""The stage of the softmax head, on the features of a network that learns no more."""

from __future__ import annotations

from ffenergy.network.head import SoftmaxHead
from ffenergy.network.stack import NormalizedNetwork
from ffenergy.training.run import Run
from ffenergy.training.stages import Plan, Stage, Values


class HeadStage:
    """Extracts the features when it is opened, then trains a head on them."""

    def __init__(self, run: Run, network: NormalizedNetwork) -> None:
        self.run, self.network = run, network
        self.head: SoftmaxHead | None = None

    def plan(self) -> Plan:
        """Return the stage to come."""
        return Plan("head", self.run.settings.softmax_epochs, self._open)

    def _open(self) -> Stage:
        run, settings = self.run, self.run.settings
        features = self.network.features(run.train.images)
        test_features = self.network.features(run.test.images, "evaluate")
        head = SoftmaxHead(run.trace, settings, features, run.targets, run.random["head init"])
        self.head = head

        def assess(values: Values) -> Values:
            run.train_error = run.error_rate(head.scores, features, run.train.labels)
            run.test_error = run.error_rate(head.scores, test_features, run.test.labels)
            return values | {"train_error": run.train_error, "test_error": run.test_error}

        return Stage(
            step=head.step,
            rate=(settings.head_schedule, settings.softmax_lr),
            batch_size=settings.head_batch_size,
            shuffle="head shuffle",
            read=lambda: {"loss": head.read_losses()},
            assess=assess,
            is_head=True,
        )
