"""The map as a picture: on-chip memory across, batch size up, and who spends less energy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from ffenergy.costs.map import (
    LARGEST,
    MIB,
    SMALLEST,
    contests,
    on_chip_sizes,
    regimes,
)
from ffenergy.costs.network import Network, network_of
from ffenergy.costs.scenarios import on_chip_bytes
from ffenergy.costs.verdicts import SCALE, Verdict
from ffenergy.energy import Profile, load_profile
from ffenergy.report.book import Book
from ffenergy.report.map_table import COLOURS, HATCHED, LEGEND, OPTIMIZERS
from ffenergy.report.numbers import memory_size
from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

AN_OCTAVE: Final = 5
TOLD_AN_OCTAVE: Final = 16
"""Sizes in a doubling that are drawn, and those that words are found from."""
HATCH: Final[dict[Any, Any]] = {"hatch.linewidth": 0.7, "hatch.color": "#FFFFFF"}
BATCHES: Final = tuple(sorted({round(10 ** (k / 10)) for k in range(31)}))
SMALLEST_NAMED: Final = 0.04
"""Share of a panel that a region must have to carry its name."""
MARGIN: Final = 4
"""Steps of the grid at either side of a panel where no name stands."""
TICKS: Final = {2**16: "64 KiB", 2**18: "¼ MiB", **{2**k * MIB: f"{2**k}" for k in range(0, 9, 2)}}
BATCH_TICKS: Final = (1, 10, 32, 100, 316, 1000)

WRITTEN: Final = {
    Verdict.RULE_PROVEN: ("FF\nproven", "#FEFEFE"),
    Verdict.UNDECIDED: ("?", "#444444"),
    Verdict.BP_KNOWN: ("BP", "#010101"),
    Verdict.BP_PROVEN: ("BP\nproven", "#FEFEFE"),
}
"""Names and their colours: on a region not quite black and white, which follow light and dark."""
CHIPS: Final = {
    "edge-7nm-lpddr5": "edge board",
    "a100-measured": "A100",
    "tpuv4i": "TPUv4i",
}
"""Profiles whose largest on-chip memory is marked on the axis."""
SETTINGS: Final[dict[tuple[tuple[int, ...], str], tuple[int, str]]] = {
    ((784, 1000, 1000, 1000, 1000), "adam"): (100, "reference"),
    ((784, 2000, 2000, 2000, 2000), "momentum"): (100, "paper"),
}
"""Batch size and name of the reference's and the paper's settings, by network and optimiser."""


def render(networks: Sequence[tuple[int, ...]], profile: Profile) -> dict[str, bytes]:
    """Draw the map of Forward-Forward against backprop; PNG and SVG by format.

    A row per network (its layer sizes), a panel per optimiser, energies under ``profile``. The same
    bytes on every call.
    """
    sizes = on_chip_sizes(SMALLEST, LARGEST, AN_OCTAVE)
    with rc_context({**LOOK, **HATCH}):
        figure = Figure(figsize=(12.5, 1.9 + 3.1 * len(networks)), layout="constrained")
        panels = figure.subplots(
            len(networks), len(OPTIMIZERS), sharex=True, sharey=True, squeeze=False
        )
        for layer_sizes, row in zip(networks, panels, strict=True):
            for optimizer, ax in zip(OPTIMIZERS, row, strict=True):
                _panel(ax, Network(layer_sizes, 1, optimizer), sizes, BATCHES, profile)
        for ax, name in zip(panels[0], OPTIMIZERS.values(), strict=True):
            ax.annotate(
                name,
                (0.5, 1),
                (0, 22),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="center",
                fontsize=14,
                weight="bold",
            )
        for ax, layer_sizes in zip(panels[:, 0], networks, strict=True):
            ax.set_ylabel(f"{'-'.join(map(str, layer_sizes))}\nimages a batch")
        for ax in panels[-1]:
            _chips(ax)
        panels[-1, 1].set_xlabel("memory on the chip, MiB", labelpad=20)
        figure.suptitle(
            "Which costs less energy to train: Forward-Forward (FF) or backprop (BP)?\n"
            f"each in its best order; {profile.title}",
            fontsize=13,
        )
        handles = [*_legend(), _points("published setting, on known chips")]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=10)
        return saved(figure)


def of_run(book: Book) -> Figure | None:
    """The map of a run's own network and optimiser, its batch and its chip marked."""
    if book.pair != (FORWARD_FORWARD, BACKPROP) or not book.hardware:
        return None
    network, profile = network_of(book.run.settings), book.hardware[0]
    if network is None:
        return None
    sizes = on_chip_sizes(SMALLEST, LARGEST, AN_OCTAVE)
    batches = sorted({*BATCHES, network.batch_size})
    with rc_context(HATCH):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        ax = figure.subplots()
        _panel(ax, network, sizes, batches, profile)
        ax.axhline(network.batch_size, color="black", linewidth=0.9, linestyle=":")
        here = on_chip_bytes(profile)
        ax.plot(here, network.batch_size, "o", color="white", markeredgecolor="black", zorder=5)
        ax.set_ylabel("images a batch")
        ax.set_xlabel("memory on the chip, MiB")
        handles = [*_legend(), _points("this run")]
        figure.legend(handles=handles, loc="outside right center", fontsize=9)
        fine = on_chip_sizes(SMALLEST, LARGEST, TOLD_AN_OCTAVE)
        own = [SCALE[code] for code in contests([network], fine, [profile])[0].winner[0]]
        told = f"Forward-Forward in batches of {network.batch_size}: {_where(own, fine)}"
        headline(figure, told)
    return figure


def _where(verdicts: Sequence[Verdict], sizes: Sequence[int]) -> str:
    """Where Forward-Forward is cheaper, proven if it is anywhere: the longest stretch of sizes."""
    for verdict in (Verdict.RULE_PROVEN, Verdict.RULE_KNOWN):
        places = groupby(zip(verdicts, sizes, strict=True), key=itemgetter(0))
        stretches = [[size for _, size in run] for one, run in places if one == verdict]
        if stretches:
            longest = max(stretches, key=len)
            between = f"from {memory_size(longest[0])} to {memory_size(longest[-1])}"
            return f"{LEGEND[verdict].removeprefix('FF ')}, {between}"
    return "cheaper at no size"


def _legend() -> list[Artist]:
    """A patch per region."""
    return [
        Patch(
            facecolor=COLOURS[verdict],
            edgecolor="#FFFFFF" if verdict in HATCHED else "#888888",
            hatch="///" if verdict in HATCHED else None,
            label=LEGEND[verdict],
        )
        for verdict in SCALE
        if verdict not in (Verdict.RULE_MEASURED, Verdict.BP_MEASURED)
    ]


def _points(label: str) -> Artist:
    style: dict[str, Any] = {"marker": "o", "color": "black", "markerfacecolor": "white"}
    return Line2D([], [], linestyle=":", label=label, **style)


def _panel(
    ax: Axes,
    network: Network,
    sizes: Sequence[int],
    batches: Sequence[int],
    profile: Profile,
) -> npt.NDArray[np.int64]:
    """Regions of one optimiser, the three regimes above them; returns who wins where."""
    found = [network.replace(batch_size=batch) for batch in batches]
    codes = contests(found, sizes, [profile])[0].winner
    paper = {Verdict.UNDECIDED: "none"}  # what lies below, light or dark
    colours = ListedColormap([(COLOURS | paper)[verdict] for verdict in SCALE])
    norm = BoundaryNorm(np.arange(len(SCALE) + 1) - 0.5, len(SCALE))
    ax.pcolormesh(
        sizes, batches, codes, cmap=colours, norm=norm, shading="nearest", zorder=0, rasterized=True
    )
    backprops = np.isin(codes, [SCALE.index(verdict) for verdict in HATCHED]).astype(float)
    if backprops.any() and not backprops.all():
        ax.contourf(
            sizes, batches, backprops, levels=[0.5, 1.5], colors="none", hatches=["///"], zorder=1
        )
        ax.contour(sizes, batches, backprops, levels=[0.5], colors="#333333", linewidths=0.8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.grid(visible=False)
    setting = SETTINGS.get((network.layer_sizes, network.optimizer))
    for verdict, (text, colour) in WRITTEN.items():
        region = codes == SCALE.index(verdict)
        _write(ax, region, (sizes, batches), text, colour, setting[0] if setting else None)
    one, every = regimes(network)
    edges = [
        (sizes[0], one, "no layer fits"),
        (one, every, "one fits"),
        (every, sizes[-1], "all fit"),
    ]
    for low, high, text in edges:
        if high < 2 * low:  # no room for the words
            continue
        ax.annotate(
            text,
            (np.sqrt(low * high), 1),
            (0, 5),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color="#444444",
            annotation_clip=False,
        )
    for place in (one, every):
        ax.axvline(place, color="black", linewidth=1, linestyle=(0, (4, 3)))
    if setting:
        _setting(ax, *setting)
    ax.xaxis.set_major_locator(FixedLocator(list(TICKS)))
    ax.set_xticklabels(list(TICKS.values()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(FixedLocator(list(BATCH_TICKS)))
    ax.set_yticklabels([f"{batch:,}" for batch in BATCH_TICKS])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_xlim(SMALLEST, LARGEST)
    ax.set_ylim(1, 1000)
    return codes


def _write(
    ax: Axes,
    region: npt.NDArray[np.bool_],
    grid: tuple[Sequence[int], Sequence[int]],
    text: str,
    colour: str,
    kept_clear: int | None,
) -> None:
    """The name of a region in its middle, off the batch ``kept_clear``, if it is large enough."""
    sizes, batches = grid
    if region.mean() < SMALLEST_NAMED:
        return
    inside = region.copy()
    inside[:, :MARGIN] = inside[:, -MARGIN:] = False  # words are wider than a step of the grid
    if kept_clear is not None:
        inside[[kept_clear / 2 < batch < 2 * kept_clear for batch in batches]] = False
    # peel the region, sides faster; what is left last is farthest from its edge
    left = last = np.pad(inside, 2)
    peels = -1
    while left.any():
        last, peels = left, peels + 1
        left = left.copy()
        for axis, step in ((0, -1), (0, 1), (1, -2), (1, 2), (1, -1), (1, 1)):
            left &= np.roll(last, step, axis)
    if peels < 1:
        return
    deepest = np.argwhere(last) - 2
    row, column = deepest[np.abs(deepest - deepest.mean(axis=0)).sum(axis=1).argmin()]
    ax.text(
        sizes[column],
        batches[row],
        text,
        color=colour,
        ha="center",
        va="center",
        weight="bold",
        fontsize=10.5,
        linespacing=1.1,
    )


def _setting(ax: Axes, batch: int, name: str) -> None:
    """A line at the batch of a published setting, a point at every known chip."""
    ax.axhline(batch, color="black", linewidth=0.9, linestyle=":")
    places = [load_profile(chip).capacities_bytes[-1] for chip in CHIPS]
    ax.plot(places, [batch] * len(places), "o", color="white", markeredgecolor="black", zorder=5)
    ax.annotate(
        name,
        (SMALLEST * 1.15, batch),
        (0, 4),
        textcoords="offset points",
        fontsize=10,
        style="italic",
    )


def _chips(ax: Axes) -> None:
    """Names of known chips at their on-chip sizes, below the axis."""
    for chip, name in CHIPS.items():
        place = load_profile(chip).capacities_bytes[-1]
        ax.annotate(
            name,
            (place, 0),
            (0, -18),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=8.5,
            color="#444444",
            arrowprops={"arrowstyle": "-", "color": "#444444", "linewidth": 0.8, "shrinkB": 0},
        )
