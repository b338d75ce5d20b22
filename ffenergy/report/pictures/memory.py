"""Pictures of where bytes lie and how far they come back: on-chip size, reuse, live memory."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, groupby
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

from ffenergy.costs.prices import ACCOUNTINGS
from ffenergy.costs.step_kinds import full_batches, rows_of, trains_layers
from ffenergy.report.book import Book
from ffenergy.report.numbers import figure as digits
from ffenergy.report.numbers import memory_size, tick
from ffenergy.report.per_sample import crossings
from ffenergy.report.pictures.drawing import headline
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import (
    ALGORITHM_COLOURS,
    PHASE_COLOURS,
    PHASES,
    ROLE_COLOURS,
    ROLES,
    in_order,
    short_name,
)

MIB: Final = 2**20
MB: Final = 1e6
NAMED: Final = 3
"""Crossings of one pair of curves whose sizes are written out."""


def miss_curve(book: Book) -> Figure | None:
    """Bytes beyond an on-chip memory against its size, with the sizes where curves cross."""
    panels = {name: curves / MB for name, curves in book.miss_curves.items()}
    if not panels:
        return None
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (accounting, curves) in zip(axes, panels.items(), strict=True):
        for name in curves:
            line = curves[name].where(curves[name] > 0)
            label = short_name(name)
            ax.plot(line.index, line, color=ALGORITHM_COLOURS.get(str(name)), label=label)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda moved, _: tick(moved * MB, "B")))
        met = _mark_crossings(ax, curves)
        _memory_axis(ax, curves.index.min(), curves.index.max(), every=6)
        ax.set_title(f"{accounting}\n{met}", fontsize=11)
        ax.set_xlabel("on-chip memory")
    axes[0].set_ylabel("travelling beyond it per training sample")
    lines, names = axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=len(names))
    if all({FORWARD_FORWARD, BACKPROP} <= set(curves) for curves in panels.values()):
        headline(figure, less_moved({name: less(curves) for name, curves in panels.items()}))
    return figure


def less_moved(where: Mapping[str, str]) -> str:
    """Return the sentence that says at which sizes, by reading, Forward-Forward moves less."""
    if not any(where.values()):
        return "Forward-Forward moves more than backprop, or as much, at every size"
    if len(set(where.values())) == 1:
        return f"Forward-Forward moves less {next(iter(where.values()))}"
    told = ", ".join(f"{sizes or 'at no size'} {name}" for name, sizes in where.items())
    return f"Forward-Forward moves less {told}"


def less(curves: pd.DataFrame) -> str:
    """At which sizes Forward-Forward moves less than backprop, in words; nothing for none."""
    is_less = curves[FORWARD_FORWARD] < curves[BACKPROP]
    sizes = curves.index[is_less]
    if sizes.empty:
        return ""
    first, last = memory_size(sizes.min()), memory_size(sizes.max())
    if first == last:
        return f"at {first}"
    gaps = not is_less.loc[sizes.min() : sizes.max()].all()
    return f"{'at some sizes ' if gaps else ''}from {first} to {last}"


def _mark_crossings(ax: Axes, curves: pd.DataFrame) -> str:
    """A ring at every crossing; returns their sizes in words, a line for every pair that meets."""
    lines = []
    for a, b in combinations(curves.columns, 2):
        met = crossings(curves, a, b)
        if met:
            ax.plot(*zip(*met, strict=True), "o", color="black", mfc="white", ms=7, mew=1.5)
            sizes = ", ".join(memory_size(size) for size, _ in met[:NAMED])
            sizes += f" and {len(met) - NAMED} more" if len(met) > NAMED else ""
            lines.append(f"{short_name(str(a))} = {short_name(str(b))} at {sizes}")
    return "\n".join(lines) or "no two lines cross"


def reuse_distances(book: Book) -> Figure | None:
    """Bytes read per training sample by reuse distance, a colour per role."""
    table = book.distances
    algorithms = [a for a in book.trained if a in set(table["algorithm"].unique())]
    if not algorithms:
        return None
    roles = in_order(table["role"].unique(), ROLES)
    reused = table.loc[table["distance_to_bytes"] > 0, "distance_to_bytes"]
    bins = [2**k for k in range(int(reused.min()).bit_length() - 1, int(reused.max()).bit_length())]
    cold = bool((table["distance_to_bytes"] < 0).any())
    figure = Figure(figsize=(10.5, 1.2 + 2.1 * len(algorithms)), layout="constrained")
    grid = figure.subplots(
        len(algorithms), len(ACCOUNTINGS), sharex=True, sharey=True, squeeze=False
    )
    for row, algorithm in zip(grid, algorithms, strict=True):
        for ax, accounting in zip(row, ACCOUNTINGS, strict=True):
            own = (table["algorithm"] == algorithm) & (table["accounting"] == accounting)
            _histogram(ax, table[own], bins, roles, cold=cold)
            ax.set_title(f"{short_name(algorithm)}, {accounting}")
    handles = [Patch(color=ROLE_COLOURS.get(role, "#7F7F7F")) for role in roles]
    names = [role.replace("_", " ") for role in roles]
    figure.legend(handles, names, loc="outside right upper")
    figure.supylabel("MB read per training sample", fontsize=11)
    figure.supxlabel("reuse distance: live bytes touched since the last use, up to", fontsize=11)
    within: dict[str, list[str]] = {}
    for name in algorithms:
        within.setdefault(memory_size(_median(table, name)), []).append(short_name(name))
    told = ", ".join(f"{size} in {' and '.join(names)}" for size, names in within.items())
    headline(figure, f"Eager, half of all bytes come back within {told}")
    return figure


def _median(table: pd.DataFrame, algorithm: str) -> float:
    """The distance up to which half of the bytes lie that an algorithm reads again, eager."""
    own = (table["algorithm"] == algorithm) & (table["accounting"] == ACCOUNTINGS[0])
    again = table[own & (table["distance_to_bytes"] > 0)]
    read = again.groupby("distance_to_bytes")["bytes_read"].sum().sort_index().cumsum()
    return float(read.index[int((read >= read.iloc[-1] / 2).to_numpy().argmax())])


def _histogram(
    ax: Axes, table: pd.DataFrame, bins: list[int], roles: list[str], *, cold: bool
) -> None:
    """Stacked bars, one per bin of powers of two; first reads stand apart on the right."""
    columns = [*bins, -1] if cold else bins
    places = [*range(len(bins)), len(bins) + 0.6] if cold else list(range(len(bins)))
    bottom = np.zeros(len(columns))
    cells = table.pivot_table(
        index="role", columns="distance_to_bytes", values="bytes_read", aggfunc="sum"
    )
    cells = cells.reindex(index=roles, columns=columns).fillna(0.0) / MB
    for role in roles:
        height = cells.loc[role].to_numpy(dtype=float)
        there = np.flatnonzero(height)
        colour = ROLE_COLOURS.get(role, "#7F7F7F")
        ax.bar(np.take(places, there), height[there], 0.86, bottom[there], color=colour)
        bottom += height
    ax.set_xlim(places[0] - 1, places[-1] + 1)
    last = len(bins) - 3 if cold else len(bins)  # labels need room, "first read" too
    shown = [k for k, size in enumerate(bins) if size.bit_length() % 6 == 3 and k <= last]
    ticks = [float(k) for k in shown]
    labels = [memory_size(bins[k]) for k in shown]
    if cold:
        ticks.append(places[-1])
        labels.append("first\nread")
    ax.set_xticks(ticks, labels)
    ax.grid(visible=False, axis="x")


def live_memory(book: Book) -> Figure | None:
    """Bytes alive over one training step, stacked by role; the data set is left out."""
    if book.prices is None:
        return None
    steps = trains_layers(book.prices.steps)
    whole = set(full_batches(book.prices.steps)["step"])
    live = rows_of(book.prices.live, steps[~steps["short"].astype(bool)])
    chosen = {}
    for algorithm in book.trained:
        own = live[live["algorithm"] == algorithm]
        if not own.empty:
            largest = str(own["step"].iloc[int(own["total"].to_numpy().argmax())])
            chosen[algorithm] = (largest, own[own["step"] == largest])
    if not chosen:
        return None
    shape = (len(ACCOUNTINGS), len(chosen))
    figure = Figure(figsize=(max(10.5, 1.5 + 4 * len(chosen)), 6.4), layout="constrained")
    grid = figure.subplots(*shape, sharey=True, squeeze=False)
    for accounting, row in zip(ACCOUNTINGS, grid, strict=True):
        for ax, (algorithm, (step, table)) in zip(row, chosen.items(), strict=True):
            moments = table[table["accounting"] == accounting].sort_values("moment")
            _areas(ax, moments)
            name = short_name(algorithm)
            where = "" if step in whole else f", step {step}"
            ax.set_title(f"{name}{where}, {accounting}")
        row[0].set_ylabel("live memory (MiB)")
    top = max(float(table["total"].max()) for _, table in chosen.values()) / MIB
    grid[0][0].set_ylim(-0.15 * top, 1.24 * top)
    phases = in_order({p for _, t in chosen.values() for p in t["phase"].unique()}, PHASES)
    roles = [Patch(color=ROLE_COLOURS[role]) for role in ROLES]
    figure.legend(
        roles,
        [role.replace("_", " ") for role in ROLES],
        loc="outside right upper",
        title="role (areas)",
        alignment="left",
    )
    figure.legend(
        [Patch(color=PHASE_COLOURS.get(phase, "#7F7F7F")) for phase in phases],
        phases,
        loc="outside right lower",
        title="phase (strip; with layers)",
        alignment="left",
    )
    for ax in grid[-1]:
        ax.set_xlabel("operations of one step")
    told = ", ".join(
        f"{short_name(name)} {digits(float(table['total'].max()) / MIB)} MiB"
        for name, (_, table) in chosen.items()
    )
    headline(figure, f"Most bytes alive at once in a step: {told}")
    return figure


def _areas(ax: Axes, table: pd.DataFrame) -> None:
    """One stair per role, its peak, and which layer and phase every operation belongs to."""
    bottom = np.zeros(len(table))
    for role in ROLES:
        top = bottom + table[role].to_numpy(dtype=float) / MIB
        # only the moments at which this area changes: a third of the points, the same picture
        starts = np.flatnonzero(np.r_[True, (np.diff(top) != 0) | (np.diff(bottom) != 0)])
        edges = np.append(starts, len(table))
        colour = ROLE_COLOURS[role]
        ax.stairs(top[starts], edges, baseline=bottom[starts], fill=True, color=colour, label=role)
        bottom = top
    total = table["total"].to_numpy()
    peak = int(total.argmax())
    height = total[peak] / MIB
    ax.plot(peak + 0.5, height, "v", color="black", ms=7)
    side = "left" if peak < len(total) / 2 else "right"
    ax.annotate(
        f"peak {digits(height)} MiB",
        (peak + 0.5, height),
        (0, 8),
        textcoords="offset points",
        ha=side,
        va="bottom",
    )
    _strip(ax, table)
    ax.set_xlim(0, len(table))
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.grid(visible=False, axis="x")


def _strip(ax: Axes, table: pd.DataFrame) -> None:
    """Phases as a coloured strip under the areas, layers as names under it."""
    phases = table["phase"].tolist()
    below = ax.get_xaxis_transform()
    start = 0
    for phase, run in groupby(phases):
        width = len(list(run))
        colour = PHASE_COLOURS.get(str(phase), "#7F7F7F")
        ax.add_patch(Rectangle((start, 0.06), width, 0.045, color=colour, lw=0, transform=below))
        start += width
    start = 0
    for layer, run in groupby(table["layer"]):
        width = len(list(run))
        if start:
            ax.plot([start, start], [0.005, 0.105], color="#444444", lw=0.8, transform=below)
        short = str(layer).removeprefix("layer")
        if width >= (0.02 + 0.015 * len(short)) * len(phases):
            ax.text(
                start + width / 2, 0.035, short, transform=below, ha="center", va="top", fontsize=8
            )
        start += width


def _memory_axis(ax: Axes, low: float, high: float, every: int) -> None:
    """Ticks at every 2^`every`-fold size, named in KiB and MiB."""
    exponents = range(int(np.ceil(np.log2(low))), int(np.log2(high)) + 1)
    ticks = [2.0**k for k in exponents if (k - 10) % every == 0]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: memory_size(value)))
    ax.minorticks_off()
