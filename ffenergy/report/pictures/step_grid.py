"""Where Forward-Forward beats backprop: its costs over backprop's along the axes of a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.rules.registry import pair
from ffenergy.style import ROLE_COLOURS
from ffenergy.sweeps.step_grids import swept

MEASURES = {
    "bytes_ratio_to_bp": "bytes moved",
    "bytedmd_tile_ratio_to_bp": "bytes × √distance (ByteDMD)",
    "energy_ratio_to_bp": "energy",
}
AXIS_NAMES = {
    "batch_size": "images per batch",
    "width": "units per layer",
    "depth": "hidden layers",
    "layer_sizes": "network",
    "optimizer": "optimiser",
    "dtype": "dtype",
}
COLOURS = (ROLE_COLOURS["weight"], ROLE_COLOURS["activation"], ROLE_COLOURS["optimizer_state"])
MAP = "PuOr_r"  # purple below 1, orange above: told apart by colour-blind readers
WIDEST = np.log2(2.0)  # colours are full from a factor of two on


def render(table: pd.DataFrame) -> dict[str, bytes]:
    """Draw a sweep; PNG and SVG by format, the same bytes on every call.

    One swept axis gives lines, two or more give maps over the first two, the others held at their
    first value. Empty where nothing is compared with backprop or nothing is swept.
    """
    both = pair(table["algorithm"])
    ratios = table[table["algorithm"] == (both[0] if both else "")]
    ratios = ratios.dropna(subset=["bytes_ratio_to_bp"])
    axes = swept(table)
    if ratios.empty or not axes:
        return {}
    held = {name: ratios[name].iloc[0] for name in axes[2:]}
    for name, value in held.items():
        ratios = ratios[ratios[name] == value]
    with rc_context(LOOK):
        figure = _lines(ratios, axes[0]) if len(axes) == 1 else _maps(ratios, axes[:2])
        figure.supxlabel(_held(ratios, axes, held), fontsize=10)
        headline(figure, _wins(ratios))
        return saved(figure)


def _wins(ratios: pd.DataFrame) -> str:
    """In how many of the steps that are drawn Forward-Forward spends less energy."""
    told = []
    for accounting, own in ratios.groupby("accounting", sort=False):
        wins = int((own["energy_ratio_to_bp"] < 1).sum())
        told.append(f"{wins} of {len(own)} steps {accounting}")
    return f"Forward-Forward costs less energy than backprop in {', '.join(told)}"


def _held(ratios: pd.DataFrame, axes: list[str], held: Mapping[str, Any]) -> str:
    first = ratios.iloc[0]
    still = ("width", "depth", "batch_size", "optimizer", "dtype")
    fixed = [f"{AXIS_NAMES[n]} {first[n]}" for n in still if n not in axes[:2] and n not in held]
    fixed += [f"{AXIS_NAMES[name]} {value}" for name, value in held.items()]
    return f"{', '.join(fixed)}; energy under {first['profile']}"


def _maps(ratios: pd.DataFrame, axes: list[str]) -> Figure:
    figure = Figure(figsize=(11, 7), layout="constrained")
    panels = figure.subplots(2, len(MEASURES), sharex=True, sharey=True)
    image = None
    for row, accounting in zip(panels, ("eager", "fused"), strict=True):
        own = ratios[ratios["accounting"] == accounting]
        for ax, (column, name) in zip(row, MEASURES.items(), strict=True):
            cells = own.pivot_table(index=axes[1], columns=axes[0], values=column, dropna=False)
            ax.set_title(f"{name}, {accounting}")
            ax.grid(visible=False)
            if not cells.empty:
                image = _map(ax, cells)
    for ax in panels[-1]:
        ax.set_xlabel(AXIS_NAMES[axes[0]])
    for ax in panels[:, 0]:
        ax.set_ylabel(AXIS_NAMES[axes[1]])
    if image is not None:
        bar = figure.colorbar(image, ax=panels, shrink=0.7, label="FF ÷ backprop (1: equal)")
        ticks = (0.5, 0.7, 1.0, 1.4, 2.0)
        bar.set_ticks([float(np.log2(t)) for t in ticks], labels=[f"{t:g}" for t in ticks])
    return figure


def _map(ax: Axes, cells: pd.DataFrame) -> Any:
    values = cells.to_numpy(float)
    image = ax.imshow(
        np.log2(values),
        cmap=MAP,
        norm=TwoSlopeNorm(0.0, -WIDEST, WIDEST),
        origin="lower",
        aspect="auto",
    )
    ax.set_xticks(range(values.shape[1]), [str(name) for name in cells.columns])
    ax.set_yticks(range(values.shape[0]), [str(name) for name in cells.index])
    for (y, x), value in np.ndenumerate(values):
        if not np.isfinite(value):
            ax.text(x, y, "not\nmeasured", ha="center", va="center", color="#7F7F7F", fontsize=8)
        else:
            dark = abs(np.log2(value)) > 0.65 * WIDEST
            weight = "bold" if value < 1 else "normal"  # where Forward-Forward wins
            colour = "white" if dark else "black"
            ax.text(x, y, f"{value:.2f}", ha="center", va="center", color=colour, weight=weight)
    return image


def _lines(ratios: pd.DataFrame, axis: str) -> Figure:
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, accounting in zip(panels, ("eager", "fused"), strict=True):
        own = ratios[ratios["accounting"] == accounting].sort_values(axis)
        places = own[axis] if own[axis].dtype.kind in "if" else range(len(own))
        for (column, name), colour, marker in zip(MEASURES.items(), COLOURS, "os^", strict=True):
            ax.plot(places, own[column].astype(float), color=colour, marker=marker, label=name)
        ax.axhline(1.0, color="black", linestyle="--", linewidth=1)
        if own[axis].dtype.kind in "if":
            ax.set_xscale("log")
        ax.set_xticks(list(places), [str(value) for value in own[axis]])
        ax.minorticks_off()
        ax.set_xlabel(AXIS_NAMES[axis])
        ax.set_title(accounting)
    panels[0].set_ylabel("FF ÷ backprop")
    panels[0].legend()
    return figure
