"""Error over the settings of a sweep, with its spread over the seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ffenergy.report.numbers import counted
from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.style import ALGORITHM_COLOURS, short_name
from ffenergy.sweeps.tables import algorithms_of, described

MARKS: Final = ("o-", "s--", "^:", "D-.", "v-", "P--")
MOST_LINES: Final = len(MARKS)  # per algorithm; more combinations become a list of points
LOG_FROM: Final = 50.0  # the largest over the smallest value from which an axis is logarithmic

LETTERS: Final = 90
"""Of tick labels, along the axis of a picture."""
POINTS_INCHES: Final = 6
"""Width of a list of points, beside its labels, which have `LETTERS_PER_INCH`."""
LETTERS_PER_INCH: Final = 13
LEGEND_INCHES: Final = 1.8
"""What a name in the legend takes at most."""


def render(summary: pd.DataFrame, swept: Sequence[str]) -> dict[str, bytes]:
    """Draw `summary.csv` of a sweep; PNG and SVG by format, the same bytes on every call.

    Lines over the setting with most values, a colour per algorithm and a mark per combination of
    the other settings; too many of them, or single combinations, make a list of points, the best
    on top. Where the setting is swept for some algorithms alone, the others are level lines. Bars
    are one standard deviation over the seeds. Empty if nothing is complete.
    """
    done = summary.dropna(subset=["test_error_mean"])
    if done.empty:
        return {}
    names = [name for name in swept if len(done[name].drop_duplicates()) > 1]
    axis = _axis(done, names)
    with rc_context(LOOK):
        level = [] if axis is None else not_swept(summary, axis)
        figure = _points(done, names) if axis is None else _lines(done, axis, names, level)
        ax = figure.axes[0]
        error = f"{done['error_on'].iloc[0]} error, %"
        (ax.set_xlabel if axis is None else ax.set_ylabel)(error)
        sample = " · SAMPLE, not the full data set" if done["is_sample"].any() else ""
        seeds = counted(int(done["n"].min()), int(done["n"].max()), "seed")
        bars = "; bars: one standard deviation" if done["n"].max() > 1 else ""
        lines = f"; level lines: {axis} is not theirs" if level else ""
        about = f"{done['dataset'].iloc[0]}, {seeds}{bars}{lines}{sample}"
        headline(figure, f"Least error: {least_errors(done, names)}", about)
        return saved(figure)


def least_errors(done: pd.DataFrame, names: Sequence[str] = ()) -> str:
    """The least error of every algorithm, and which of the settings swept for it reached that."""
    told = []
    for algorithm in algorithms_of(done):
        own = done[done["algorithm"] == algorithm]
        best = own.sort_values("test_error_mean", kind="stable").iloc[0].to_dict()
        at = described({str(name): value for name, value in best.items()}, _varied(own, names))
        told.append(
            f"{short_name(algorithm)} {best['test_error_mean']:.2f} %{f' ({at})' if at else ''}"
        )
    return ", ".join(told)


def _varied(own: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The settings that rows of one algorithm differ in."""
    return [name for name in names if len(own[name].drop_duplicates()) > 1]


def not_swept(summary: pd.DataFrame, axis: str) -> list[str]:
    """The algorithms that have one value of a setting where others were to have several."""
    places = summary[["algorithm", axis]].drop_duplicates()
    values = places["algorithm"].value_counts()
    return [one for one in algorithms_of(summary) if values[one] == 1 < values.max()]


def _axis(done: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The setting that lines run along; None if lines would not show the sweep."""
    if not names:
        return None
    axis = max(names, key=lambda name: done[name].nunique())
    others = [name for name in names if name != axis]
    lines = len(done[others].drop_duplicates()) if others else 1
    full = len(done) >= 0.5 * lines * done[axis].nunique()  # a grid, not single combinations
    joined = done.duplicated(["algorithm", *others]).any()  # by a line, two points or more
    return axis if lines <= MOST_LINES and full and joined else None


def _lines(done: pd.DataFrame, axis: str, names: Sequence[str], level: Sequence[str]) -> Figure:
    figure = Figure(figsize=(11, 5), layout="constrained")
    ax = figure.subplots()
    numeric = done[axis].dtype.kind in "if"
    values = list(done[axis].drop_duplicates())
    values = sorted(values) if numeric else values
    others = [name for name in names if name != axis]
    for algorithm in algorithms_of(done):
        own = done[done["algorithm"] == algorithm]
        groups = own.groupby(others, sort=False) if others else [((), own)]
        for (key, rows), mark in zip(groups, cycle(MARKS), strict=False):
            told = described(dict(zip(others, key, strict=True)), others)
            if len(others) == 1:  # which the legend's title names
                told = str(key[0])
            who = "" if told and len(algorithms_of(done)) == 1 else short_name(algorithm)
            label = ", ".join(filter(None, [who, told]))
            if algorithm in level:
                _level(ax, rows, algorithm, mark, label)
                continue
            rows = rows.assign(place=[values.index(v) for v in rows[axis]]).sort_values("place")
            places = rows[axis] if numeric else rows["place"]
            _bars(ax, places, rows, algorithm, mark, label)
    if not numeric:
        room = LETTERS // len(values)
        ax.set_xticks(range(len(values)), [wrapped(str(value), room) for value in values])
    elif min(values) > 0 and max(values) / min(values) >= LOG_FROM:
        ax.set_xscale("log")
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
    elif len(values) <= 12:
        ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.set_xlabel(axis)
    title = others[0] if len(others) == 1 else None
    figure.legend(loc="outside right center", fontsize=9, title=title)
    return figure


def wrapped(text: str, room: int) -> str:
    """Break a name such as 784-1000-1000 after hyphens and commas, in lines of ``room`` letters."""
    lines = [""]
    for part in re.split(r"(?<=[-,])", text):
        if lines[-1] and len(lines[-1] + part) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _level(ax: Axes, rows: pd.DataFrame, algorithm: str, mark: str, label: str) -> None:
    """A line across, with a band of one standard deviation."""
    colour = ALGORITHM_COLOURS.get(algorithm, "#000000")
    for mean, std in zip(rows["test_error_mean"], rows["test_error_std"].fillna(0.0), strict=True):
        ax.axhline(mean, color=colour, linestyle=mark[1:], label=label)
        ax.axhspan(mean - std, mean + std, color=colour, alpha=0.15, linewidth=0)


def _bars(
    ax: Axes, places: pd.Series, rows: pd.DataFrame, algorithm: str, mark: str, label: str
) -> None:
    ax.errorbar(
        places.to_numpy(float),
        rows["test_error_mean"].to_numpy(float),
        yerr=rows["test_error_std"].fillna(0.0).to_numpy(float),
        fmt=mark,
        color=ALGORITHM_COLOURS.get(algorithm, "#000000"),
        capsize=3,
        elinewidth=1.2,
        label=label,
    )


def _points(done: pd.DataFrame, names: Sequence[str]) -> Figure:
    """A row per combination, the best on top, with the settings that its algorithm was tried at."""
    done = done.sort_values("test_error_mean", ascending=False, kind="stable")
    varied = {one: _varied(done[done["algorithm"] == one], names) for one in algorithms_of(done)}
    labels = []
    for row in _records(done):
        name = str(row["algorithm"])
        told = described(row, varied[name])
        who = "" if told and len(varied) == 1 else short_name(name)
        labels.append(", ".join(filter(None, [who, told])))
    width = POINTS_INCHES + max(map(len, labels)) / LETTERS_PER_INCH
    figure = Figure(figsize=(width, 1.6 + 0.28 * len(done)), layout="constrained")
    ax = figure.subplots()
    heights = np.arange(len(done))
    for algorithm in algorithms_of(done):
        own = (done["algorithm"] == algorithm).to_numpy()
        ax.errorbar(
            done.loc[own, "test_error_mean"].to_numpy(float),
            heights[own],
            xerr=done.loc[own, "test_error_std"].fillna(0.0).to_numpy(float),
            fmt="o",
            color=ALGORITHM_COLOURS.get(algorithm, "#000000"),
            capsize=3,
            elinewidth=1.2,
            label=short_name(algorithm),
        )
    ax.set_yticks(heights, labels, fontsize=9)
    ax.set_ylim(-0.5, len(done) - 0.5)
    columns = min(len(varied), int(width / LEGEND_INCHES))
    figure.legend(loc="outside lower center", ncols=columns)
    return figure


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
