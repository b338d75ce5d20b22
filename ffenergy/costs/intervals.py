"""Energies of priced steps under every draw of a profile's constants: intervals are of them.

The two sides of a ratio, and the parts of a difference, take the same draws (`energy.chip`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.decomposition import ORDER, PART_OF_PHASE, PARTS, TOTAL, scopes
from ffenergy.costs.distances import MOVED, Distances, distances
from ffenergy.costs.run_costs import PricedKind
from ffenergy.costs.step_costs import WORK
from ffenergy.costs.under_profile import at_distances, levels
from ffenergy.energy import Profile
from ffenergy.energy.chip import FloatArray, Interval, energies, ratio
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

SHARES: Final = ("share_low", "share_high")
"""Columns beside ``share_of_backprop``: the ends that hold 90 % of the draws."""

Times = Mapping[str, int | Fraction]
"""How often a step counts, by its digest."""


class DrawnSteps:
    """Steps of one algorithm in one reading: what they computed and moved, under any profile.

    Every energy is one figure per draw of the profile's constants, the first as they stand.
    """

    def __init__(self, kinds: Iterable[PricedKind], algorithm: str) -> None:
        own = [kind for kind in kinds if kind.algorithm == algorithm]
        self.steps = added((kind.digest, kind.steps) for kind in own)
        self.costs = {kind.digest: kind.costs for kind in own}
        work = [one.work.assign(digest=digest) for digest, one in self.costs.items()]
        self.work = pd.concat(work) if work else pd.DataFrame(columns=[*WORK, "dtype", "digest"])

    @cached_property
    def found(self) -> Distances:
        """Their distances, in the memories that were analysed."""
        return distances(self.costs)

    def energies(self, profile: Profile, memory: str) -> FloatArray:
        """Arithmetic and movement of all steps together."""
        return energies(profile, *self._counted(profile, memory, self.steps))

    def arithmetic(self, profile: Profile, memory: str) -> FloatArray:
        """Arithmetic alone."""
        work, moved = self._counted(profile, memory, self.steps)
        return energies(profile, work, moved.iloc[:0])

    def movement(self, profile: Profile, memory: str) -> FloatArray:
        """Movement alone."""
        work, moved = self._counted(profile, memory, self.steps)
        return energies(profile, work.iloc[:0], moved)

    def parts(self, profile: Profile, memory: str, times: Times) -> dict[str, FloatArray]:
        """By part of the decomposition, their sum as `TOTAL`; steps without ``times`` are not."""
        work, moved = self._counted(profile, memory, times)
        computed, travelled = (table["phase"].map(PART_OF_PHASE) for table in (work, moved))
        found = {
            part: energies(profile, work[computed == part], moved[travelled == part])
            for part in PARTS
        }
        return {**found, TOTAL: np.sum(list(found.values()), axis=0)}

    def _counted(
        self, profile: Profile, memory: str, times: Times
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Arithmetic and moved bytes of all steps, as `chip.energies` has them."""
        if profile.levels:
            moved = levels(self.found, profile, memory)
        else:
            moved = at_distances(self.found, self.costs, memory)
        return _times(self.work, WORK, times), _times(moved, MOVED, times)


def _times(table: pd.DataFrame, numbers: Sequence[str], times: Times) -> pd.DataFrame:
    """The rows of steps that count, as often as they do."""
    by_row = table["digest"].map({digest: float(n) for digest, n in times.items()})
    scaled = table.assign(**{name: table[name] * by_row for name in numbers})
    return scaled[by_row.notna()]


def added(found: Iterable[tuple[str, int | Fraction]]) -> Times:
    """Numbers by digest; of those that come several times, the sum."""
    times: dict[str, int | Fraction] = {}
    for digest, n in found:
        times[digest] = times.get(digest, 0) + n
    return times


Drawn = Mapping[tuple[str, str, str], FloatArray]
"""Energies by scope, algorithm and part."""


def drawn_parts(
    kinds: Sequence[PricedKind],
    steps: pd.DataFrame,
    profile: Profile,
    memory: str,
    *,
    whole_run: bool,
) -> Drawn:
    """The parts of both rules; ``steps`` as in ``steps.csv``, the scopes of `decomposition`."""
    found: dict[tuple[str, str, str], FloatArray] = {}
    for algorithm in (FORWARD_FORWARD, BACKPROP):
        one = DrawnSteps(kinds, algorithm)
        for scope, table in scopes(steps, whole_run=whole_run).items():
            own = table[table["algorithm"] == algorithm]
            times = added(zip(own["digest"], own["steps"], strict=True))
            parts = one.parts(profile, memory, times)
            found |= {(scope, algorithm, part): drawn for part, drawn in parts.items()}
    return found


def eaten(drawn: Drawn, scope: str) -> Interval | None:
    """Share of what removing the backward pass saves that L2 normalisation eats.

    None where nothing is saved under some draw of the constants.
    """
    added, removed = (
        drawn[scope, FORWARD_FORWARD, part] - drawn[scope, BACKPROP, part]
        for part in (PART_OF_PHASE["normalize"], PART_OF_PHASE["backward"])
    )
    return ratio(added, -removed) if (removed < 0).all() else None


def with_shares(parts: pd.DataFrame, measure: str, usual: Drawn, best: Drawn) -> pd.DataFrame:
    """A result of `with_order` with the columns `SHARES`, empty but where ``measure`` is energy.

    ``usual`` and ``best`` are drawn as the parts of the two tables were priced.
    """
    found = {
        (scope, part): ratio(
            _part(usual, best, scope, FORWARD_FORWARD, part)
            - _part(usual, best, scope, BACKPROP, part),
            best[scope, BACKPROP, TOTAL],
        )
        for scope in dict.fromkeys(parts["scope"])
        for part in (*PARTS, ORDER, TOTAL)
    }
    rows = zip(parts["measure"], parts["scope"], parts["part"], strict=True)
    ends = [
        (found[scope, part].low, found[scope, part].high) if name == measure else (None, None)
        for name, scope, part in rows
    ]
    return parts.join(pd.DataFrame(ends, parts.index, list(SHARES), dtype=float))


def _part(usual: Drawn, best: Drawn, scope: str, algorithm: str, part: str) -> FloatArray:
    if part == TOTAL:
        return best[scope, algorithm, TOTAL]
    if part == ORDER:
        return best[scope, algorithm, TOTAL] - usual[scope, algorithm, TOTAL]
    return usual[scope, algorithm, part]
