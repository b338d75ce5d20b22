"""Training: sessions made of a rule's stages, epochs of batches, checkpoints, transfer."""

from ffenergy.training.checkpoints import Checkpoints
from ffenergy.training.driver import Watch, train
from ffenergy.training.session import AfterEpoch, Diverged, Interrupted, Progress

__all__ = [
    "AfterEpoch",
    "Checkpoints",
    "Diverged",
    "Interrupted",
    "Progress",
    "Watch",
    "train",
]
