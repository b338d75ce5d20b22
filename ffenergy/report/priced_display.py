"""The priced tables as strings, and the answer in one sentence per accounting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from ffenergy.costs import run_totals
from ffenergy.costs.decomposition import RUN, TRAINING_STEP, UNITS
from ffenergy.costs.prices import PRICED_GRAIN, SHOWN, Prices
from ffenergy.costs.pricing import COMPUTE, WIRE
from ffenergy.energy import answer
from ffenergy.report import priced_tables, tables
from ffenergy.report.display import MISSING, Shown, scaled
from ffenergy.report.style import ALGORITHM_NAMES
from ffenergy.runs.directory import Run

SCOPES: Final = {TRAINING_STEP: "Per training step", RUN: "Over the whole run"}
SCALES: Final[dict[tuple[str, str], tuple[float, str]]] = {
    ("joules", TRAINING_STEP): (1e-3, "mJ"),
    ("joules", RUN): (1.0, "J"),
    ("macs", TRAINING_STEP): (1e6, "million MAC"),
    ("macs", RUN): (1e12, "tera-MAC"),
}
SENTENCE_UNITS: Final = {"joules": "J", "macs": "MAC"}
PART_NAMES: Final = {
    "backward_pass_removed": "backward pass removed",
    "second_pass_added": "second pass added",
    "negatives_made": "negatives made",
    "goodness_added": "goodness added",
    "normalisation_added": "L2 normalisation",
    "optimiser_difference": "optimiser",
    "head_difference": "softmax head",
    "evaluate_difference": "evaluation",
    "total": "total",
}


def answers(prices: Prices) -> list[str]:
    """The answer under the headline profile: per training step and run, eager and fused."""
    sentences = []
    for scope, opening in SCOPES.items():
        for accounting in SHOWN:
            profile = prices.profiles[0]
            parts = _parts(prices, accounting, scope, profile)
            for unit in UNITS:
                measure = f"energy_{unit}"
                if (parts["measure"] == measure).any():
                    told = f"{opening}, {accounting}, under {profile}"
                    found = answer(parts, measure, SENTENCE_UNITS[unit], told)
                    sentences.append(found.sentence())
    return sentences


def priced_line(prices: Prices) -> str:
    """How the run was priced, in one sentence."""
    others = " and ".join(prices.profiles[1:])
    return (
        f"Energies are those of profile {prices.profiles[0]}"
        f"{f' (beside it {others})' if others else ''}: one step of every kind, recorded on random"
        f" pixels and priced in its own steady state at {PRICED_GRAIN} grain, times the steps."
    )


def shown(run: Run, prices: Prices) -> Iterator[Shown]:
    """All priced tables of a run."""
    if prices.steps.empty:
        return
    yield energy(run, prices)
    yield components(prices)
    yield from decompositions(prices)
    if not (table := priced_tables.normalize(run, prices)).empty:
        yield _normalize(table, prices)
    yield _targets(run, prices)


def steps_shown(prices: Prices) -> Iterator[Shown]:
    """The priced tables of a measurement: one training step."""
    yield components(prices, TRAINING_STEP)
    yield from decompositions(prices)


def energy(run: Run, prices: Prices) -> Shown:
    """Distance, energy and live memory of whole runs."""
    unit = run_totals.headline_unit(prices)
    scale, name = SCALES[unit, RUN]
    columns = {
        "GB read": ("bytes_read", scaled(1e9)),
        "GB written": ("bytes_written", scaled(1e9)),
        "ByteDMD oper.": ("bytedmd_operation", scaled(1e12)),
        "tile": ("bytedmd_tile", scaled(1e12)),
        f"compute {name}": (f"energy_compute_{unit}", scaled(scale)),
        f"movement {name}": (f"energy_movement_{unit}", scaled(scale)),
        "commute": ("commute_to_compute", scaled(1)),
        "peak MB": ("peak_live_bytes", scaled(1e6)),
        "normalise %": ("normalize_energy_share", scaled(0.01)),
    }
    table = priced_tables.summary(run, prices)
    rows = [
        [
            f"{_name(row['algorithm'])}, {row['accounting']}",
            *(show(row.get(key)) for key, show in columns.values()),
        ]
        for row in tables.records(table)
        if row["algorithm"] in set(prices.steps["algorithm"])
    ]
    title = (
        f"Whole runs under {prices.profiles[0]} (ByteDMD in 10¹²; commute: movement / compute "
        "energy; peak: live memory of a training step; normalise: share of the energy)"
    )
    return Shown(title, ["", *columns], rows)


def components(prices: Prices, scope: str = RUN) -> Shown:
    """Energy of arithmetic and of what each memory level serves, read and written."""
    unit = run_totals.headline_unit(prices)
    scale, name = SCALES[unit, scope]
    rows = prices.energy[prices.energy["profile"] == prices.profiles[0]]
    energies = [f"energy_{what}_{unit}" for what in ("compute", "read", "written")]
    times = prices.steps[["algorithm", "step", "steps"]]
    rows = rows.merge(times, on=["algorithm", "step"])
    rows = rows.assign(value=rows[energies].sum(axis=1) * rows["steps"])
    table = rows.pivot_table(
        index=["algorithm", "accounting"],
        columns="component",
        values="value",
        aggfunc="sum",
        sort=False,
    )
    order = [COMPUTE, *_levels(prices), WIRE]
    table = table[[name for name in order if name in table.columns]]
    show = scaled(scale)
    shown_rows = [
        [f"{_name(algorithm)}, {accounting}", *map(show, row), show(row.sum())]
        for (algorithm, accounting), row in zip(table.index, table.to_numpy(), strict=True)
    ]
    over = "One training step" if scope == TRAINING_STEP else "Whole runs"
    title = f"{over}: energy by what serves it, {name}, under {prices.profiles[0]}"
    return Shown(title, ["", *map(str, table.columns), "all"], shown_rows)


def _levels(prices: Prices) -> list[str]:
    """Names of the headline profile's levels, fastest first."""
    levels = prices.levels[prices.levels["profile"] == prices.profiles[0]]
    return list(levels.sort_values("capacity_bytes", na_position="last")["level"].unique())


def decompositions(prices: Prices) -> Iterator[Shown]:
    """Backprop → Forward-Forward in parts: energy under every profile, then bytes and ByteDMD."""
    table = prices.decomposition
    if table.empty:
        return
    for profile in prices.profiles:
        own = table[table["profile"] == profile]
        unit = next(unit for unit in UNITS if f"energy_{unit}" in set(own["measure"]))
        scopes = SCOPES if profile == prices.profiles[0] else [TRAINING_STEP]
        for scope in (s for s in scopes if s in set(own["scope"])):
            scale, name = SCALES[unit, scope]
            title = f"Backprop → Forward-Forward, {scope}, {name}, under {profile}"
            yield _split(prices, scope, profile, f"energy_{unit}", scale, title)
    for measure, unit in (("bytes_read", "MB"), ("bytes_written", "MB"), ("bytedmd_tile", "10⁹")):
        scale = 1e6 if unit == "MB" else 1e9
        title = f"Backprop → Forward-Forward, training step, {measure}, {unit}"
        yield _split(prices, TRAINING_STEP, "", measure, scale, title)


def _split(
    prices: Prices, scope: str, profile: str, measure: str, scale: float, title: str
) -> Shown:
    plain, signed = scaled(scale), scaled(scale, sign=True)
    cells: dict[str, list[str]] = {part: [] for part in PART_NAMES}
    headings = [""]
    for accounting in SHOWN:
        parts = _parts(prices, accounting, scope, profile)
        parts = parts[parts["measure"] == measure].set_index("part")
        for part in PART_NAMES:
            row = parts.loc[part]
            cells[part] += [plain(row["backprop"]), plain(row["forward_forward"])]
            cells[part].append(signed(row["difference"]))
        headings += [f"{accounting}: BP", "FF", "FF − BP"]
    return Shown(title, headings, [[PART_NAMES[part], *row] for part, row in cells.items()])


def _parts(prices: Prices, accounting: str, scope: str, profile: str) -> pd.DataFrame:
    table = prices.decomposition
    return table[
        (table["accounting"] == accounting)
        & (table["scope"] == scope)
        & (table["profile"] == profile)
    ]


def _normalize(table: pd.DataFrame, prices: Prices) -> Shown:
    unit = run_totals.headline_unit(prices)
    scale, name = SCALES[unit, RUN]
    moved = table["bytes_read"] + table["bytes_written"]
    rows = [
        [
            f"{_name(row['algorithm'])}, {row['accounting']}",
            row["layer"],
            scaled(1e9)(nbytes),
            scaled(1e12)(row["bytedmd_tile"]),
            scaled(scale)(row[f"energy_{unit}"]),
            scaled(0.01)(row["share_of_layer_energy"]),
            scaled(0.01)(row["share_of_total_energy"]),
        ]
        for row, nbytes in zip(tables.records(table), moved, strict=True)
    ]
    headings = ["", "layer", "GB moved", "ByteDMD tile, 10¹²", name, "% of layer", "% of run"]
    title = f"L2 normalisation under {prices.profiles[0]} (shares of the energy)"
    return Shown(title, headings, rows)


def _targets(run: Run, prices: Prices) -> Shown:
    """Energy of the training steps up to each test error."""
    unit = run_totals.headline_unit(prices)
    scale, name = SCALES[unit, RUN]
    table = priced_tables.targets(run, prices)
    rows = []
    for (algorithm, accounting), own in table.groupby(["algorithm", "accounting"], sort=False):
        cells = [_target(row, f"training_energy_{unit}", scale) for row in tables.records(own)]
        rows.append([f"{_name(str(algorithm))}, {accounting}", *cells])
    headings = [f"≤ {target:g} %" for target in tables.TARGET_ERRORS]
    title = f"{name} of training (no evaluation) up to a test error, under {prices.profiles[0]}"
    return Shown(title, ["", *headings], rows)


def _target(row: dict[str, Any], column: str, scale: float) -> str:
    if not row["reached"]:
        return "missed" if pd.isna(row["test_error"]) else f"missed (best {row['test_error']:.2f})"
    return MISSING if pd.isna(row[column]) else f"{scaled(scale)(row[column])}"


def _name(algorithm: str) -> str:
    return ALGORITHM_NAMES.get(algorithm, algorithm)
