"""Pictures of what is learned: curves, hybrids and their masks, goodness, fields, preferences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ffenergy.report import tables
from ffenergy.report.book import Book
from ffenergy.report.numbers import error_percent, tick
from ffenergy.report.pictures.drawing import LOOK, bare, headline, plain_numbers, saved
from ffenergy.rules.kit.supervised import Supervised
from ffenergy.rules.registry import FORWARD_FORWARD, rules
from ffenergy.runs.run import Run
from ffenergy.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    PAPER_LOCAL_TEST_ERROR,
    PAPER_TEST_ERROR,
    in_order,
    layer_colour,
    layers_in_order,
    short_name,
)
from ffenergy.trained.examples import IMAGES
from ffenergy.trained.snapshots import FIELDS

PAIRS: Final = 4  # of a mask and its hybrid, in a row
GOODNESS_BINS: Final = 40
NARROW: Final = 1e-4  # spread over the largest, below which goodness is one value


def training_curves(book: Book) -> Figure | None:
    """Losses per epoch; test and train error per epoch; test error against bytes moved."""
    run = book.run
    if run.history.empty:
        return None
    traced = not run.traffic.empty
    figure = Figure(figsize=(15 if traced else 10.5, 5.8), layout="constrained")
    axes = figure.subplots(1, 3 if traced else 2)
    _losses(axes[0], run)
    _errors(axes[1], run)
    if traced:
        _errors_by_bytes(axes[2], run)
    errors = {short_name(name): float(row["test_error"]) for name, row in run.results.items()}
    if errors:
        told = ", ".join(f"{name} {error_percent(error)}" for name, error in errors.items())
        headline(figure, f"{run.error_on.capitalize()} error at the end: {told}")
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
    plain_numbers(ax.yaxis)
    _finish(ax)


def _errors(ax: Axes, run: Run) -> None:
    """Test errors as lines, training errors dotted in the same colour."""
    trained = False
    running = [name for name in run.algorithms if _is_running(name)]
    for name in run.algorithms:
        history = tables.epochs(run, name)
        colour = ALGORITHM_COLOURS.get(name)
        for column, style in (("test_error", "o-"), ("train_error", ":")):
            points = history[history[column].notna()]
            label = short_name(name) if column == "test_error" else None
            if not points.empty:
                ax.plot(points["epoch"], points[column], style, c=colour, label=label)
                trained = trained or column == "train_error"
    ax.set(xlabel="epoch (of the head, for frozen features)", ylabel="error (%)", title="Error")
    if trained:
        whose = ", ".join(short_name(name) for name in running)
        while_learning = f" ({whose}: while it learns)" if running else ""
        ax.plot([], [], ":", color="#7F7F7F", label=f"on training images{while_learning}")
    _paper_line(ax, run)
    _finish(ax)


def _is_running(algorithm: str) -> bool:
    """Whether errors on training images are those of an epoch's steps, while weights change."""
    return algorithm in rules() and issubclass(rules()[algorithm], Supervised)


def _errors_by_bytes(ax: Axes, run: Run) -> None:
    for name in run.algorithms:
        history = tables.epochs(run, name)
        points = history[history["test_error"].notna()]
        moved = points["cumulative_bytes_read"] + points["cumulative_bytes_written"]
        if moved.notna().any():
            colour = ALGORITHM_COLOURS.get(name)
            moved = moved.astype(float)
            ax.plot(moved, points["test_error"], "o-", c=colour, label=short_name(name))
    ax.set_xscale("log")
    plain_numbers(ax.xaxis, lambda value: tick(value, "B"))
    ax.set(xlabel="moved since the start of the run", ylabel=f"{run.error_on} error (%)")
    ax.set_title("What an error costs")
    _paper_line(ax, run)
    _finish(ax, whole_epochs=False)


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


def classifier_curves(book: Book) -> Figure | None:
    """Left the loss of every layer, right the errors of the softmax head, epoch by epoch."""
    history = tables.epochs(book.run, FORWARD_FORWARD)
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
            label = "train" if column == "train_error" else book.run.error_on
            right.plot(
                head["epoch"],
                head[column],
                style,
                c=ALGORITHM_COLOURS[FORWARD_FORWARD],
                label=label,
            )
    paper = paper_error(book.run)
    if paper is not None:
        label = f"{paper} %: Hinton 2022"
        right.axhline(paper, c="black", linestyle="--", linewidth=1.2, label=label)
    right.set(xlabel="epoch of the softmax head", ylabel="error (%)", title="Softmax head")
    for ax in (left, right):
        ax.set_ylim(bottom=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend()
    return figure


def hybrid_examples(book: Book) -> Figure | None:
    """Six columns of digit a, digit b, mask and hybrid."""
    labels = {"a": "digit a", "b": "digit b", "mask": "mask", "hybrid": "hybrid"}
    found = [book.run.examples.get(f"hybrid/{part}") for part in labels]
    rows = [images for images in found if images is not None]
    if len(rows) < len(labels):
        return None
    sheet = np.array([[np.pad(image, 1, constant_values=1) for image in row] for row in rows])
    n_rows, columns, height, width = sheet.shape
    figure = Figure(figsize=(1.3 * columns + 1, 5.8), layout="constrained")
    ax = figure.subplots()
    montage = sheet.swapaxes(1, 2).reshape(n_rows * height, columns * width)
    ax.imshow(montage, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    bare(ax)
    places = [height * (k + 0.5) - 0.5 for k in range(n_rows)]
    ax.set_yticks(places, list(labels.values()), fontsize=13, rotation=90, va="center")
    ax.tick_params(length=0)
    blurs = book.run.configuration["settings"].get("n_blur")
    headline(figure, f"Hybrids look like digits up close alone (masks blurred {blurs} times)")
    return figure


def masks(found: Mapping[int, Mapping[str, np.ndarray]]) -> dict[str, bytes]:
    """Draw four masks and hybrids per value of ``n_blur``, from the same random bits.

    `found` is what ``trained.examples.hybrids`` makes, by ``n_blur``. PNG and SVG by format.
    """
    with rc_context(LOOK):
        figure = Figure(figsize=(1.3 * 2 * PAIRS, 1.3 * len(found) + 0.8), layout="constrained")
        grid = figure.subplots(len(found), 2 * PAIRS, squeeze=False)
        for axes, (n_blur, hybrids) in zip(grid, found.items(), strict=True):
            for pair in range(PAIRS):
                for ax, part in zip(axes[2 * pair :], ("mask", "hybrid"), strict=False):
                    ax.imshow(hybrids[f"hybrid/{part}"][pair], cmap="gray", vmin=0, vmax=1)
            axes[0].set_ylabel(f"n_blur {n_blur}")
        for ax in grid.flat:
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
        headline(figure, "Masks (white: from the first digit) and the hybrids they make")
        return saved(figure)


def receptive_fields(book: Book) -> Figure | None:
    """The 16 units of layer 1 with the largest weight norm; positive red, negative blue."""
    names = in_order(book.run.algorithms, ALGORITHM_NAMES)
    name = next((n for n in names if f"{n}/layer1/W" in book.run.weights), None)
    if name is None:
        return None
    weights = np.asarray(book.run.weights[f"{name}/layer1/W"], dtype=float)
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
        bare(ax)
        ax.set_visible(False)
    for ax, unit in zip(grid.flat, largest, strict=False):
        ax.set_visible(True)
        field = weights[:, unit].reshape(side, side)
        image = ax.imshow(field, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(f"unit {unit}, norm {norms[unit]:.2f}", fontsize=9)
    figure.colorbar(image, ax=grid, shrink=0.6, label="weight (positive red, negative blue)")
    what = ALGORITHM_NAMES.get(name, name)
    headline(figure, f"{what}: the {len(largest)} layer-1 receptive fields of largest norm")
    return figure


def goodness_histograms(book: Book) -> Figure | None:
    """Goodness of real and hybrid test images in every layer; the threshold is dashed."""
    layers = layers_in_order(
        {k.split("/")[1] for k in book.run.examples if k.startswith("goodness/")}
    )
    if not layers:
        return None
    threshold = book.run.configuration["settings"].get("threshold")
    columns = min(len(layers), 4)
    rows = -(-len(layers) // columns)
    figure = Figure(figsize=(3.7 * columns, 3.6 * rows + 0.4), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax in grid.flat[len(layers) :]:
        ax.set_visible(False)
    for number, (ax, layer) in enumerate(zip(grid.flat, layers, strict=False)):
        kinds = {kind: book.run.examples[f"goodness/{layer}/{kind}"] for kind in ("real", "hybrid")}
        kinds = {kind: cases[np.isfinite(cases)] for kind, cases in kinds.items()}  # may overflow
        edges = _goodness_edges(np.concatenate(list(kinds.values())))
        for kind, colour in (("real", "#0072B2"), ("hybrid", "#D55E00")):
            label = None if number else kind
            ax.hist(
                kinds[kind], edges, histtype="stepfilled", color=colour, alpha=0.65, label=label
            )
        if threshold is not None:
            label = None if number else f"θ = {threshold:g}"
            ax.axvline(threshold, color="black", linestyle="--", linewidth=1.5, label=label)
        ax.set(title=layer, xlabel="goodness per neuron, mean(h²)")
        ax.tick_params(labelbottom=True)
    for row in grid:
        row[0].set_ylabel(f"{book.run.error_on} images")
    figure.legend(loc="outside lower center", ncols=3)
    if threshold is not None:
        headline(figure, _told_apart(book.run, layers, float(threshold)))
    return figure


def _goodness_edges(cases: np.ndarray) -> np.ndarray:
    """Edges of bins over ``cases``; from zero on where they are too close for bins between them."""
    if cases.size and np.ptp(cases) <= NARROW * cases.max():
        return np.linspace(0, 2 * float(cases.max()) or 1.0, GOODNESS_BINS + 1)
    return np.histogram_bin_edges(cases, bins=GOODNESS_BINS)


def _told_apart(run: Run, layers: list[str], threshold: float) -> str:
    """How many images every layer's goodness tells apart, in words."""
    right = []
    for layer in layers:
        real, hybrid = (run.examples[f"goodness/{layer}/{kind}"] for kind in ("real", "hybrid"))
        hits = int((real > threshold).sum()) + int((hybrid <= threshold).sum())
        right.append(f"{100 * hits / (len(real) + len(hybrid)):.0f} % in {layer}")
    return f"Goodness tells real images from hybrids: {', '.join(right)}"


def preferred_inputs(book: Book) -> Figure | None:
    """A row of units per layer, each as the mean of the test images that excite it most."""
    layers = layers_in_order(
        {key.split("/")[1] for key in book.run.examples if key.startswith("preferred/")}
    )
    if not layers:
        return None
    rows = {layer: book.run.examples[f"preferred/{layer}/images"] for layer in layers}
    columns = max(map(len, rows.values()))
    limit = max(float(np.abs(images).max()) for images in rows.values()) or 1.0
    figure = Figure(figsize=(1.25 * columns + 1.6, 1.45 * len(rows) + 0.8), layout="constrained")
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for ax in grid.flat:
        bare(ax)
    shown: Any = None
    for axes, (layer, images) in zip(grid, rows.items(), strict=True):
        axes[0].set_ylabel(layer, fontsize=12)
        units = book.run.examples[f"preferred/{layer}/units"]
        for ax, image, unit in zip(axes, images, units, strict=False):
            shown = ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
            ax.set_title(f"unit {unit}", fontsize=9)
    figure.colorbar(shown, ax=grid, shrink=0.6, label="ink above (red) or below (blue) the mean")
    which = f"{IMAGES} {book.run.error_on} images"
    headline(figure, f"Mean of the {which} that excite a unit most, less the mean")
    return figure
