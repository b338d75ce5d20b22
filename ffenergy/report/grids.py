"""The tables that grids of settings print: sweeps of `measure`, `sweep`, and `transfer`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from ffenergy.report.columns import Column, Table, amount, columns, table
from ffenergy.report.numbers import MISSING, between, decimal, fixed, words
from ffenergy.style import short_name
from ffenergy.sweeps.step_grids import ORDER
from ffenergy.sweeps.step_grids import swept as axes_of

SAMPLE: Final = " · SAMPLE, not the full data set"
STEP_GRID: Final = (
    "One batch of images a row. Eager: every operation streams its operands; fused: a declared "
    "group of operations is one kernel. BP: backprop; in brackets 90 % of draws of the constants."
)


def _who() -> Column:
    return Column("algorithm", "", form=words(short_name), number=False)


def of_steps(frame: pd.DataFrame, memory: str) -> Table:
    """A training step per combination, algorithm and accounting; no ratios without backprop.

    ``memory`` is the one that energies are of.
    """
    shown = [
        *(Column(name, name, number=False) for name in axes_of(frame)),
        _who(),
        *columns(["accounting", *(name for name in ORDER if name in frame)]),
        amount("bytes", "moved", "B"),
        *columns(name for name in ("energy_joules", "energy_macs") if name in frame),
        Column("bytes_ratio_to_bp", "bytes ÷ BP", form=fixed(2)),
        Column("ratio", "energy ÷ BP"),
    ]
    names = (f"energy_ratio_{what}" for what in ("to_bp", "low", "high"))
    ratios = zip(*(frame[name] for name in names), strict=True)
    frame = frame.assign(
        bytes=frame["bytes_read"] + frame["bytes_written"],
        ratio=[_with_ends(*one) for one in ratios],
    )
    return table("step-grid", f"{STEP_GRID} Energies: {memory}.", "sweep.csv", shown, frame)


def _with_ends(ratio: Any, low: Any, high: Any) -> str:
    """A ratio and the ends of its interval, as far as they are there."""
    if pd.isna(ratio):
        return MISSING
    return f"{ratio:.2f}" + ("" if pd.isna(low) else f" ({between(low, high)})")


def of_trainings(summary: pd.DataFrame, swept: Sequence[str]) -> Table:
    """Error over the seeds: a row per algorithm and combination, in the order of the sweep file."""
    energies = [str(name) for name in summary.columns if str(name).startswith("energy_")]
    done = summary["n"].astype(str)
    asked = (summary["n"] + summary["n_diverged"] + summary["n_failed"]).astype(str)
    frame = summary.assign(
        complete=done + "/" + asked, bytes=summary["bytes_read"] + summary["bytes_written"]
    )
    shown = [
        _who(),
        *(Column(name, name, number=False) for name in swept if name != "seed"),
        Column("test_error_mean", f"{summary['error_on'].iloc[0]} error", "%", fixed(2)),
        Column("test_error_std", "±", form=fixed(2)),
        Column("train_error_mean", "training error", "%", fixed(2)),
        Column("complete", "complete"),
        amount("bytes", "moved", "B"),
        *columns(energies),
        Column("wall_seconds_mean", "wall time", "s", fixed(1)),
    ]
    sample = SAMPLE if summary["is_sample"].any() else ""
    name = summary["dataset"].iloc[0]
    caption = f"{name}{sample}: error over seeds, mean ± standard deviation; bytes counted eager"
    return table("trainings", caption, "summary.csv", shown, frame)


def of_transfer(summary: pd.DataFrame) -> Table:
    """Test error of fresh heads: a row per algorithm, a column per task, in order of the file."""
    tasks = list(summary["task"].drop_duplicates())
    rows: dict[str, dict[str, str]] = {}
    for row in summary.to_dict("records"):
        rows.setdefault(row["algorithm"], {})[row["task"]] = _spread(
            row["test_error_mean"], row["test_error_std"]
        )
    frame = pd.DataFrame([{"algorithm": name, **cells} for name, cells in rows.items()])
    frame = frame.reindex(columns=["algorithm", *tasks]).fillna(MISSING)
    shown = [_who(), *(Column(task, task) for task in tasks)]
    sample = SAMPLE if summary["is_sample"].any() else ""
    trained = ", ".join(summary["trained_on"].drop_duplicates())
    error = f"{summary['error_on'].iloc[0]} error, %"
    caption = f"Fresh heads on hidden layers trained on {trained}: {error}"
    told = f"{caption}, mean ± standard deviation{sample}"
    return table("transfer", told, "summary.csv", shown, frame)


def _spread(mean: float, spread: float) -> str:
    return decimal(mean) + ("" if pd.isna(spread) else f" ± {decimal(spread)}")
