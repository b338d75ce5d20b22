"""The reference project's static pictures of Forward-Forward, and deeper preferred inputs.

The same content and scales as its `viz/` (hinton-problems, ff-hybrid-mnist): hybrids, goodness
histograms, training curves with the loss softplus(θ − g⁺) + softplus(g⁻ − θ), receptive fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ffenergy.report import tables
from ffenergy.report.pictures import figures
from ffenergy.report.pictures.figures import LOOK, Picture
from ffenergy.report.pictures.preferred_inputs import IMAGES
from ffenergy.report.style import ALGORITHM_COLOURS, layer_colour, layers_in_order
from ffenergy.runs.directory import Run


def render(run: Run) -> Iterator[tuple[str, bytes]]:
    """Draw every picture that the run has the data for: file names and their bytes."""
    for picture in PICTURES:
        with rc_context(LOOK):
            figure = picture.draw(run)
            if figure is not None:
                for kind, content in figures.saved(figure).items():
                    yield f"{picture.name}.{kind}", content


def classifier_curves(run: Run) -> Figure | None:
    """Left the loss of every layer, right the errors of the softmax head, epoch by epoch."""
    history = tables.epochs(run, "ff")
    if history.empty:
        return None
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    layers = history[history["stage"] == "layers"]
    columns = [c for c in map(str, layers.columns) if c.startswith("loss_layer")]
    columns = [column for column in columns if layers[column].notna().any()]
    for number, column in enumerate(columns):
        both = 2 * layers[column]  # history has the mean over real and hybrid cases
        label = column.removeprefix("loss_")
        left.plot(layers["epoch"], both, "o-", color=layer_colour(number), label=label)
    left.set(xlabel="epoch", ylabel="loss of a real and a hybrid together (nats)")
    left.set_title("Loss of every layer")
    head = history[history["stage"] == "head"]
    for column, style in (("train_error", ":"), ("test_error", "o-")):
        if column in head:
            label = column.removesuffix("_error")
            right.plot(head["epoch"], head[column], style, c=ALGORITHM_COLOURS["ff"], label=label)
    paper = figures.paper_error(run)
    if paper is not None:
        label = f"{paper} %: Hinton 2022"
        right.axhline(paper, c="black", linestyle="--", linewidth=1.2, label=label)
    right.set(xlabel="epoch of the softmax head", ylabel="error (%)", title="Softmax head")
    for ax in (left, right):
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend()
    return figure


def preferred_inputs(run: Run) -> Figure | None:
    """A row of units per layer, each as the mean of the test images that excite it most."""
    layers = layers_in_order(
        {key.split("/")[1] for key in run.examples if key.startswith("preferred/")}
    )
    if not layers:
        return None
    rows = {layer: run.examples[f"preferred/{layer}/images"] for layer in layers}
    columns = max(map(len, rows.values()))
    limit = max(float(np.abs(images).max()) for images in rows.values()) or 1.0
    figure = Figure(figsize=(1.25 * columns + 1.6, 1.45 * len(rows) + 0.8), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for ax in grid.flat:
        ax.set(xticks=[], yticks=[])
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
    shown: Any = None
    for axes, (layer, images) in zip(grid, rows.items(), strict=True):
        axes[0].set_ylabel(layer, fontsize=12)
        units = run.examples[f"preferred/{layer}/units"]
        for ax, image, unit in zip(axes, images, units, strict=False):
            shown = ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(f"unit {unit}", fontsize=9)
    figure.colorbar(shown, ax=grid, shrink=0.6, label="ink above (red) or below (blue) the mean")
    figure.suptitle(
        f"Mean of the {IMAGES} test images that excite a unit most, less the mean image"
    )
    return figure


PICTURES = (
    Picture("hybrid-examples", "Hybrid negatives", figures.hybrid_examples),
    Picture("goodness-histograms", "Goodness of real and hybrid", figures.goodness_histograms),
    Picture("training-curves", "Loss and error", classifier_curves),
    Picture("receptive-fields", "Layer-1 receptive fields", figures.receptive_fields),
    Picture("preferred-inputs", "Inputs that deeper units prefer", preferred_inputs),
)
