"""Kinds of steps: what steps of a run that cost the same have in common, and how tables name it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

import pandas as pd

from ffenergy.rules.kit.stages import HEAD

COLUMNS: Final = ("what", "stage", "part", "images", "short")
"""What tables of steps say of a kind, beside its label and samples."""


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

    @property
    def serves_layers(self) -> bool:
        """Whether hidden layers learn in it, or from what it makes."""
        return self.what in (What.TRAIN, What.PREPARE) and self.part != HEAD

    def row(self) -> tuple[str | bool, ...]:
        """The values of ``COLUMNS``."""
        return str(self.what), self.stage, self.part, self.images, self.short


def trains_layers(steps: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``steps``, a table with ``COLUMNS``, in which hidden layers learn."""
    return steps[(steps["what"] == What.TRAIN) & (steps["part"] != HEAD)]


def full_batches(steps: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``steps`` in which all hidden layers learn from full batches."""
    found = trains_layers(steps)
    return found[(found["part"].fillna("") == "") & ~found["short"].astype(bool)]


def rows_of(table: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table per algorithm and step that belong to those of ``steps``."""
    chosen = set(keys_of(steps))
    return table.loc[[key in chosen for key in keys_of(table)]]  # also of a table without rows


def keys_of(table: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The algorithm and step of every row."""
    return zip(table["algorithm"].tolist(), table["step"].tolist(), strict=True)


def times_of(steps: pd.DataFrame) -> dict[tuple[str, str], int | Fraction]:
    """How often each step of an algorithm is taken, or which share of it counts."""
    return dict(zip(keys_of(steps), steps["steps"].tolist(), strict=True))
