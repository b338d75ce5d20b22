"""The cheapest way to an error: over all settings of a sweep, per algorithm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from ffenergy.rules.registry import BACKPROP
from ffenergy.sweeps.crossings import ALONG, Curve, cheapest, curves_of, ratio
from ffenergy.sweeps.tables import algorithms_of, described

TARGETS: Final = (5.0, 3.0, 2.0, 1.7, 1.5)
"""Percent."""


def energy_column(summary: pd.DataFrame) -> str | None:
    """Name of the column with the energy, None if the sweep was not priced."""
    names = [str(name) for name in summary.columns if str(name).startswith("energy_")]
    return names[0] if names else None


def targets_table(
    summary: pd.DataFrame,
    swept: Sequence[str],
    energy: str,
    cells: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return `targets.csv`: per algorithm and target the training of least energy that meets it.

    A training meets a target if the mean error over its seeds is at most so many percent; its
    energy (column ``energy`` of the summary) and bytes are those of the whole training, eager.
    Where none does, ``reached`` is False, the costs are empty, and the row has the training of
    least error.

    Where the number of epochs is swept and ``cells`` are given, the row also has the least energy
    at which a mean curve crosses the target, ``energy_crossing`` on ``crossing_curve``, its 95 %
    interval over seeds (infinite: missed), and ``missed_share``, the share of resamples that miss
    it; see ``crossings.py``. ``crossing`` says whether it lies ``between`` two trainings, at the
    ``first training`` of a curve (an upper bound), or is ``missed``. ``ratio_to_bp`` divides it
    by backprop's, resampled at the same seeds.
    """
    done = summary.dropna(subset=["test_error_mean", energy])
    names = [name for name in swept if name != "seed"]
    curves = curves_of(cells, swept, energy) if cells is not None and ALONG in swept else {}
    rows: list[dict[str, Any]] = []
    for algorithm in algorithms_of(done):
        own: list[Any] = done[done["algorithm"] == algorithm].to_dict("records")
        for target in TARGETS:
            met = [row for row in own if row["test_error_mean"] <= target]
            chosen = (
                min(met, key=lambda row: row[energy])
                if met
                else min(own, key=lambda row: row["test_error_mean"])
            )
            moved = int(chosen["bytes_read"]) + int(chosen["bytes_written"])
            rows.append(
                {
                    "algorithm": algorithm,
                    "target_error": target,
                    "reached": bool(met),
                    "training": described(chosen, names) or "as the preset",
                    "n": chosen["n"],
                    "test_error_mean": chosen["test_error_mean"],
                    "test_error_std": chosen["test_error_std"],
                    "accounting": chosen["accounting"],
                    "bytes_total": moved if met else None,
                    "profile": chosen["profile"],
                    energy: chosen[energy] if met else None,
                    **_crossed(curves, algorithm, target),
                }
            )
    return pd.DataFrame(rows).astype({"bytes_total": "Int64"})


def _crossed(
    curves: Mapping[str, Sequence[Curve]], algorithm: str, target: float
) -> dict[str, Any]:
    found = cheapest(curves[algorithm], target) if algorithm in curves else None
    if found is None:
        return {}
    missed = found.energy == math.inf
    against = {}
    if algorithm != BACKPROP and BACKPROP in curves:
        names = ("ratio_to_bp", "ratio_to_bp_low", "ratio_to_bp_high")
        against = dict(
            zip(names, ratio(curves[algorithm], curves[BACKPROP], target) or (), strict=False)
        )
    return {
        "crossing": "missed" if missed else "first training" if found.at_first else "between",
        "energy_crossing": None if missed else found.energy,
        "energy_crossing_low": found.low,
        "energy_crossing_high": found.high,
        "missed_share": found.missed,
        "crossing_curve": None if missed else found.training,
        **against,
    }
