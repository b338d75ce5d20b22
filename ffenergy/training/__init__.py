"""Training: sessions made of a rule's stages, epochs of batches, checkpoints, transfer."""

from ffenergy.training.checkpoints import Checkpoints
from ffenergy.training.driver import Watch, train
from ffenergy.training.outcomes import Diverged, Interrupted
from ffenergy.training.session import AfterEpoch, Progress

__all__ = [
    "AfterEpoch",
    "Checkpoints",
    "Diverged",
    "Interrupted",
    "Progress",
    "Watch",
    "train",
]
