"""The cheapest way to an error: over all settings of a sweep, per algorithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ffenergy.style import TARGET_ERRORS
from ffenergy.sweeps.tables import algorithms_of, described


def energy_column(summary: pd.DataFrame) -> str | None:
    """Name of the column with the energy, None if the sweep was not priced."""
    names = [str(name) for name in summary.columns if str(name).startswith("energy_")]
    return names[0] if names else None


def targets_table(
    summary: pd.DataFrame,
    swept: Sequence[str],
    energy: str,
    targets: Sequence[float] = TARGET_ERRORS,
) -> pd.DataFrame:
    """Return `targets.csv`: per algorithm and target the training of least energy that meets it.

    A training meets a target if the mean error over its seeds is at most so many percent; its
    energy (column ``energy`` of the summary) and bytes are those of the whole training, eager.
    Where none does, ``reached`` is False, the costs are empty, and the row has the training of
    least error.
    """
    done = summary.dropna(subset=["test_error_mean", energy])
    names = [name for name in swept if name != "seed"]
    rows: list[dict[str, Any]] = []
    for algorithm in algorithms_of(done):
        own: list[Any] = done[done["algorithm"] == algorithm].to_dict("records")
        for target in targets:
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
                }
            )
    return pd.DataFrame(rows).astype({"bytes_total": "Int64"})
