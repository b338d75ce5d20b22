"""Every algorithm by its name; a new learning rule is a module and a line here."""

from __future__ import annotations

from typing import Final

from ffenergy.training.bp import BackpropTraining
from ffenergy.training.control import ControlTraining
from ffenergy.training.ff import ForwardForwardTraining
from ffenergy.training.greedy import GreedyTraining
from ffenergy.training.mono import MonoForwardTraining
from ffenergy.training.stages import Algorithm

ALGORITHMS: Final[dict[str, type[Algorithm]]] = {
    "ff": ForwardForwardTraining,
    "ff-greedy": GreedyTraining,
    "bp": BackpropTraining,
    "mono-forward": MonoForwardTraining,
    "random": ControlTraining,
}
UNNORMALIZED: Final = ("bp", "mono-forward")
"""Those whose layers take the activities below as they are."""
