"""Pictures of the energy of training under the headline profile, eager and fused apart.

All energies are per training sample (see per_sample); FF's softmax head is trained apart on
frozen features and is not in them, backprop's output layer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ffenergy.costs.decomposition import FULL_BATCH, TRAINING_STEP, energies
from ffenergy.costs.prices import SHOWN, Prices
from ffenergy.costs.run_totals import headline_unit
from ffenergy.report.per_sample import per_training_sample, trained_algorithms
from ffenergy.report.style import (
    ALGORITHM_COLOURS,
    PART_COLOURS,
    PART_NAMES,
    PHASE_COLOURS,
    ROLE_COLOURS,
    in_order,
    short_name,
)

SCALES: Final = {"joules": (1e6, "µJ"), "macs": (1e-6, "million MAC")}
"""Factor and name of the unit of energies per training sample."""
TOTAL: Final = "total"
MOVEMENT: Final = "movement"
COMPUTE: Final = "compute"


def waterfall(prices: Prices) -> Figure | None:
    """From backprop's energy to Forward-Forward's in signed parts, eager beside fused."""
    panels = {name: _parts(prices, name) for name in SHOWN}
    panels = {name: table for name, table in panels.items() if not table.empty}
    if not panels:
        return None
    parts = [
        part
        for part in PART_NAMES
        if any(table.loc[part, ["backprop", "forward_forward"]].any() for table in panels.values())
    ]
    figure = Figure(figsize=(9, 1.6 + 0.42 * (len(parts) + 2)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for ax, (accounting, table) in zip(axes, panels.items(), strict=True):
        _steps(ax, table, parts)
        ax.set_title(accounting)
    names = [short_name("bp"), *(PART_NAMES[part] for part in parts), short_name("ff")]
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    _, unit = SCALES[headline_unit(prices)]
    figure.supxlabel(f"{unit} per training sample, under {prices.profiles[0]}", fontsize=11)
    return figure


def _parts(prices: Prices, accounting: str) -> pd.DataFrame:
    """Rows of the decomposition per training sample, in the unit shown, by part."""
    unit = headline_unit(prices)
    table = prices.decomposition
    table = table[
        (table["accounting"] == accounting)
        & (table["scope"] == TRAINING_STEP)
        & (table["profile"] == prices.profiles[0])
        & (table["measure"] == f"energy_{unit}")
    ].set_index("part")
    steps = prices.steps[prices.steps["step"] == FULL_BATCH]
    scale = SCALES[unit][0] / float(steps["samples"].max()) if len(steps) else 1.0
    return table[["backprop", "forward_forward", "difference"]].astype(float) * scale


def _steps(ax: Axes, table: pd.DataFrame, parts: list[str]) -> None:
    """Bars from backprop down to FF, each part beginning where the one above it ended."""
    cells = {str(part): (bp, ff, gap) for part, bp, ff, gap in table.itertuples(name=None)}
    before, after, _ = cells[TOTAL]
    lefts, widths, colours = [0.0], [float(before)], [ALGORITHM_COLOURS["bp"]]
    level = widths[0]
    for part in parts:
        lefts.append(level)
        widths.append(float(cells[part][2]))
        colours.append(PART_COLOURS[part])
        level += widths[-1]
    lefts.append(0.0)
    widths.append(float(after))
    colours.append(ALGORITHM_COLOURS["ff"])
    rows = range(len(widths))
    ax.barh(rows, widths, 0.66, lefts, color=colours)
    for row, (left, width) in enumerate(zip(lefts, widths, strict=True)):
        end = left + width
        if row + 1 < len(widths):
            ax.plot([end, end], [row - 0.33, row + 1.33], color="#444444", linewidth=0.8)
        whole = row in (0, len(widths) - 1)
        text = digits(width) if whole else digits(width, sign="+")
        ax.annotate(text, (max(left, end), row), (5, 0), textcoords="offset points", va="center")
    ax.set_xlim(0, 1.18 * max(max(x, x + w) for x, w in zip(lefts, widths, strict=True)))
    ax.grid(visible=False, axis="y")


def by_phase_and_role(prices: Prices) -> Figure | None:
    """Stacked energy per algorithm and accounting: movement, then compute, by phase and role."""
    unit = headline_unit(prices)
    rows = prices.energy[prices.energy["profile"] == prices.profiles[0]]
    algorithms = [a for a in trained_algorithms(prices) if a in set(rows["algorithm"])]
    if not algorithms:
        return None
    scale, name = SCALES[unit]
    found = energies(rows)
    split = rows.assign(
        movement=found[f"energy_movement_{unit}"] * scale,
        compute=found[f"energy_compute_{unit}"] * scale,
    )
    bars = [(algorithm, accounting) for algorithm in algorithms for accounting in SHOWN]
    figure = Figure(figsize=(9, 2.4 + 0.72 * len(bars)), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for ax, key, palette in zip(
        axes, ("phase", "role"), (PHASE_COLOURS, ROLE_COLOURS), strict=True
    ):
        keys = ["algorithm", "accounting", key]
        table = per_training_sample(split, prices.steps, [MOVEMENT, COMPUTE], keys)
        _stacked(ax, table, bars, key, palette)
    axes[1].set_xlabel(f"{name} per training sample, under {prices.profiles[0]}")
    return figure


def _stacked(
    ax: Axes,
    table: pd.DataFrame,
    bars: list[tuple[str, str]],
    key: str,
    palette: Mapping[str, str],
) -> None:
    """A horizontal bar per algorithm and accounting, a colour per phase or role."""
    kinds = in_order(table[key].unique(), palette)
    cells = table.set_index(["algorithm", "accounting", key])
    left = [0.0] * len(bars)
    for what in (MOVEMENT, COMPUTE):
        for kind in kinds:
            widths = [float(cells[what].get((*bar, kind), 0.0)) for bar in bars]
            style: dict[str, Any] = {"hatch": "////"} if what == COMPUTE else {}
            colour = palette.get(kind, "#7F7F7F")
            ax.barh(
                range(len(bars)),
                widths,
                0.7,
                left,
                color=colour,
                edgecolor="white",
                linewidth=0.4,
                label=f"{what} {kind}",
                **style,
            )
            left = [x + width for x, width in zip(left, widths, strict=True)]
    for row, total in enumerate(left):
        ax.annotate(digits(total), (total, row), (5, 0), textcoords="offset points", va="center")
    labels = [f"{short_name(a)}, {accounting}" for a, accounting in bars]
    ax.set_yticks(range(len(bars)), labels)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.15 * max(left))
    ax.set_title(f"by {key}", loc="left")
    ax.grid(visible=False, axis="y")
    handles = [Patch(color=palette.get(kind, "#7F7F7F")) for kind in kinds]
    handles += [
        Patch(facecolor="#999999", edgecolor="white"),
        Patch(facecolor="#999999", edgecolor="white", hatch="////"),
    ]
    names = [*(kind.replace("_", " ") for kind in kinds), MOVEMENT, COMPUTE]
    ax.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5))


def digits(value: float, sign: str = "") -> str:
    """Three significant digits, all those of large integers; a real minus sign; zero is 0."""
    if not value:
        return "0"
    text = f"{value:{sign},.0f}" if abs(value) >= 999.5 else f"{value:{sign}#.3g}".rstrip(".")
    return text.replace("-", "−")
