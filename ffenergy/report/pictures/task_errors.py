"""The picture of `ffenergy transfer`: test error per task, a bar per algorithm."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from ffenergy.report.numbers import counted
from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.style import ALGORITHM_COLOURS, ALGORITHM_NAMES, in_order, short_name


def render(summary: pd.DataFrame) -> dict[str, bytes]:
    """Draw `summary.csv`; PNG and SVG by format, the same bytes on every call.

    A panel per task, since the errors of tasks are on scales of their own; black lines are one
    standard deviation over the seeds.
    """
    tasks = list(summary["task"].drop_duplicates())
    algorithms = in_order(summary["algorithm"].unique(), ALGORITHM_NAMES)
    with rc_context(LOOK):
        figure = Figure(figsize=(1.2 + 3.2 * len(tasks), 4.6), layout="constrained")
        axes = figure.subplots(1, len(tasks), squeeze=False)[0]
        for ax, task in zip(axes, tasks, strict=True):
            rows = summary[summary["task"] == task].set_index("algorithm").reindex(algorithms)
            means = rows["test_error_mean"].to_numpy(float)
            spread = rows["test_error_std"].fillna(0.0).to_numpy(float)
            colours = [ALGORITHM_COLOURS.get(name, "#000000") for name in algorithms]
            places = np.arange(len(algorithms))
            ax.bar(places, means, 0.7, yerr=spread, capsize=4, color=colours)
            for place, mean, above in zip(places, means, spread, strict=True):
                known = np.isfinite(mean)
                ax.annotate(
                    f"{mean:.2f}" if known else "not\ntrained",
                    (place, mean + above if known else 0),
                    (0, 3),
                    ha="center",
                    textcoords="offset points",
                    fontsize=10,
                    color="black" if known else "#7F7F7F",
                )
            ax.margins(y=0.12)
            ax.set_xticks(
                places, [short_name(name) for name in algorithms], rotation=30, ha="right"
            )
            ax.grid(visible=False, axis="x")
            ax.set_title(task)
        axes[0].set_ylabel(f"{summary['error_on'].iloc[0]} error of a fresh head (%)")
        trained = ", ".join(summary["trained_on"].drop_duplicates())
        n = counted(int(summary["n"].min()), int(summary["n"].max()), "seed")
        sample = " · SAMPLE, not the full data set" if summary["is_sample"].any() else ""
        told = f"hidden layers trained on {trained}, {n}; lines: one standard deviation"
        figure.supxlabel(told + sample, fontsize=10)
        best = summary.dropna(subset=["test_error_mean"]).sort_values("test_error_mean")
        least = best.groupby("task", sort=False).first()["algorithm"]
        headline(
            figure,
            "Best features: "
            + ", ".join(f"{short_name(least[t])} for {t}" for t in tasks if t in least),
        )
        return saved(figure)
