"""The film of a training: fields forming, goodness parting, error falling, costs adding up.

Every frame is a measured snapshot; nothing is interpolated, and all axes stay where they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ffenergy.report.pictures.drawing import LOOK
from ffenergy.style import ALGORITHM_COLOURS, ALGORITHM_NAMES, layers_in_order, short_name
from ffenergy.trained.snapshots import Film

SIZE: Final = (9.6, 6.08)  # inches; 960 x 608 pixels, both multiples of 16 for video encoders
DPI: Final = 100
COLOURS: Final = {"real": "#0072B2", "hybrid": "#D55E00"}
BINS: Final = 36
LABELLED: Final = 1.65  # width of a panel over that of its curves, which are named at their ends
GAP: Final = 2  # pixels between receptive fields
UNITS: Final = {"joules": "J", "macs": "MACs"}


@dataclass(frozen=True)
class Subtitles:
    """What the film says of itself: network, data, threshold per neuron, whose errors it shows."""

    network: str
    data: str
    threshold: float
    error_on: str = "test"


def frames(film: Film, subtitles: Subtitles) -> Iterator[np.ndarray]:
    """Draw one frame per snapshot: (608, 960, 3) uint8, the same bytes on every call."""
    scene = _Scene(film, subtitles)
    for number in range(len(film.epochs)):
        with rc_context({**LOOK, "font.size": 9, "axes.titlesize": 10, "legend.fontsize": 8}):
            figure = scene.draw(number)
            canvas = FigureCanvasAgg(figure)
            canvas.draw()  # type: ignore[no-untyped-call]
            pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
            yield pixels[..., :3].copy()


class _Scene:
    """The limits of all axes, found over all frames, and one frame after the other."""

    def __init__(self, film: Film, subtitles: Subtitles) -> None:
        self.film, self.subtitles = film, subtitles
        self.layers = layers_in_order({name.split("/")[0] for name in film.goodness})
        self.weight_limit = float(np.quantile(np.abs(film.fields[-1]), 0.998)) or 1.0
        self.edges = {layer: self._edges(layer) for layer in self.layers}
        self.tallest = 1.1 * max(
            np.histogram(case, self.edges[name.split("/")[0]])[0].max()
            for name, cases in film.goodness.items()
            for case in cases
        )
        energy = next(c for c in map(str, film.table.columns) if c.startswith("energy_"))
        self.energy, self.energy_unit = energy, UNITS[energy.removeprefix("energy_")]
        self.moved = film.table["bytes_read"] + film.table["bytes_written"]

    def _edges(self, layer: str) -> np.ndarray:
        cases = np.concatenate([self.film.goodness[f"{layer}/{kind}"].ravel() for kind in COLOURS])
        finite = cases[np.isfinite(cases)]  # squares of a training about to diverge overflow
        low, high = np.quantile(finite, [0.001, 0.999]) if finite.size else (0.0, 0.0)
        return np.linspace(min(low, self.subtitles.threshold), max(high, 1e-9), BINS + 1)

    def draw(self, number: int) -> Figure:
        epoch, last = int(self.film.epochs[number]), int(self.film.epochs[-1])
        figure = Figure(figsize=SIZE, dpi=DPI)
        title = f"{self.subtitles.network}, {self.subtitles.data}: epoch {epoch} of {last}"
        figure.text(0.02, 0.955, title, fontsize=14, weight="bold")
        self._fields(figure.add_axes((0.02, 0.46, 0.29, 0.43)), number)
        columns = len(self.layers)
        left, width, gap = 0.39, 0.595, 0.035
        each = (width - gap * (columns - 1)) / columns
        for k, layer in enumerate(self.layers):
            ax = figure.add_axes((left + k * (each + gap), 0.53, each, 0.33))
            self._goodness(ax, layer, number, first=k == 0)
        panels = [(left, 0.1, 0.27, 0.27) for left in (0.055, 0.385, 0.71)]
        errors, bytes_moved, energy = (figure.add_axes(place) for place in panels)
        table = self.film.table
        self._curves(errors, table["test_error"], number, "{:.2f}")
        errors.set_title(f"{self.subtitles.error_on.capitalize()} error (%)", loc="left")
        scale, unit = _scale(float(self.moved.max()))
        self._curves(bytes_moved, self.moved / scale, number, "{:.3g}")
        bytes_moved.set_title(f"{unit} moved by training steps (eager)", loc="left")
        self._curves(energy, table[self.energy], number, "{:.3g}")
        profile = table["profile"].iloc[0]
        energy.set_title(f"{self.energy_unit} spent on them ({profile})", loc="left")
        figure.text(0.02, 0.015, self._note(), fontsize=8, color="#444444")
        return figure

    def _fields(self, ax: Axes, number: int) -> None:
        ax.imshow(
            _montage(self.film.fields[number]),
            cmap="RdBu_r",
            vmin=-self.weight_limit,
            vmax=self.weight_limit,
            interpolation="nearest",
            aspect="equal",
        )
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.set_title("Layer-1 weights, 16 units (red +, blue −)", loc="left")

    def _goodness(self, ax: Axes, layer: str, number: int, *, first: bool) -> None:
        edges = self.edges[layer]
        bins = edges.tolist()
        for kind, colour in COLOURS.items():
            cases = np.clip(self.film.goodness[f"{layer}/{kind}"][number], edges[0], edges[-1])
            ax.hist(cases, bins, histtype="stepfilled", color=colour, alpha=0.65, label=kind)
        theta = self.subtitles.threshold
        ax.axvline(theta, color="black", linestyle="--", linewidth=1.2, label=f"θ = {theta:g}")
        ax.set(xlim=(edges[0], edges[-1]), ylim=(0, self.tallest))
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.set_title(layer, loc="left")
        if first:
            ax.set_ylabel(f"{self.subtitles.error_on} images")
            handles, labels = ax.get_legend_handles_labels()
            ax.figure.legend(
                handles, labels, loc="upper right", bbox_to_anchor=(0.985, 0.945), ncols=3
            )
        else:
            ax.set_yticklabels([])
        ax.set_xlabel("mean(h²)")

    def _curves(self, ax: Axes, values: pd.Series[float], number: int, label: str) -> None:
        table, epochs = self.film.table, self.film.epochs
        top = float(values.max()) * 1.15
        ends: dict[str, float] = {}
        for algorithm, rows in table.groupby("algorithm", sort=False):
            name = str(algorithm)
            so_far = values[rows.index][: number + 1].to_numpy(float)
            colour = ALGORITHM_COLOURS[name]
            ax.plot(epochs[: number + 1], so_far, "o-", color=colour, markersize=3)
            if np.isfinite(so_far[-1]):
                ends[name] = so_far[-1]
        heights = _apart(ends, top * 0.11)
        for name, value in ends.items():
            ax.annotate(
                f"{short_name(name)} {label.format(value)}",
                (epochs[number], heights[name]),
                xytext=(6, 0),
                textcoords="offset points",
                color=ALGORITHM_COLOURS[name],
                fontsize=9,
                va="center",
                annotation_clip=False,
            )
        ax.set(xlim=(0, epochs[-1] * LABELLED), ylim=(0, top))
        ax.set_xticks(
            [
                tick
                for tick in MaxNLocator(5, integer=True).tick_values(0, epochs[-1])
                if 0 <= tick <= epochs[-1]
            ]
        )
        ax.set_xlabel("epoch")

    def _note(self) -> str:
        how = self.film.table.groupby("algorithm", sort=False)["readout"].first()
        told = ", ".join(f"{ALGORITHM_NAMES[str(a)]} by {text}" for a, text in how.items())
        return f"Error: {told}. Costs: training steps, without FF's softmax head, without tests."


def _montage(fields: np.ndarray) -> np.ndarray:
    """Fields (n, height, width) in rows of four, with gaps that stay blank (NaN)."""
    count, height, width = fields.shape
    columns = min(4, count)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), np.nan)
    for k, field in enumerate(fields):
        top, left = (k // columns) * (height + GAP), (k % columns) * (width + GAP)
        sheet[top : top + height, left : left + width] = field
    return sheet


def _apart(values: dict[str, float], least: float) -> dict[str, float]:
    """Move labels apart from each other and from the axis, so that they can be read."""
    placed: dict[str, float] = {}
    for name in sorted(values, key=lambda n: values[n]):
        lowest = max(placed.values(), default=-least / 2) + least
        placed[name] = max(values[name], lowest)
    return placed


def _scale(largest: float) -> tuple[float, str]:
    return (1e12, "TB") if largest >= 1e12 else (1e9, "GB") if largest >= 1e9 else (1e6, "MB")
