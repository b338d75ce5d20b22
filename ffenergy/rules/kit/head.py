"""The stage of the softmax head, on the features of a network that learns no more."""

from __future__ import annotations

from ffenergy.network.arrays import Array
from ffenergy.network.dense import DenseLayer
from ffenergy.network.head import SoftmaxHead
from ffenergy.network.stack import NormalizedNetwork
from ffenergy.rules.kit.examples import Examples
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.stages import HEAD, Plan, Stage, Values


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
