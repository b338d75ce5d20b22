"""Pictures of bytes by place, and of the energy of training under the headline profile.

All energies are per training sample (see per_sample); FF's softmax head is trained apart on
frozen features and is not in them, backprop's output layer is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ffenergy.costs.decomposition import ORDER, TOTAL, TRAINING_STEP
from ffenergy.costs.prices import ACCOUNTINGS
from ffenergy.costs.scenarios import WELL_BUILT
from ffenergy.costs.step_kinds import full_batches
from ffenergy.report.book import Book
from ffenergy.report.findings import accounting_line
from ffenergy.report.numbers import NONE, PREFIXES, decimal, prefix_power, quantity
from ffenergy.report.numbers import figure as digits
from ffenergy.report.pictures.drawing import headline
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    PART_COLOURS,
    PART_NAMES,
    PHASE_COLOURS,
    PHASES,
    ROLE_COLOURS,
    in_order,
    layers_in_order,
    short_name,
)

SCALES: Final = {"joules": (1e6, "µJ"), "macs": (1e-6, "million MAC")}
"""Factor and name of the unit of energies per training sample."""
DIGITS: Final = 3
UNSEEN: Final = 1e-3
"""Share of the longest bar below which a kind has no line in the legend."""
MOVEMENT: Final = "movement"
COMPUTE: Final = "compute"


def traffic(book: Book) -> Figure | None:
    """Stacked bars: GB moved per layer, a colour per phase, a panel per algorithm."""
    names = book.traced
    if not names:
        return None
    whole = {name: int(table["all"].iloc[-1]) for name, table in book.layers_by_phases.items()}
    power = prefix_power(max(whole.values()), "B")
    unit = f"{PREFIXES[power + NONE]}B"
    panels = {name: table / 1000.0**power for name, table in book.layers_by_phases.items()}
    layers = layers_in_order({str(x) for t in panels.values() for x in t.index if x != "all"})
    phases = in_order({str(x) for t in panels.values() for x in t.columns if x != "all"}, PHASES)
    figure = Figure(figsize=(1.6 + 3.6 * len(names), 5.4), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for ax, (name, table) in zip(axes, panels.items(), strict=True):
        bottom = np.zeros(len(layers))
        for phase in phases:
            column = table[phase] if phase in table else pd.Series(dtype=float)
            height = column.reindex(layers, fill_value=0).to_numpy(dtype=float)
            ax.bar(layers, height, 0.72, bottom, color=PHASE_COLOURS.get(phase, "#7F7F7F"))
            bottom += height
        ax.set_title(f"{ALGORITHM_NAMES.get(name, name)}\n{quantity(whole[name], 'B')} in all")
        ax.tick_params(axis="x", rotation=45)
        ax.grid(visible=False, axis="x")
    axes[0].set_ylabel(f"{unit} moved in the whole run (read + written)")
    handles = [Patch(color=PHASE_COLOURS.get(phase, "#7F7F7F")) for phase in phases]
    figure.legend(
        handles[::-1], phases[::-1], loc="outside right upper", title="phase", alignment="left"
    )
    figure.supxlabel(f"layer · {accounting_line(book.run)}", fontsize=10)
    if {FORWARD_FORWARD, BACKPROP} <= set(whole) and whole[BACKPROP]:
        ratio = whole[FORWARD_FORWARD] / whole[BACKPROP]
        headline(figure, f"Forward-Forward moves {digits(ratio)} times the bytes of backprop")
    return figure


def waterfall(book: Book) -> Figure | None:
    """From backprop's energy to Forward-Forward's in signed parts: eager, fused, well built."""
    panels = {name: _parts(book, book.parts(TRAINING_STEP, name)) for name in ACCOUNTINGS}
    panels[WELL_BUILT] = _parts(book, book.well_built_parts(TRAINING_STEP))
    panels = {name: table for name, table in panels.items() if not table.empty}
    if not panels:
        return None
    parts = [
        part
        for part in PART_NAMES
        if any(
            part in table.index
            and (part == ORDER or table.loc[part, ["backprop", "forward_forward"]].any())
            for table in panels.values()
        )
    ]
    size = 3 + 3 * len(panels), 1.6 + 0.42 * (len(parts) + 2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (accounting, table) in zip(axes, panels.items(), strict=True):
        _steps(ax, table, parts)
        ax.set_title(accounting)
    rules = (BACKPROP, FORWARD_FORWARD)
    names = [short_name(rules[0]), *(PART_NAMES[part] for part in parts), short_name(rules[1])]
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    _, unit = SCALES[book.unit]
    figure.supxlabel(f"{unit} per training sample, under {book.headline}", fontsize=11)
    totals = {name: table.astype(float).to_dict("index")[TOTAL] for name, table in panels.items()}
    told = [
        f"{digits(row['forward_forward'] / row['backprop'])} {name}" for name, row in totals.items()
    ]
    headline(figure, f"Forward-Forward ÷ backprop: {', '.join(told)}")
    return figure


def _parts(book: Book, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the decomposition of a batch per training sample, in the unit shown, by part."""
    if book.prices is None or table.empty:
        return pd.DataFrame()
    steps = full_batches(book.prices.steps)
    scale = SCALES[book.unit][0] / float(steps["samples"].min()) if len(steps) else 1.0
    numbers = ["backprop", "forward_forward", "difference"]
    return table.set_index("part")[numbers].astype(float) * scale


def _steps(ax: Axes, table: pd.DataFrame, parts: list[str]) -> None:
    """Bars from backprop down to FF, each part beginning where the one above it ended."""
    cells = {str(part): (bp, ff, gap) for part, bp, ff, gap in table.itertuples(name=None)}
    before, after, _ = cells[TOTAL]
    lefts, widths, colours = [0.0], [float(before)], [ALGORITHM_COLOURS[BACKPROP]]
    level = widths[0]
    for part in parts:
        lefts.append(level)
        widths.append(float(cells[part][2]) if part in cells else 0.0)
        colours.append(PART_COLOURS[part])
        level += widths[-1]
    lefts.append(0.0)
    widths.append(float(after))
    colours.append(ALGORITHM_COLOURS[FORWARD_FORWARD])
    rows = range(len(widths))
    ax.barh(rows, widths, 0.66, lefts, color=colours)
    decimals = max(0, DIGITS - 1 - floor(log10(max(widths[0], widths[-1]) or 1.0)))
    for row, (left, width) in enumerate(zip(lefts, widths, strict=True)):
        end = left + width
        if row + 1 < len(widths):
            ax.plot([end, end], [row - 0.33, row + 1.33], color="#444444", linewidth=0.8)
        if 0 < row <= len(parts) and parts[row - 1] not in cells:
            continue  # only well built rules have an order that differs from NumPy's
        whole = row in (0, len(widths) - 1)
        text = decimal(width, decimals=decimals, signed=not whole)
        ax.annotate(text, (max(left, end), row), (5, 0), textcoords="offset points", va="center")
    ends = [max(x, x + w) for x, w in zip(lefts, widths, strict=True)]
    ax.set_xlim(0, max(ax.get_xlim()[1], 1.2 * max(ends)))
    ax.grid(visible=False, axis="y")


def by_phase_and_role(book: Book) -> Figure | None:
    """Stacked energy per algorithm and accounting: movement, then compute, by phase and role."""
    if not book.trained:
        return None
    scale, name = SCALES[book.unit]
    bars = [(algorithm, accounting) for algorithm in book.trained for accounting in ACCOUNTINGS]
    figure = Figure(figsize=(9, 2.4 + 0.72 * len(bars)), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for ax, key, palette in zip(
        axes, ("phase", "role"), (PHASE_COLOURS, ROLE_COLOURS), strict=True
    ):
        table = book.energy_per_sample(key)
        scaled = table.assign(**{what: table[what] * scale for what in (MOVEMENT, COMPUTE)})
        _stacked(ax, scaled, bars, key, palette)
    axes[1].set_xlabel(f"{name} per training sample, under {book.headline}")
    headline(figure, f"As it runs, movement is {_moving(book)} energy")
    return figure


def _moving(book: Book) -> str:
    """The share of movement in the energy of every algorithm's training, eager."""
    table = book.energy_per_sample("phase")
    table = table[table["accounting"] == ACCOUNTINGS[0]]
    spent = table.groupby("algorithm")[[MOVEMENT, COMPUTE]].sum()
    shares = spent[MOVEMENT] / spent.sum(axis=1)
    return ", ".join(f"{100 * shares[name]:.0f} % of {short_name(name)}'s" for name in book.trained)


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
    drawn = table.groupby(key)[[MOVEMENT, COMPUTE]].sum().sum(axis=1)
    kinds = [kind for kind in kinds if drawn[kind] > UNSEEN * max(left)]
    handles = [Patch(color=palette.get(kind, "#7F7F7F")) for kind in kinds]
    handles += [
        Patch(facecolor="#999999", edgecolor="white"),
        Patch(facecolor="#999999", edgecolor="white", hatch="////"),
    ]
    names = [*(kind.replace("_", " ") for kind in kinds), MOVEMENT, COMPUTE]
    ax.legend(handles, names, loc="center left", bbox_to_anchor=(1.01, 0.5))
