"""The table that `ffenergy transfer` prints: a row per algorithm, a column per task."""

from __future__ import annotations

import pandas as pd

from ffenergy.report.display import MISSING, Shown
from ffenergy.report.style import short_name


def shown(summary: pd.DataFrame) -> Shown:
    """Test error, mean ± standard deviation over the seeds, in the order of ``summary.csv``."""
    tasks = list(summary["task"].drop_duplicates())
    algorithms = list(summary["algorithm"].drop_duplicates())
    cells = {
        (row["algorithm"], row["task"]): _error(row["test_error_mean"], row["test_error_std"])
        for row in summary.to_dict("records")
    }
    rows = [
        [short_name(name), *(cells.get((name, task), MISSING) for task in tasks)]
        for name in algorithms
    ]
    sample = " · SAMPLE, not the full data set" if summary["is_sample"].any() else ""
    trained = ", ".join(summary["trained_on"].drop_duplicates())
    error = f"{summary['error_on'].iloc[0]} error, %"
    title = f"Fresh heads on hidden layers trained on {trained}: {error}"
    return Shown(f"{title}, mean ± standard deviation{sample}", ["", *tasks], rows)


def _error(mean: float, spread: float) -> str:
    return f"{mean:.2f}" + ("" if pd.isna(spread) else f" ± {spread:.2f}")
