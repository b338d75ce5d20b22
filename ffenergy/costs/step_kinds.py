"""Kinds of steps: what steps of a run that cost the same have in common, and how tables name it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ffenergy.rules.kit.stages import HEAD


class What(StrEnum):
    """What a step does in a run."""

    TRAIN = "train"  # one batch of a stage
    PREPARE = "prepare"  # a chunk of what a stage works on, made once when it opens
    EVALUATE = "evaluate"  # a chunk of an evaluation
    REPORT = "report"  # a look at losses and right answers
    SHUFFLE = "shuffle"  # the order of an epoch
    CLOSE = "close"  # the end of an epoch


@dataclass(frozen=True)
class StepKind:
    """One kind of step.

    name: that of the step in the trace. stage: the first stage that takes it. part: what learns
    in that stage, ``layer2`` or ``head``; empty where all layers do. images: ``train`` or
    ``test``, those it goes through. short: it has what is left over from full batches or chunks.
    samples: images in it.
    """

    name: str
    what: What = What.TRAIN
    stage: str = ""
    part: str = ""
    images: str = "train"
    short: bool = False
    samples: int = 0

    @property
    def label(self) -> str:
        """How tables name it: ``train``, ``train-layer2-short``, ``features-test``."""
        part = self.part if self.what is What.REPORT else ""
        test = "test" if self.images == "test" else ""
        short = "short" if self.short else ""
        return "-".join(filter(None, (self.name, part, test, short)))

    @property
    def trains_layers(self) -> bool:
        """Whether hidden layers learn in it."""
        return self.what is What.TRAIN and self.part != HEAD
