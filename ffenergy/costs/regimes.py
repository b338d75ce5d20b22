"""The answer by regime: no layer fits on the chip, one does, all do; as it runs, well built, least.

Energies are those of `as_it_runs`: arithmetic, bytes beyond an inner buffer of 32 KiB at the price
of a memory of that size, bytes beyond the memory at that of the one behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from ffenergy.costs import as_it_runs, best_orders, bounds
from ffenergy.costs import map as whole_map
from ffenergy.costs.best_orders import Built
from ffenergy.costs.network import Layers, Network
from ffenergy.costs.on_chip import power_below
from ffenergy.costs.prices import PRICED_GRAIN, Prices
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import PricedKind, tabulate
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, THE_LEAST, WELL_BUILT, order_of
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

RULES: Final = (FORWARD_FORWARD, BACKPROP)
COLUMNS: Final = (
    *("regime", "on_chip_bytes", "scenario", "reading", "memory", "algorithm"),
    *("order", "in_flight", "groups", "off_chip_bytes", "energy", "ratio_to_backprop"),
    "peak_live_bytes",
)
"""Columns of `table`; bytes and energies are of a batch, energies in the profile's unit."""


def sizes(network: Network, rule: str = FORWARD_FORWARD) -> dict[str, int]:
    """A power of two of on-chip bytes in each regime: below one layer, between, above all."""
    one, every = whole_map.regimes(network, rule)
    layers = Layers(rule, network)
    room = 4 * layers.largest_boundary
    between = 2 * power_below(one + room - 1)
    return {
        "no layer fits": max(power_below(one // 2), 2 * as_it_runs.INNER_BYTES),
        "one layer fits": between,
        "all fit": max(2 * power_below(every + room - 1), 2 * between),
    }


def table(usual: Prices, work: Workload, network: Network, profile: Profile) -> pd.DataFrame:
    """Forward-Forward and backprop in every regime and scenario, columns `COLUMNS`.

    ``usual`` is a measured step of both, as it runs: the same program in all regimes. Well built,
    each rule is in its best order for each size.
    """
    known: dict[str, StepCosts] = {}
    rows: list[dict[str, Any]] = []
    for regime, size in sizes(network).items():

        def spent_by(kinds: Sequence[PricedKind], size: int = size) -> float:
            (spent,) = _energies(_prices(kinds, profile, WELL_BUILT), network, profile, size)
            return spent

        found = {
            name: best_orders.built(name, work, size, spent_by, whole_run=False, known=known)
            for name in RULES
        }
        best = {name: one for name, one in found.items() if one is not None}
        kinds = [kind for one in best.values() for kind in one.kinds]
        built = _prices(kinds, profile, WELL_BUILT)
        named = {"regime": regime, "on_chip_bytes": size}
        rows += [named | row for row in _measured(usual, AS_IT_RUNS, network, profile, size, {})]
        rows += [named | row for row in _measured(built, WELL_BUILT, network, profile, size, best)]
        rows += [named | row for row in _least(network, profile, size)]
    found_rows = pd.DataFrame(rows)
    keys = ["regime", "scenario"]
    base = found_rows[found_rows["algorithm"] == BACKPROP].set_index(keys)["energy"]
    over = base.reindex(pd.MultiIndex.from_frame(found_rows[keys])).to_numpy()
    found_rows["ratio_to_backprop"] = found_rows["energy"] / over
    whole = dict.fromkeys(("in_flight", "peak_live_bytes"), "Int64")
    return found_rows.reindex(columns=list(COLUMNS)).astype(whole)


def _prices(kinds: Sequence[PricedKind], profile: Profile, scenario: str) -> Prices:
    return tabulate(kinds, [profile], whole_run=False, memory=SCENARIOS[scenario][1])


def _accounting(scenario: str) -> str:
    return "eager" if scenario == AS_IT_RUNS else best_orders.ACCOUNTING


def _energies(
    prices: Prices, network: Network, profile: Profile, size: int, scenario: str = WELL_BUILT
) -> list[float]:
    """Energies of a batch with ``size`` bytes on the chip, by algorithm in the order of `RULES`."""
    memory = SCENARIOS[scenario][1]
    found = as_it_runs.energies(prices, network, profile, _accounting(scenario), memory)
    there = [name for name in RULES if name in found]
    at = found[found["on_chip_bytes"] <= size].iloc[-1]
    return [float(at[name]) for name in there]


def _measured(
    prices: Prices,
    scenario: str,
    network: Network,
    profile: Profile,
    size: int,
    best: dict[str, Built],
) -> list[dict[str, Any]]:
    """Rows of programs that were recorded."""
    spent = _energies(prices, network, profile, size, scenario)
    reading, memory = SCENARIOS[scenario]
    rows = []
    for name, joules in zip(RULES, spent, strict=True):
        order, in_flight, groups = "step-major", 1, ""
        if name in best:
            order, in_flight, groups = order_of(name, best[name].settings)
        peak = prices.peak
        mine = (peak["algorithm"] == name) & (peak["accounting"] == _accounting(scenario))
        rows.append(
            {
                "scenario": scenario,
                "reading": reading,
                "memory": memory,
                "algorithm": name,
                "order": order,
                "in_flight": in_flight,
                "groups": groups,
                "off_chip_bytes": _beyond(prices, name, _accounting(scenario), memory, size),
                "energy": joules,
                "peak_live_bytes": int(peak.loc[mine, "peak_live_bytes"].max()),
            }
        )
    return rows


def _beyond(prices: Prices, algorithm: str, accounting: str, memory: str, size: int) -> float:
    """Bytes of a batch beyond a memory."""
    named = {"algorithm": algorithm, "accounting": accounting, "memory": memory}
    named["grain"] = PRICED_GRAIN
    every = prices.misses
    chosen = every[(every[list(named)] == pd.Series(named)).all(axis=1)]
    shares = as_it_runs.shares(prices, chosen)
    moved = (chosen["bytes_read"] + chosen["bytes_written"]) * shares
    kept = chosen.assign(moved=moved)[chosen["capacity_bytes"] <= size]
    return float(kept.groupby("step")["moved"].last().sum())


def _least(network: Network, profile: Profile, size: int) -> list[dict[str, Any]]:
    """Rows of the bounds."""
    reading, memory = SCENARIOS[THE_LEAST]
    rows = []
    for name in RULES:
        found = whole_map.rows([network], [size], [profile], [FORWARD_FORWARD])
        row = found[found["rule"] == name].iloc[0]
        bound = bounds.least(name, network, size)
        rows.append(
            {
                "scenario": THE_LEAST,
                "reading": reading,
                "memory": memory,
                "algorithm": name,
                "off_chip_bytes": float(bound.nbytes),
                "energy": float(row["energy_bound"]),
            }
        )
    return rows
