"""The pictures of a run, each a pure function from a run to a matplotlib Figure.

Figures are made without pyplot's global state, so any number can be made in any thread.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, MaxNLocator

from ffenergy.costs.prices import Prices
from ffenergy.report import display, tables
from ffenergy.report.pictures import energy as energy_figures
from ffenergy.report.pictures import memory as memory_figures
from ffenergy.report.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    PAPER_LOCAL_TEST_ERROR,
    PAPER_TEST_ERROR,
    PHASE_COLOURS,
    PHASES,
    in_order,
    layer_colour,
    layers_in_order,
    short_name,
    three_digits,
)
from ffenergy.runs.directory import Run

LOOK: dict[Any, Any] = {  # keys are matplotlib's own literals
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "svg.hashsalt": "ffenergy",
}
DPI = 150
FORMATS = ("png", "svg")
# No date and no version of the drawing library: the same run gives the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": "ffenergy"},
    "svg": {"Date": None, "Creator": "ffenergy"},
}
FIELDS = 16


@dataclass(frozen=True)
class Picture:
    """A picture that a run can have: file name without ending, caption, function that draws it.

    `draw` returns None where the run lacks what the picture shows. `alt` says in words what there
    is to see, for those who do not see it.
    """

    name: str
    caption: str
    draw: Callable[[Run], Figure | None]
    alt: str = ""


@dataclass(frozen=True)
class PricedPicture:
    """A picture of what a run's steps cost, drawn from the priced tables alone."""

    name: str
    caption: str
    draw: Callable[[Prices], Figure | None]
    alt: str


def render(
    run: Run, prices: Prices | None = None, formats: Sequence[str] = FORMATS
) -> Iterator[tuple[Picture | PricedPicture, dict[str, bytes]]]:
    """Draw every picture that there is data for; the priced ones only with `prices`.

    Yields each picture with its files' contents by format, the same bytes on every call.
    """
    drawings: list[tuple[Picture | PricedPicture, Callable[[], Figure | None]]]
    drawings = [(picture, partial(picture.draw, run)) for picture in PICTURES]
    if prices is not None:
        drawings += [(picture, partial(picture.draw, prices)) for picture in PRICED_PICTURES]
    for picture, draw in drawings:
        with rc_context(LOOK):
            figure = draw()
            files = saved(figure, formats) if figure is not None else {}
        if files:
            yield picture, files


def saved(figure: Figure, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """The contents of a figure's files by format."""
    FigureCanvasAgg(figure)
    streams = {kind: io.BytesIO() for kind in formats}
    for kind, stream in streams.items():
        figure.savefig(stream, format=kind, dpi=DPI, metadata=METADATA[kind])
    return {kind: stream.getvalue() for kind, stream in streams.items()}


def traffic(run: Run) -> Figure | None:
    """Stacked bars: GB moved per layer, a colour per phase, a panel per algorithm."""
    names = [n for n in run.algorithms if not tables.of_algorithm(run.traffic, n).empty]
    if not names:
        return None
    panels = {name: tables.layers_by_phases(run, name) / 1e9 for name in names}
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
        ax.set_title(f"{ALGORITHM_NAMES.get(name, name)}\n{three_digits(bottom.sum())} GB in all")
        ax.tick_params(axis="x", rotation=45)
        ax.grid(visible=False, axis="x")
    axes[0].set_ylabel("GB moved in the whole run (read + written)")
    handles = [Patch(color=PHASE_COLOURS.get(phase, "#7F7F7F")) for phase in phases]
    figure.legend(
        handles[::-1], phases[::-1], loc="outside right upper", title="phase", alignment="left"
    )
    figure.supxlabel(f"layer · {display.accounting_line(run)}", fontsize=10)
    return figure


def training_curves(run: Run) -> Figure | None:
    """Losses per epoch; test and train error per epoch; test error against bytes moved."""
    if run.history.empty:
        return None
    traced = not run.traffic.empty
    figure = Figure(figsize=(15 if traced else 10.5, 5.8), layout="constrained")
    axes = figure.subplots(1, 3 if traced else 2)
    _losses(axes[0], run)
    _errors(axes[1], run)
    if traced:
        _errors_by_bytes(axes[2], run)
    return figure


def _losses(ax: Axes, run: Run) -> None:
    layered = run.history[run.history["stage"].isin(["layers", "network"])]
    for name, history in layered.groupby("algorithm", sort=False):
        columns = [c for c in history if str(c).startswith("loss_layer")]
        columns = [c for c in columns if history[c].notna().any()]
        for number, column in enumerate(columns):
            label = f"{short_name(name)} {str(column).removeprefix('loss_')}"
            ax.plot(history["epoch"], history[column], "o-", c=layer_colour(number), label=label)
        if not columns:
            colour = ALGORITHM_COLOURS.get(str(name))
            ax.plot(history["epoch"], history["loss"], "s--", c=colour, label=short_name(name))
    ax.set(xlabel="epoch", ylabel="training loss (nats per case)", title="Loss of the learner")
    ax.set_yscale("log")
    _plain_numbers(ax.yaxis)
    _finish(ax)


def _errors(ax: Axes, run: Run) -> None:
    for name in run.algorithms:
        history = tables.epochs(run, name)
        colour = ALGORITHM_COLOURS.get(name)
        for column, style in (("test_error", "o-"), ("train_error", ":")):
            points = history[history[column].notna()]
            label = f"{short_name(name)} {column.removesuffix('_error')}"
            if not points.empty:
                ax.plot(points["epoch"], points[column], style, c=colour, label=label)
    ax.set(xlabel="epoch (of the head, for frozen features)", ylabel="error (%)", title="Error")
    _paper_line(ax, run)
    _finish(ax)


def _errors_by_bytes(ax: Axes, run: Run) -> None:
    for name in run.algorithms:
        history = tables.epochs(run, name)
        points = history[history["test_error"].notna()]
        moved = points["cumulative_bytes_read"] + points["cumulative_bytes_written"]
        if moved.notna().any():
            colour = ALGORITHM_COLOURS.get(name)
            ax.plot(moved / 1e9, points["test_error"], "o-", c=colour, label=short_name(name))
    ax.set_xscale("log")
    _plain_numbers(ax.xaxis)
    ax.set(xlabel="GB moved since the start of the run", ylabel="test error (%)")
    ax.set_title("What an error costs")
    _paper_line(ax, run)
    _finish(ax, whole_epochs=False)


def _plain_numbers(axis: Axis) -> None:
    """Label a logarithmic axis 0.1, 0.2, 0.5, 1 instead of in powers of ten."""
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter("{x:g}")


def _paper_line(ax: Axes, run: Run) -> None:
    ax.set_ylim(bottom=0)
    error = paper_error(run)
    if error is not None:
        label = f"{error} %: Hinton 2022, FF"
        ax.axhline(error, color="black", linestyle="--", linewidth=1.2, label=label)


def paper_error(run: Run) -> float | None:
    """The paper's test error for a network of this kind, in percent; None for other images."""
    data = run.configuration.get("data", {})
    if str(data.get("name", "")).startswith("fashion"):
        return None
    settings = run.configuration.get("settings", {})
    return PAPER_LOCAL_TEST_ERROR if settings.get("local_fields") else PAPER_TEST_ERROR


def _finish(ax: Axes, *, whole_epochs: bool = True) -> None:
    if whole_epochs:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def hybrid_examples(run: Run) -> Figure | None:
    """Six columns of digit a, digit b, mask and hybrid."""
    rows = {part: run.examples.get(f"hybrid/{part}") for part in ("a", "b", "mask", "hybrid")}
    labels = {"a": "digit a", "b": "digit b", "mask": "mask", "hybrid": "hybrid"}
    if any(images is None for images in rows.values()):
        return None
    columns = len(run.examples["hybrid/a"])
    figure = Figure(figsize=(1.3 * columns + 1, 5.8), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, (part, images) in zip(grid, rows.items(), strict=True):
        for ax, image in zip(axes, images if images is not None else [], strict=True):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1)
            _bare(ax)
        axes[0].set_ylabel(labels[part], fontsize=13)
    blurs = run.configuration["settings"].get("n_blur")
    figure.suptitle(f"Hybrid negatives: mask · a + (1 − mask) · b, mask blurred {blurs} times")
    return figure


def receptive_fields(run: Run) -> Figure | None:
    """The 16 units of layer 1 with the largest weight norm; positive red, negative blue."""
    name = next((n for n in ("ff", *run.algorithms) if f"{n}/layer1/W" in run.weights), None)
    if name is None:
        return None
    weights = np.asarray(run.weights[f"{name}/layer1/W"], dtype=float)
    side = int(np.sqrt(weights.shape[0]))
    if side * side != weights.shape[0]:
        return None
    norms = np.linalg.norm(weights, axis=0)
    largest = np.argsort(-norms, kind="stable")[:FIELDS]
    limit = float(np.abs(weights[:, largest]).max()) or 1.0
    figure = Figure(figsize=(7.4, 7), layout="constrained")
    grid = figure.subplots(4, 4)
    image: Any = None
    for ax in grid.flat:
        _bare(ax)
        ax.set_visible(False)
    for ax, unit in zip(grid.flat, largest, strict=False):
        ax.set_visible(True)
        field = weights[:, unit].reshape(side, side)
        image = ax.imshow(field, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(f"unit {unit}, norm {norms[unit]:.2f}", fontsize=9)
    figure.colorbar(image, ax=grid, shrink=0.6, label="weight (positive red, negative blue)")
    what = ALGORITHM_NAMES.get(name, name)
    figure.suptitle(f"{what}: the {len(largest)} layer-1 receptive fields of largest norm")
    return figure


def goodness_histograms(run: Run) -> Figure | None:
    """Goodness of real and hybrid test images in every layer; the threshold is dashed."""
    layers = layers_in_order({k.split("/")[1] for k in run.examples if k.startswith("goodness/")})
    if not layers:
        return None
    threshold = run.configuration["settings"].get("threshold")
    columns = min(len(layers), 4)
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(3.7 * columns, 3.6 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat[len(layers) :]:
        ax.set_visible(False)
    for number, (ax, layer) in enumerate(zip(grid.flat, layers, strict=False)):
        kinds = {kind: run.examples[f"goodness/{layer}/{kind}"] for kind in ("real", "hybrid")}
        edges = np.histogram_bin_edges(np.concatenate(list(kinds.values())), bins=40)
        for kind, colour in (("real", "#0072B2"), ("hybrid", "#D55E00")):
            ax.hist(kinds[kind], edges, color=colour, alpha=0.65, label=None if number else kind)
        label = None if number else f"θ = {threshold:g}"
        ax.axvline(threshold, color="black", linestyle="--", linewidth=1.5, label=label)
        ax.set(title=layer, xlabel="goodness per neuron, mean(h²)")
    for row in grid:
        row[0].set_ylabel("test images")
    figure.legend(loc="outside upper right", ncols=3)
    return figure


def _bare(ax: Axes) -> None:
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


PICTURES = (
    Picture(
        "traffic",
        "Traffic per layer and phase",
        traffic,
        "Stacked bars of the GB moved in every layer, a colour per phase, a panel per algorithm.",
    ),
    Picture(
        "training-curves",
        "Training curves",
        training_curves,
        "Lines of the training loss and of the error in percent by epoch, and of the test error "
        "by the bytes moved so far.",
    ),
    Picture(
        "hybrids",
        "Hybrid negatives",
        hybrid_examples,
        "Six columns of two digits, the mask that blends them, and the hybrid that comes out.",
    ),
    Picture(
        "receptive-fields",
        "Layer-1 receptive fields",
        receptive_fields,
        "Sixteen images of weights from the pixels to a unit, positive red, negative blue.",
    ),
    Picture(
        "goodness",
        "Goodness of real and hybrid images",
        goodness_histograms,
        "Histograms of the goodness of real and of hybrid test images, a panel per layer, with "
        "the threshold between them.",
    ),
)
PRICED_PICTURES = (
    PricedPicture(
        "energy-waterfall",
        "Energy per training sample, from backprop to Forward-Forward",
        energy_figures.waterfall,
        "Waterfalls, eager and fused: a bar of backprop's energy per training sample, bars of what "
        "Forward-Forward removes and adds, and a bar of Forward-Forward's energy.",
    ),
    PricedPicture(
        "energy-by-phase-and-role",
        "Energy per training sample by phase and by role, compute apart from movement",
        energy_figures.by_phase_and_role,
        "Stacked bars of energy per training sample, a bar per algorithm and accounting: movement, "
        "then hatched compute, once with a colour per phase, once with a colour per role.",
    ),
    PricedPicture(
        "miss-curves",
        "What travels beyond an on-chip memory, by its size (a line ends where nothing does)",
        memory_figures.miss_curve,
        "Falling lines, one per algorithm, of the bytes per training sample that travel beyond an "
        "on-chip memory against its size, with rings where the lines cross, eager and fused.",
    ),
    PricedPicture(
        "reuse-distances",
        "How far back the bytes lie that a training step reads",
        memory_figures.reuse_distances,
        "Histograms of the bytes read per training sample by reuse distance, a colour per role, a "
        "panel per algorithm and accounting.",
    ),
    PricedPicture(
        "live-memory",
        "Live memory over one training step (without the data set)",
        memory_figures.live_memory,
        "Stacked areas of the bytes alive during one training step, a colour per role, with the "
        "peak marked and strips that name layers and phases; Forward-Forward beside backprop.",
    ),
)
