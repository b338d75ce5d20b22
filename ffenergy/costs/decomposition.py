"""Backprop → Forward-Forward in signed parts, for one training step and for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pandas as pd

from ffenergy.costs.prices import ACCOUNTINGS, COLUMNS, PRICED_GRAIN
from ffenergy.energy import decompose

TRAINING_STEP: Final = "training step"
RUN: Final = "run"
FULL_BATCH: Final = "train"
"""The step kind of scope ``training step``."""
KEYS: Final = ["algorithm", "step", "layer", "phase"]
UNITS: Final = ("joules", "macs")


@dataclass(frozen=True)
class Measure:
    """One measure of cost per step: ``table`` has columns algorithm, step, layer, phase, value.

    ``profile`` is empty for what needs no hardware; values are integers or floats.
    """

    name: str
    accounting: str
    grain: str
    profile: str
    table: pd.DataFrame


def measures(reuse: pd.DataFrame, energy: pd.DataFrame) -> Iterator[Measure]:
    """Every measure of the decomposition, under every accounting and profile."""
    counted = {
        "bytes_read": ("operation", "bytes_read"),
        "bytes_written": ("operation", "bytes_written"),
        "bytedmd_operation": ("operation", "bytedmd"),
        "bytedmd_tile": ("tile", "bytedmd"),
    }
    for accounting in ACCOUNTINGS:
        rows = reuse[reuse["accounting"] == accounting]
        for name, (grain, column) in counted.items():
            chosen = rows[rows["grain"] == grain]
            yield Measure(name, accounting, grain, "", _valued(chosen, chosen[column]))
        priced = energy[energy["accounting"] == accounting]
        for profile, rows in priced.groupby("profile", sort=False):
            for name, values in energies(rows).items():
                table = _valued(rows, values)
                yield Measure(name, accounting, PRICED_GRAIN, str(profile), table)


def energies(rows: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Compute, movement and all energy of rows of ``energy.csv`` under one profile."""
    unit = next(
        unit
        for unit in UNITS
        if (column := f"energy_compute_{unit}") in rows and rows[column].notna().all()
    )
    compute = rows[f"energy_compute_{unit}"]
    movement = rows[f"energy_read_{unit}"] + rows[f"energy_written_{unit}"]
    return {
        f"energy_compute_{unit}": compute,
        f"energy_movement_{unit}": movement,
        f"energy_{unit}": compute + movement,
    }


def of_run(table: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Values per step times the steps of the run; integers become Python's, which never wrap."""
    counts = steps.set_index(["algorithm", "step"])["steps"]
    times = counts.reindex(pd.MultiIndex.from_frame(table[["algorithm", "step"]])).tolist()
    values = [value * n for value, n in zip(table["value"].tolist(), times, strict=True)]
    return table.assign(value=pd.Series(values, index=table.index, dtype=object))


def decomposition(
    steps: pd.DataFrame, reuse: pd.DataFrame, energy: pd.DataFrame, *, whole_run: bool
) -> pd.DataFrame:
    """Split Forward-Forward less backprop into parts; empty unless both trained.

    With ``whole_run`` a scope ``run`` stands beside ``training step``.
    """
    columns = list(COLUMNS["decomposition"])
    rows = []
    for measure in measures(reuse, energy):
        scopes = {TRAINING_STEP: measure.table[measure.table["step"] == FULL_BATCH]}
        if not {"ff", "bp"} <= set(scopes[TRAINING_STEP]["algorithm"]):
            continue
        if whole_run:
            scopes[RUN] = of_run(measure.table, steps)
        for scope, table in scopes.items():
            parts = decompose(table.rename(columns={"value": measure.name}), [measure.name])
            keys = {"accounting": measure.accounting, "grain": measure.grain}
            rows.append(parts.assign(**keys, profile=measure.profile, scope=scope))
    if not rows:
        return pd.DataFrame(columns=columns)
    exact = [part.astype(dict.fromkeys(columns[6:9], object)) for part in rows]
    return pd.concat(exact, ignore_index=True)[columns]


def _valued(rows: pd.DataFrame, values: pd.Series[float]) -> pd.DataFrame:
    return rows[KEYS].assign(value=values)
