"""Who wins: by proof, by measurement, by the best known orders, or nobody knows.

A schedule of one rule below the *bound* of the other is a proof: no program of the other rule in
the bound's class does better. Where no bound decides, the best known orders are compared, and
measured programs where there are any.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from ffenergy.energy.uncertainty import SHARE, FloatArray

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


def by_bytes(rule_best: float, rule_bound: float, bp_best: float, bp_bound: float) -> Verdict:
    """Who moves fewer bytes off the chip: best known orders and lower bounds of both."""
    if rule_best < bp_bound:
        return Verdict.RULE_PROVEN
    if bp_best < rule_bound:
        return Verdict.BP_PROVEN
    if rule_best < (1 - CLOSE) * bp_best:
        return Verdict.RULE_KNOWN
    if bp_best < (1 - CLOSE) * rule_best:
        return Verdict.BP_KNOWN
    return Verdict.UNDECIDED


def by_energy(
    rule_best: FloatArray, rule_bound: FloatArray, bp_best: FloatArray, bp_bound: FloatArray
) -> npt.NDArray[np.int64]:
    """Who spends less energy, whatever the constants are within their ranges: places on `SCALE`.

    Arrays of (…, draws); the answer has the shape without the draws. A win counts as proven, or
    known, if it holds by 2 % or more in 95 % of the draws of the constants; bytes off the chip are
    those of bounds and best orders, all else is the model of `batch_energy`, the same for both.
    """
    sure = (1 + SHARE) / 2  # the upper end of a two-sided interval

    def cheaper(one: FloatArray, other: FloatArray) -> npt.NDArray[np.bool_]:
        return np.asarray((one < (1 - MARGIN) * other).mean(axis=-1) >= sure)

    place = np.full(rule_best.shape[:-1], SCALE.index(Verdict.UNDECIDED), dtype=np.int64)
    place[cheaper(rule_best, bp_best)] = SCALE.index(Verdict.RULE_KNOWN)
    place[cheaper(bp_best, rule_best)] = SCALE.index(Verdict.BP_KNOWN)
    place[cheaper(rule_best, bp_bound)] = SCALE.index(Verdict.RULE_PROVEN)
    place[cheaper(bp_best, rule_bound)] = SCALE.index(Verdict.BP_PROVEN)
    return place


def with_measurement(verdict: Verdict, ratio: float) -> Verdict:
    """The verdict where a measured ratio of the rule to backprop is at hand; a proof stands."""
    if verdict in (Verdict.RULE_PROVEN, Verdict.BP_PROVEN) or not ratio > 0:
        return verdict
    if ratio < 1 - CLOSE:
        return Verdict.RULE_MEASURED
    return Verdict.BP_MEASURED if ratio > 1 + CLOSE else Verdict.UNDECIDED
