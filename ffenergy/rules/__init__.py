"""Learning rules, one module each; what they are written with is in ``kit``."""

from ffenergy.rules.kit.examples import Examples
from ffenergy.rules.kit.head import HeadStage
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.stages import Plan, Rule, Stage, Values
from ffenergy.rules.kit.supervised import Supervised
from ffenergy.rules.registry import rule

__all__ = [
    "Examples",
    "HeadStage",
    "Host",
    "Plan",
    "Rule",
    "Stage",
    "Supervised",
    "Values",
    "rule",
]
