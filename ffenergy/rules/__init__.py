"""Learning rules, one module each; what they are written with is in ``kit``."""

from ffenergy.rules.kit.head_stage import HeadStage
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.kit.networks import NormalizedNetwork, hidden_layers
from ffenergy.rules.kit.stages import Plan, Rule, Shape, Stage, Values
from ffenergy.rules.kit.supervised import Supervised
from ffenergy.rules.registry import rule

__all__ = [
    "Examples",
    "HeadStage",
    "Host",
    "NormalizedNetwork",
    "Plan",
    "Rule",
    "Shape",
    "Stage",
    "Supervised",
    "Values",
    "hidden_layers",
    "rule",
]
