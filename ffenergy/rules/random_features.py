"""The untrained control: random frozen hidden layers under the same softmax head.

Whatever a head reaches on these features owes nothing to the hidden layers' learning rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.network.dense import DenseLayer
from ffenergy.rules.kit.head_stage import HeadStage
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.rules.kit.stages import Plan, Rule
from ffenergy.rules.registry import rule


@rule("random", title="untrained control", short_title="control", colour="#7F7F7F", order=5)
class RandomFeaturesRule(Rule):
    """The network that Forward-Forward starts from, with the same seed; only a head learns."""

    compared = True
    trains_layers = False
    has_head = True
    normalizes_inputs = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        network = NormalizedNetwork(host.trace, host.settings, host.random["init"])
        self.head_stage = HeadStage(host, network)

    def plans(self) -> Sequence[Plan]:
        """The head alone."""
        return [self.head_stage.plan()]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The random layers, and the head once there is one."""
        return self.head_stage.layers
