"""Training: runs made of stages, one module per algorithm, checkpoints."""

from ffenergy.training.algorithms import ALGORITHMS
from ffenergy.training.checkpoints import Checkpoints
from ffenergy.training.examples import Examples
from ffenergy.training.outcomes import Diverged, Interrupted
from ffenergy.training.run import AfterEpoch, Progress
from ffenergy.training.stages import Plan
from ffenergy.training.streams import random_streams
from ffenergy.training.training import Watch, train

__all__ = [
    "ALGORITHMS",
    "AfterEpoch",
    "Checkpoints",
    "Diverged",
    "Examples",
    "Interrupted",
    "Plan",
    "Progress",
    "Watch",
    "random_streams",
    "train",
]
