"""What an error costs: every training of a sweep by its error, its energy and its bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ffenergy.report.numbers import counted, tick
from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.report.pictures.sweep_errors import least_errors
from ffenergy.style import ALGORITHM_COLOURS, TARGET_ERRORS, short_name
from ffenergy.sweeps.tables import algorithms_of


def render(summary: pd.DataFrame, energy: str) -> dict[str, bytes]:
    """Draw `summary.csv` of a priced sweep, ``energy`` its energy column; PNG and SVG by format.

    A point is a training, mean and standard deviation over its seeds; a line joins those that no
    other training of the same algorithm beats in both error and cost. Dotted: the targets.
    """
    done = summary.dropna(subset=["test_error_mean", energy])
    if done.empty:
        return {}
    unit = "J" if energy.endswith("joules") else "MAC"
    profile = done["profile"].iloc[0]
    moved = (done["bytes_read"] + done["bytes_written"]).astype(float)
    with rc_context(LOOK):
        figure = Figure(figsize=(12, 5.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _panel(left, done, done[energy].astype(float))
        left.set(xlabel=f"energy of the whole training, estimate under {profile}")
        left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
        left.set_ylabel(f"{done['error_on'].iloc[0]} error (%)")
        figure.legend(
            *left.get_legend_handles_labels(),
            loc="outside lower center",
            ncols=len(algorithms_of(done)),
        )
        _panel(right, done, moved)
        right.set(xlabel="moved in the whole training (read + written, eager)")
        right.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, "B")))
        seeds = counted(int(done["n"].min()), int(done["n"].max()), "seed")
        sample = " · SAMPLE, not the full data set" if done["is_sample"].any() else ""
        about = f"{done['dataset'].iloc[0]}, {seeds}; dotted: targets{sample}"
        headline(figure, f"Least error: {least_errors(done)}", about)
        return saved(figure)


def _panel(ax: Axes, done: pd.DataFrame, costs: pd.Series) -> None:
    for algorithm in algorithms_of(done):
        own = done["algorithm"] == algorithm
        x, y = costs[own].to_numpy(), done.loc[own, "test_error_mean"].to_numpy(float)
        spread = done.loc[own, "test_error_std"].fillna(0.0).to_numpy(float)
        colour = ALGORITHM_COLOURS.get(algorithm, "#000000")
        label = short_name(algorithm)
        ax.errorbar(x, y, yerr=spread, fmt="o", color=colour, capsize=2, alpha=0.75, label=label)
        best = unbeaten(x, y)
        ax.plot(x[best], y[best], "-", color=colour)
    for target in TARGET_ERRORS:
        ax.axhline(target, color="black", linestyle=":", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    ax.set_yticks(sorted({*TARGET_ERRORS, 10.0} if ax.get_ylim()[1] > 8 else {*TARGET_ERRORS}))


def unbeaten(cost: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the indices of the points that none is as good as in both, by rising cost."""
    kept: list[int] = []
    for index in np.lexsort((error, cost)):
        if not kept or error[index] < error[kept[-1]]:
            kept.append(int(index))
    return np.array(kept, dtype=int)
