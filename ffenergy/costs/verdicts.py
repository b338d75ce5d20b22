"""Who wins on the map, by bytes or by energy, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ffenergy.energy.chip import SHARE, FloatArray

CLOSE: Final = 0.05
"""Formulas of best orders decide between two rules only if they differ by more than this."""
MARGIN: Final = 0.02
"""What is taken as equal in energy: the model of on-chip bytes is no closer than that."""


class Verdict(StrEnum):
    """Which of a rule and backprop costs less, and how that is known."""

    RULE_PROVEN = "rule, proven"
    RULE_MEASURED = "rule, measured"
    RULE_KNOWN = "rule, best known orders"
    UNDECIDED = "undecided"
    BP_KNOWN = "backprop, best known orders"
    BP_MEASURED = "backprop, measured"
    BP_PROVEN = "backprop, proven"


SCALE: Final = tuple(Verdict)
"""From the rule's proven to backprop's proven win."""


class OffChip(NamedTuple):
    """Bytes off the chip of one rule: ``best``, ``sure`` and ``bound`` as in `Energies`."""

    best: float
    sure: float
    bound: float


def by_bytes(rule: OffChip, backprop: OffChip) -> Verdict:
    """Who moves fewer bytes off the chip."""
    if rule.sure < backprop.bound:
        return Verdict.RULE_PROVEN
    if backprop.sure < rule.bound:
        return Verdict.BP_PROVEN
    if rule.best < (1 - CLOSE) * backprop.best:
        return Verdict.RULE_KNOWN
    if backprop.best < (1 - CLOSE) * rule.best:
        return Verdict.BP_KNOWN
    return Verdict.UNDECIDED


@dataclass(frozen=True)
class Energies:
    """Joules (or MAC) of a batch of one rule, arrays of (networks, draws).

    best: in the best known order. sure: in the best order of `schedules`, which runs. bound: at the
    bound. usual: in step-major order. lru: in an LRU, NaN where no order is known.
    """

    best: FloatArray
    sure: FloatArray
    bound: FloatArray
    usual: FloatArray
    lru: FloatArray


def by_energy(rule: Energies, backprop: Energies) -> npt.NDArray[np.int64]:
    """Who spends less energy, whatever the constants are within their ranges: places on `SCALE`.

    A place per network. A win counts as proven, or known, if it holds by 2 % or more in 95 % of the
    draws of the constants; bytes off the chip are those of bounds and best orders, all else is the
    model of `batch_energy`, the same for both.
    """
    sure = (1 + SHARE) / 2  # the upper end of a two-sided interval

    def cheaper(one: FloatArray, other: FloatArray) -> npt.NDArray[np.bool_]:
        return np.asarray((one < (1 - MARGIN) * other).mean(axis=-1) >= sure)

    place = np.full(rule.best.shape[:-1], SCALE.index(Verdict.UNDECIDED), dtype=np.int64)
    place[cheaper(rule.best, backprop.best)] = SCALE.index(Verdict.RULE_KNOWN)
    place[cheaper(backprop.best, rule.best)] = SCALE.index(Verdict.BP_KNOWN)
    place[cheaper(rule.sure, backprop.bound)] = SCALE.index(Verdict.RULE_PROVEN)
    place[cheaper(backprop.sure, rule.bound)] = SCALE.index(Verdict.BP_PROVEN)
    return place


def with_measurement(verdict: Verdict, ratio: float) -> Verdict:
    """The verdict where a measured ratio of the rule to backprop is at hand; a proof stands."""
    if verdict in (Verdict.RULE_PROVEN, Verdict.BP_PROVEN) or not ratio > 0:
        return verdict
    if ratio < 1 - CLOSE:
        return Verdict.RULE_MEASURED
    return Verdict.BP_MEASURED if ratio > 1 + CLOSE else Verdict.UNDECIDED
