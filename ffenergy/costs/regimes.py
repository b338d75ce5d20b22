"""The answer by regime: no layer fits on the chip, one does, all do; as it runs, well built, least.

Energies are those of `as_it_runs`: arithmetic, bytes beyond an inner buffer of 32 KiB at the price
of a memory of that size, bytes beyond the memory at that of the one behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

import pandas as pd

from ffenergy.costs import as_it_runs, best_orders
from ffenergy.costs import map as whole_map
from ffenergy.costs.best_orders import Built
from ffenergy.costs.further import Further, bearable, with_managed
from ffenergy.costs.network import Network, layers_of, order_of
from ffenergy.costs.on_chip import power_below
from ffenergy.costs.prices import MANAGED, PRICED_GRAIN, Prices
from ffenergy.costs.rehearsal import STEPS, Recording, Workload
from ffenergy.costs.run_costs import PricedKind, tabulate
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, THE_LEAST, WELL_BUILT
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile
from ffenergy.energy.chip import Chip, FloatArray, ratio
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

RULES: Final = (FORWARD_FORWARD, BACKPROP)
COLUMNS: Final = (
    *("regime", "on_chip_bytes", "scenario", "reading", "memory", "algorithm"),
    *("order", "in_flight", "groups", "off_chip_bytes"),
    *("profile", "energy_unit", "energy", "ratio_to_backprop", "ratio_low", "ratio_high"),
    *("managed_off_chip_bytes", "managed_least_bytes", "managed_energy"),
    *("managed_ratio_to_backprop", "managed_ratio_low", "managed_ratio_high"),
    "peak_live_bytes",
)
"""Columns of `table`; bytes and energies are of a batch, bytes whole, energies in
``energy_unit``; 90 % of the draws of the constants lie between low and high. Those called managed
are of the same tiled program where the memory is managed, by a schedule that exists
(``managed_least_bytes``: off the chip, what no schedule goes below); empty where a program has too
many accesses for that."""


def sizes(network: Network, rule: str = FORWARD_FORWARD) -> dict[str, int]:
    """A power of two of on-chip bytes in each regime: below one layer, between, above all.

    All are larger than the inner buffer. A regime that has no such size is left out: a small layer
    always fits, and where one layer has nearly all of the state, all fit as soon as it does.
    """
    one, every = whole_map.regimes(network, rule)
    layers = layers_of(rule, network)
    room = 4 * layers.largest_boundary
    least = 2 * as_it_runs.INNER_BYTES
    below = max(power_below(max(one // 2, 1)), least)
    between = 2 * power_below(one + room - 1)
    found = {"no layer fits": below} if below < one else {}
    if least <= between < every:
        found["one layer fits"] = between
    return found | {"all fit": max(2 * power_below(every + room - 1), 2 * between, least)}


def managed_sizes(network: Network) -> tuple[int, ...]:
    """Sizes at which a memory is managed for `table`: the inner buffer, and one in each regime."""
    return (as_it_runs.INNER_BYTES, *sizes(network).values())


def managed_analysis(network: Network) -> Further:
    """What `table` wants to know of a program as it runs besides: the same in a managed memory."""

    def managed(costs: StepCosts, recording: Recording) -> StepCosts:
        if not bearable(costs, as_it_runs.READING, STEPS):
            return costs
        return with_managed(costs, recording, managed_sizes(network), (as_it_runs.READING,))

    return managed


def table(usual: Prices, work: Workload, network: Network, profile: Profile) -> pd.DataFrame:
    """Forward-Forward and backprop in every regime and scenario, columns `COLUMNS`.

    ``usual`` is a measured step of both, as it runs: the same program in all regimes, in a managed
    memory too where it has a `managed_analysis`. Well built, each rule is in its best order for
    each size.
    """
    known: dict[str, StepCosts] = {}
    managed: dict[str, StepCosts] = {}
    tried: dict[tuple[str, ...], Prices] = {}  # most orders are those of every size
    rows: list[dict[str, Any]] = []
    for regime, size in sizes(network).items():

        def spent_by(kinds: Sequence[PricedKind], size: int = size) -> float:
            digests = tuple(kind.digest for kind in kinds)
            if digests not in tried:
                tried[digests] = _prices(kinds, profile)
            spent = _energies(tried[digests], network, profile, size, WELL_BUILT)
            return sum(float(one[0]) for one in spent.values())

        best = best_orders.built(RULES, work, size, spent_by, whole_run=False, known=known)
        again = (
            best_orders.managed(one, work, managed_sizes(network), managed) for one in best.values()
        )
        kinds = [kind for one in best.values() for kind in one.kinds]
        kept = [kind for one in again if one is not None for kind in one.kinds]
        runs = _Priced(AS_IT_RUNS, usual, usual, {})
        built = _Priced(WELL_BUILT, _prices(kinds, profile), _prices(kept, profile), best)
        cells = [*_rows(runs, network, profile, size), *_rows(built, network, profile, size)]
        cells += _least(network, profile, size)
        rows += [{"regime": regime, "on_chip_bytes": size} | cell for cell in cells]
    found = pd.DataFrame([row for own in _by_scenario(rows) for row in _with_ratios(own)])
    found = found.assign(profile=profile.name, energy_unit=profile.result_unit)
    whole = ["in_flight", *(name for name in COLUMNS if name.endswith("_bytes"))]
    return found.reindex(columns=list(COLUMNS)).astype(dict.fromkeys(whole, "Int64"))


def _by_scenario(rows: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows of one regime and scenario together."""
    for _, own in groupby(rows, key=lambda row: (row["regime"], row["scenario"])):
        yield list(own)


def _with_ratios(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One scenario's rows with energies as the constants stand, and ratios to backprop's."""
    base = next((row for row in rows if row["algorithm"] == BACKPROP), {})
    for row in rows:
        found = dict(row)
        for name in ("", "managed_"):
            ours, theirs = row.get(f"{name}energy"), base.get(f"{name}energy")
            if ours is None:
                continue
            found[f"{name}energy"] = ours[0]
            if theirs is not None:
                one = ratio(ours, theirs)
                found[f"{name}ratio_to_backprop"] = one.value
                found |= {f"{name}ratio_low": one.low, f"{name}ratio_high": one.high}
        yield found


def ratios(table: pd.DataFrame, network: Network) -> pd.DataFrame:
    """What `table` has of well built programs for the map: columns as `map.with_measured` takes."""
    built = table[(table["scenario"] == WELL_BUILT) & (table["algorithm"] != BACKPROP)]
    return pd.DataFrame(
        {
            "layer_sizes": "-".join(map(str, network.layer_sizes)),
            "optimizer": network.optimizer,
            "batch_size": network.batch_size,
            "on_chip_bytes": built["on_chip_bytes"].astype("int64"),
            "rule": built["algorithm"],
            "profile": built["profile"],
            "ratio_managed": built["managed_ratio_to_backprop"],
            "ratio_scratchpad": built["ratio_to_backprop"],
        }
    )


class _Priced(NamedTuple):
    """A scenario's programs, in its own memory and in a managed one."""

    scenario: str
    prices: Prices
    managed: Prices
    best: dict[str, Built]

    @property
    def accounting(self) -> str:
        """How its bytes are counted."""
        return _accounting(self.scenario)


def _prices(kinds: Sequence[PricedKind], profile: Profile) -> Prices:
    return tabulate(kinds, [profile], whole_run=False, memory=SCENARIOS[WELL_BUILT][1])


def _accounting(scenario: str) -> str:
    return "eager" if scenario == AS_IT_RUNS else best_orders.ACCOUNTING


def _energies(
    prices: Prices,
    network: Network,
    profile: Profile,
    size: int,
    scenario: str,
    memory: str | None = None,
) -> Mapping[str, FloatArray]:
    """Energies of a batch with ``size`` bytes on the chip, by algorithm; none if nothing is there.

    ``memory`` is another than the scenario's own.
    """
    memory = memory or SCENARIOS[scenario][1]
    if memory not in set(prices.misses["memory"]):
        return {}
    found = as_it_runs.drawn(prices, network, profile, _accounting(scenario), memory)
    at = found[max(one for one in found if one <= size)]
    return {name: at[name] for name in RULES if name in at}


def _rows(own: _Priced, network: Network, profile: Profile, size: int) -> list[dict[str, Any]]:
    """Rows of programs that were recorded."""
    spent = _energies(own.prices, network, profile, size, own.scenario)
    managed = _energies(own.managed, network, profile, size, own.scenario, MANAGED)
    reading, memory = SCENARIOS[own.scenario]
    rows = []
    for name, joules in spent.items():
        order, in_flight, groups = "step-major", 1, ""
        if name in own.best:
            order, in_flight, groups = order_of(name, own.best[name].settings)
        peak = own.prices.peak
        mine = (peak["algorithm"] == name) & (peak["accounting"] == own.accounting)
        row: dict[str, Any] = {
            "scenario": own.scenario,
            "reading": reading,
            "memory": memory,
            "algorithm": name,
            "order": order,
            "in_flight": in_flight,
            "groups": groups,
            "off_chip_bytes": round(_beyond(own.prices, name, own.accounting, memory, size)[0]),
            "energy": joules,
            "managed_energy": managed.get(name),
            "peak_live_bytes": int(peak.loc[mine, "peak_live_bytes"].max()),
        }
        if name in managed:
            off, least = _beyond(own.managed, name, own.accounting, MANAGED, size)
            row |= {"managed_off_chip_bytes": round(off), "managed_least_bytes": round(least)}
        rows.append(row)
    return rows


def _beyond(
    prices: Prices, algorithm: str, accounting: str, memory: str, size: int
) -> tuple[float, float]:
    """Bytes of a batch beyond a memory, and at the least if it is managed."""
    named = {"algorithm": algorithm, "accounting": accounting, "memory": memory}
    named["grain"] = PRICED_GRAIN
    every = prices.misses
    chosen = every[(every[list(named)] == pd.Series(named)).all(axis=1)]
    shares = as_it_runs.shares(prices, chosen)
    moved = (chosen["bytes_read"] + chosen["bytes_written"]) * shares
    least = chosen["bytes_least"].astype(float) * shares
    kept = chosen.assign(moved=moved, least=least)[chosen["capacity_bytes"] <= size]
    last = kept.groupby("step")[["moved", "least"]].last().sum()
    return float(last["moved"]), float(last["least"])


def _least(network: Network, profile: Profile, size: int) -> list[dict[str, Any]]:
    """Rows of the bounds."""
    reading, memory = SCENARIOS[THE_LEAST]
    own_chip = Chip(profile)
    rows = []
    for name in RULES:
        found = whole_map.side(name, [network], size)
        spent = whole_map.RuleWork(name, [network]).energies(own_chip, size, found)
        rows.append(
            {
                "scenario": THE_LEAST,
                "reading": reading,
                "memory": memory,
                "algorithm": name,
                "off_chip_bytes": round(found.bounds[0].nbytes),
                "energy": spent.bound[0],
            }
        )
    return rows
