"""The hardware what-if: costs for any on-chip size, here and as data for the page's script.

The script in the page computes what :func:`costs` and :func:`sentences` compute, from the same
histogram; a test holds the two together in a browser. What no program that ran can tell, both
rules in their best orders and the least that any program spends, are the closed forms of the map.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pandas as pd

from ffenergy.costs import on_chip
from ffenergy.costs.decomposition import PARTS, RUN, TRAINING_STEP, alike, decompose, of_run
from ffenergy.costs.distances import ALLOCATED
from ffenergy.costs.map import BATCHES, RuleWork, on_chip_sizes, side
from ffenergy.costs.network import Network
from ffenergy.costs.prices import ACCOUNTINGS, PRICED_GRAIN, Prices
from ffenergy.costs.step_kinds import full_batches, rows_of
from ffenergy.costs.under_profile import COMPUTE
from ffenergy.energy import PricingError, Profile, compute_energy
from ffenergy.energy.chip import Chip
from ffenergy.report.answer import answer
from ffenergy.report.book import SCOPES
from ffenergy.report.columns import UNITS
from ffenergy.report.numbers import memory_size
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    MEMORY_WORDS,
    in_order,
    short_name,
)

KEYS: Final = ["scope", "algorithm", "accounting", "phase"]
BIN: Final = "distance_to_bytes"
MOVED: Final = ("bytes_read", "bytes_written", ALLOCATED)
WORK: Final = ("adds", "multiplies", "specials")


def histogram(prices: Prices) -> pd.DataFrame:
    """Bytes by scope, algorithm, accounting, phase and reuse distance: exact Python integers."""
    reuse = prices.reuse
    chosen = (reuse["grain"] == PRICED_GRAIN) & (reuse["memory"] == prices.memory)
    return _by_scope(prices, reuse[chosen], [*KEYS, BIN], MOVED)


def work(prices: Prices) -> pd.DataFrame:
    """Scalar operations by scope, algorithm, phase and dtype: exact Python integers."""
    return _by_scope(prices, prices.work, ["scope", "algorithm", "phase", "dtype"], WORK)


def costs(prices: Prices, profile: Profile, size_bytes: int) -> pd.DataFrame:
    """Energy with `size_bytes` on the chip, by scope, algorithm, accounting, phase, component.

    ``component`` is ``compute`` or a level of the profile; ``energy`` is in joules, or in
    multiply-accumulates under a relative profile.

    Raises:
        PricingError: a size that is no power of two, a profile without levels or without a dtype.
    """
    moved = on_chip.movement(profile, histogram(prices), size_bytes)
    moved = moved.rename(columns={"level": "component", profile.column("movement"): "energy"})
    done = work(prices)
    done = done.assign(component=COMPUTE, energy=compute_energy(profile, done))
    both = [done.assign(accounting=accounting) for accounting in ACCOUNTINGS]
    keys = [*KEYS, "component"]
    rows = pd.concat([*both, moved], ignore_index=True)[[*keys, "energy"]]
    return rows.groupby(keys, sort=False)[["energy"]].sum().reset_index()


def sentences(prices: Prices, profile: Profile, size_bytes: int) -> dict[tuple[str, str], str]:
    """The answer with `size_bytes` on the chip, by scope and accounting; empty without both.

    At the profile's own size it is the answer of the command line, word by word.
    """
    table = costs(prices, profile, size_bytes)
    found = {}
    for (scope, accounting), rows in table.groupby(["scope", "accounting"], sort=False):
        if not {FORWARD_FORWARD, BACKPROP} <= set(rows["algorithm"]):
            continue
        parts = decompose(rows, ["energy"])
        memory = MEMORY_WORDS[prices.memory]
        told = f"{SCOPES[str(scope)]}, {accounting}, in {memory}, under {profile.name}"
        if size_bytes != on_chip.own_size(profile) or on_chip.uneven(profile):
            told += f" with {memory_size(size_bytes)} on the chip"
        unit = UNITS[profile.result_unit]
        found[str(scope), str(accounting)] = answer(parts, "energy", unit, told).sentences()
    return found


def priceable(prices: Prices, profiles: Iterable[Profile]) -> list[Profile]:
    """The profiles with memory levels that price every dtype of the run."""
    done = work(prices)
    found = []
    for profile in profiles:
        try:
            compute_energy(profile, done)
            on_chip.capacities(profile, on_chip.SMALLEST)
        except PricingError:
            continue
        found.append(profile)
    return found


def closed_forms(network: Network, profiles: Iterable[Profile]) -> dict[str, Any]:
    """Energies of a batch in best orders and at the least: batches, sizes, and ``energies``.

    ``energies`` by profile and rule: a list per batch size of a list per on-chip size, with
    `costs.map.PARTS` in the unit of the profile.
    """
    batches = sorted({*BATCHES, network.batch_size})
    found = [network.replace(batch_size=batch) for batch in batches]
    sizes = on_chip_sizes()
    chips = [Chip(profile) for profile in profiles]
    energies: dict[str, dict[str, Any]] = {chip.profile.name: {} for chip in chips}
    for rule in (FORWARD_FORWARD, BACKPROP):
        work = RuleWork(rule, found)
        sides = [side(rule, found, size) for size in sizes]
        for chip in chips:
            parts = [work.parts(chip, *pair) for pair in zip(sizes, sides, strict=True)]
            energies[chip.profile.name][rule] = _short(np.stack(parts, axis=1).tolist())
    return {"batches": batches, "own": network.batch_size, "sizes": sizes, "energies": energies}


def _short(values: Any) -> Any:
    """Five digits of every number."""
    return [*map(_short, values)] if isinstance(values, list) else float(f"{values:.5g}")


def payload(
    prices: Prices, profiles: Iterable[Profile], network: Network | None = None
) -> dict[str, Any]:
    """Everything the page's script needs, ready for JSON; empty if nothing can be priced.

    ``network`` adds best orders and bounds, where both rules of the decomposition trained.
    """
    chosen = priceable(prices, profiles)
    if not chosen or prices.work.empty:
        return {}
    bins = histogram(prices)
    names = in_order(bins["algorithm"].unique(), ALGORITHM_NAMES)
    both = network is not None and {FORWARD_FORWARD, BACKPROP} <= set(names)
    return {
        "closed": closed_forms(network, chosen) if network is not None and both else None,
        "pair": [FORWARD_FORWARD, BACKPROP],
        "scopes": [[scope, text] for scope, text in SCOPES.items() if scope in set(bins["scope"])],
        "accountings": list(ACCOUNTINGS),
        "memory": MEMORY_WORDS[prices.memory],
        "algorithms": [
            [name, short_name(name), ALGORITHM_COLOURS.get(name, "#7F7F7F")] for name in names
        ],
        "parts": {phase: part for part, phases in PARTS.items() for phase in phases},
        "histogram": _nested(bins),
        "smallest": on_chip.SMALLEST,
        "largest": max(int(bins[BIN].max()), *(on_chip.own_size(p) for p in chosen)),
        "profiles": [_profile(profile, work(prices)) for profile in chosen],
    }


def _by_scope(
    prices: Prices, table: pd.DataFrame, keys: list[str], values: Iterable[str]
) -> pd.DataFrame:
    """Sum a table per step over one batch of images and over the run."""
    batch = alike(full_batches(prices.steps))
    step = rows_of(table, batch).assign(scope=TRAINING_STEP)
    run = table.assign(scope=RUN)
    for name in values:
        run[name] = of_run(run.assign(value=run[name]), prices.steps)["value"]
        step[name] = of_run(step.assign(value=step[name]), batch)["value"]
    both = pd.concat([step, run], ignore_index=True)
    return both.groupby(keys, sort=False)[list(values)].agg(_exact_sum).reset_index()


def _exact_sum(column: pd.Series) -> int:
    """The sum as Python's number, which no column of 64 bits cuts off."""
    return sum(column)


def _nested(bins: pd.DataFrame) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for keys, rows in bins.groupby(KEYS, sort=False):
        scope, name, accounting, phase = map(str, keys)
        place = found.setdefault(scope, {}).setdefault(name, {}).setdefault(accounting, {})
        columns = (rows[column].tolist() for column in (BIN, *MOVED))
        place[phase] = [list(map(_number, row)) for row in zip(*columns, strict=True)]
    return found


def _number(value: Any) -> int | float:
    """An exact integer; a float where several batches in flight leave a share of a byte."""
    return int(value) if value == int(value) else float(value)


def _profile(profile: Profile, done: pd.DataFrame) -> dict[str, Any]:
    compute: dict[str, Any] = {}
    priced = done.assign(energy=compute_energy(profile, done))
    for keys, rows in priced.groupby(["scope", "algorithm", "phase"], sort=False):
        scope, name, phase = map(str, keys)
        compute.setdefault(scope, {}).setdefault(name, {})[phase] = float(rows["energy"].sum())
    uneven = " and ".join(memory_size(size) for size in on_chip.uneven(profile))
    return {
        "name": profile.name,
        "title": profile.title,
        "unit": UNITS[profile.result_unit],
        "scale": profile.result_scale,
        "own": on_chip.own_size(profile),
        "uneven": uneven,
        "levels": [
            {
                "name": level.name,
                "capacity": level.capacity_bytes,
                "read": level.read_per_byte,
                "write": level.write_per_byte,
            }
            for level in profile.levels
        ],
        "compute": compute,
    }
