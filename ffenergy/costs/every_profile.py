"""Forward-Forward over backprop under every hardware profile, with what its constants leave open.

The run as it runs is priced under each from the distances that its analyses have; the best orders
are closed forms, at each chip's own size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import pandas as pd

from ffenergy.costs import map as whole_map
from ffenergy.costs.network import network_of
from ffenergy.costs.prices import MANAGED
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, Scenarios, on_chip_bytes
from ffenergy.energy import PricingError, Profile
from ffenergy.energy.chip import ratio
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

COLUMNS: Final = (
    *("profile", "energy_unit", "on_chip_bytes", "memory_as_it_runs"),
    *("ratio_as_it_runs", "ratio_as_it_runs_low", "ratio_as_it_runs_high", "memory_best_order"),
    *("ratio_best_order", "ratio_best_order_low", "ratio_best_order_high", "energy_winner"),
)
"""Energy of Forward-Forward over that of backprop, with the interval of 90 % of the draws of a
profile's constants. As it runs: of the run (or of a batch). In the best orders, and who wins: of
a batch by the closed forms of `map`, empty for a network without them."""


def ratios(ways: Scenarios, profiles: Iterable[Profile]) -> pd.DataFrame:
    """A row per profile that prices every type of the run; empty without both algorithms."""
    memory = SCENARIOS[AS_IT_RUNS][1]
    if not {FORWARD_FORWARD, BACKPROP} <= set(ways.algorithms):
        return pd.DataFrame(columns=list(COLUMNS))
    rows = []
    for profile in profiles:
        try:
            one = ratio(
                *(
                    ways.steps_of(name, AS_IT_RUNS).energies(profile, memory)
                    for name in (FORWARD_FORWARD, BACKPROP)
                )
            )
        except PricingError:
            continue
        rows.append(
            {
                "profile": profile.name,
                "energy_unit": profile.result_unit,
                "on_chip_bytes": on_chip_bytes(profile),
                "memory_as_it_runs": memory,
                "ratio_as_it_runs": one.value,
                "ratio_as_it_runs_low": one.low,
                "ratio_as_it_runs_high": one.high,
                **_best_order(ways, profile),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _best_order(ways: Scenarios, profile: Profile) -> dict[str, Any]:
    network = network_of(ways.work.settings)
    if network is None:
        return {}
    size = on_chip_bytes(profile)
    row = whole_map.rows([network], [size], [profile], [FORWARD_FORWARD]).iloc[0]
    return {
        "memory_best_order": MANAGED,
        "ratio_best_order": row["ratio_to_backprop"],
        "ratio_best_order_low": row["ratio_low"],
        "ratio_best_order_high": row["ratio_high"],
        "energy_winner": str(row["energy_winner"]).replace("rule,", "Forward-Forward,"),
    }
