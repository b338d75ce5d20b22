"""The table that `ffenergy sweep` prints: error over the seeds of every combination."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ffenergy.report.display import MISSING, Shown
from ffenergy.report.style import short_name, three_digits


def shown(summary: pd.DataFrame, swept: Sequence[str]) -> Shown:
    """A row per algorithm and combination of settings, in the order of the sweep file."""
    names = [name for name in swept if name != "seed"]
    energies = [name for name in summary.columns if name.startswith("energy_")]
    rows = []
    for row in summary.to_dict("records"):
        moved = [row["bytes_read"], row["bytes_written"]]
        rows.append(
            [
                short_name(row["algorithm"]),
                *(str(row[name]) for name in names),
                _number(row["test_error_mean"], 2),
                _number(row["test_error_std"], 2),
                _number(row["train_error_mean"], 2),
                f"{row['n']}/{row['n'] + row['n_diverged'] + row['n_failed']}",
                MISSING if pd.isna(moved).any() else f"{sum(moved) / 1e9:,.1f}",
                *(MISSING if pd.isna(row[name]) else three_digits(row[name]) for name in energies),
                _number(row["wall_seconds_mean"], 1),
            ]
        )
    error = summary["error_on"].iloc[0]
    units = ["energy, J" if name.endswith("joules") else "energy, MAC" for name in energies]
    headings = ["", *names, f"{error} %", "± %", "train %", "complete", "GB", *units, "wall s"]
    sample = " · SAMPLE, not the full data set" if summary["is_sample"].any() else ""
    title = f"{summary['dataset'].iloc[0]}{sample}: error over seeds, mean ± standard deviation"
    return Shown(f"{title} (GB = 10⁹ bytes, read + written, eager)", headings, rows)


def _number(value: float, digits: int) -> str:
    return MISSING if pd.isna(value) else f"{value:,.{digits}f}"
