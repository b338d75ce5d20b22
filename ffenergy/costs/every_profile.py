"""Forward-Forward over backprop under every hardware profile, with what its constants leave open.

The run as it runs is priced under each from the distances that its analyses have; the best orders
are closed forms, at each chip's own size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import pandas as pd

from ffenergy.costs import map as whole_map
from ffenergy.costs.distances import MOVED, distances
from ffenergy.costs.network import network_of
from ffenergy.costs.run_costs import PricedKind
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, Scenarios, on_chip_bytes
from ffenergy.costs.step_costs import WORK
from ffenergy.costs.under_profile import at_distances, levels
from ffenergy.energy import PricingError, Profile
from ffenergy.energy.chip import ratio
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

COLUMNS: Final = (
    *("profile", "energy_unit", "on_chip_bytes"),
    *("ratio_as_it_runs", "ratio_as_it_runs_low", "ratio_as_it_runs_high"),
    *("ratio_best_order", "ratio_best_order_low", "ratio_best_order_high", "energy_winner"),
)
"""Energy of Forward-Forward over that of backprop, with the interval of 90 % of the draws of a
profile's constants. As it runs: of the run (or of a batch). In the best orders, and who wins: of
a batch by the closed forms of `map`, empty for a network without them."""


def ratios(ways: Scenarios, profiles: Iterable[Profile]) -> pd.DataFrame:
    """A row per profile that prices every type of the run; empty without both algorithms."""
    reading, memory = SCENARIOS[AS_IT_RUNS]
    both = {FORWARD_FORWARD, BACKPROP}
    if not both <= set(ways.algorithms):
        return pd.DataFrame(columns=list(COLUMNS))
    own = {name: _Own(ways.of_reading(reading), name) for name in both}
    rows = []
    for profile in profiles:
        try:
            found = {name: one.priced(profile, memory) for name, one in own.items()}
            one = ratio(profile, found[FORWARD_FORWARD], found[BACKPROP])
        except PricingError:
            continue
        rows.append(
            {
                "profile": profile.name,
                "energy_unit": profile.result_unit,
                "on_chip_bytes": on_chip_bytes(profile),
                "ratio_as_it_runs": one.value,
                "ratio_as_it_runs_low": one.low,
                "ratio_as_it_runs_high": one.high,
                **_best_order(ways, profile),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


class _Own:
    """Steps of one algorithm: their arithmetic and distances, found once for all profiles."""

    def __init__(self, kinds: Sequence[PricedKind], algorithm: str) -> None:
        own = [kind for kind in kinds if kind.algorithm == algorithm]
        self.steps = {kind.digest: kind.steps for kind in own}
        self.costs = {kind.digest: kind.costs for kind in own}
        work = [one.work.assign(digest=digest) for digest, one in self.costs.items()]
        self.work = _times(pd.concat(work), WORK, self.steps)
        self.found = distances(self.costs)

    def priced(self, profile: Profile, memory: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Arithmetic and moved bytes of all steps, as `intervals.energies` has them."""
        moved = levels(self.found, profile, memory)
        if not profile.levels:
            moved = at_distances(self.found, self.costs, memory)
        return self.work, _times(moved, MOVED, self.steps)


def _times(
    table: pd.DataFrame, numbers: Sequence[str], steps: Mapping[str, int | Fraction]
) -> pd.DataFrame:
    times = table["digest"].map({digest: float(n) for digest, n in steps.items()})
    return table.assign(**{name: table[name] * times for name in numbers})


def _best_order(ways: Scenarios, profile: Profile) -> dict[str, Any]:
    network = network_of(ways.work.settings)
    if network is None:
        return {}
    size = on_chip_bytes(profile)
    row = whole_map.rows([network], [size], [profile], [FORWARD_FORWARD]).iloc[0]
    return {
        "ratio_best_order": row["ratio_to_backprop"],
        "ratio_best_order_low": row["ratio_low"],
        "ratio_best_order_high": row["ratio_high"],
        "energy_winner": str(row["energy_winner"]).replace("rule,", "Forward-Forward,"),
    }
