"""How much of what removing backprop saves is real, in figures and in short sentences."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from ffenergy.costs.decomposition import TOTAL, DecompositionError, exact_total
from ffenergy.report.numbers import figure, percent, quantity


@dataclass(frozen=True, slots=True)
class Answer:
    """The figures behind the answer, all in `unit` ("B", "J", "ByteDMD", …) over one `scope`.

    ``saved`` is what the backward phase costs backprop more than Forward-Forward (gross);
    ``added_back`` all other parts together; ``normalisation`` the part among them that is L2
    normalisation. ``saved - added_back`` is what is really saved, up to float rounding.
    """

    measure: str
    unit: str
    scope: str
    backprop: float
    forward_forward: float
    saved: float
    added_back: float
    normalisation: float

    @property
    def kept(self) -> float:
        """What remains of the saving; negative if Forward-Forward costs more."""
        return self.backprop - self.forward_forward

    @property
    def kept_share(self) -> float:
        """Share of the saving that is real; negative if none is, NaN without a saving."""
        return self.kept / self.saved if self.saved > 0 else math.nan

    @property
    def normalisation_share(self) -> float:
        """Share of the saving that L2 normalisation eats; NaN without a saving."""
        return self.normalisation / self.saved if self.saved > 0 else math.nan

    def sentences(self) -> str:
        """Return the answer in two or three short sentences; every number in them is computed."""
        whole = quantity(self.backprop, self.unit)
        eaten = f"{self._normalisation_clause()}."
        if self.saved <= 0:
            return (
                f"{self.scope}, backprop ({whole}) spends nothing on the backward phase that"
                f" Forward-Forward ({quantity(self.forward_forward, self.unit)}) would save."
                f" {eaten}"
            )
        saving = (
            f"{self.scope}, removing the backward pass saves {quantity(self.saved, self.unit)}"
            f" ({percent(self.saved / self.backprop)} of backprop's {whole})."
        )
        if self.added_back < 0:
            return (
                f"{saving} Forward-Forward's other phases save another"
                f" {quantity(-self.added_back, self.unit)}, so all of the saving is real. {eaten}"
            )
        back = f"{saving} Forward-Forward adds back {quantity(self.added_back, self.unit)}, so"
        if self.kept > 0:
            return f"{back} {percent(self.kept_share)} of the saving is real. {eaten}"
        if self.kept == 0:
            return f"{back} none of the saving is real and the two cost the same. {eaten}"
        return (
            f"{back} none of the saving is real: it costs"
            f" {figure(self.forward_forward / self.backprop)} times what backprop costs. {eaten}"
        )

    def _normalisation_clause(self) -> str:
        cost = quantity(abs(self.normalisation), self.unit)
        if self.normalisation == 0:
            return "L2 normalisation eats none of it"
        if self.normalisation < 0:
            return f"L2 normalisation costs {cost} less than in backprop"
        if self.saved <= 0:
            return f"L2 normalisation costs {cost} on top"
        if self.normalisation > self.saved:
            return (
                f"L2 normalisation alone costs {figure(self.normalisation_share)} times the"
                f" saving ({cost})"
            )
        share = percent(self.normalisation_share)
        return f"L2 normalisation alone eats {share} of the saving ({cost})"


def answer(decomposition: pd.DataFrame, measure: str, unit: str, scope: str) -> Answer:
    """Read the answer for `measure` off an ungrouped result of ``decompose``.

    `unit` is the unit of the measure, `scope` opens the sentence and says what was counted and
    how, for example "Over one epoch, fused, under jouppi-7nm-hbm2".
    """
    rows = decomposition[decomposition["measure"] == measure].set_index("part")
    if rows.empty or not rows.index.is_unique:
        raise DecompositionError(
            f"the decomposition has {'no' if rows.empty else 'several'} rows for {measure!r};"
            " give one ungrouped decomposition that contains it"
        )
    difference = rows["difference"]
    removed = difference["backward_pass_removed"]
    others = difference.drop([TOTAL, "backward_pass_removed"])
    return Answer(
        measure=measure,
        unit=unit,
        scope=scope,
        backprop=rows["backprop"][TOTAL],
        forward_forward=rows["forward_forward"][TOTAL],
        saved=-removed,
        added_back=exact_total(others),
        normalisation=difference["normalisation_added"],
    )
