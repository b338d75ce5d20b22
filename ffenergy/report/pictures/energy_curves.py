"""Energy of a training batch against on-chip memory: as it runs, at its best, at the least."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ffenergy.costs.map import LARGEST, MIB, RuleWork, on_chip_sizes, regimes, side
from ffenergy.costs.network import Network
from ffenergy.energy import Profile
from ffenergy.energy.chip import Chip
from ffenergy.report.numbers import memory_size
from ffenergy.report.pictures.drawing import LOOK, headline, saved
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import ALGORITHM_COLOURS

SMALLEST: Final = MIB
AN_OCTAVE: Final = 8
TOLD_AN_OCTAVE: Final = 32
"""Sizes in a doubling that are drawn, and those that the lowest ratio is found from."""
TICKS: Final = tuple(MIB * 2**k for k in range(9))
SCALES: Final = {"joules": (1e3, "mJ"), "macs": (1e-9, "billion MAC")}

AS_IT_RUNS: Final = {rule: f"{rule}-as-it-runs" for rule in (BACKPROP, FORWARD_FORWARD)}
BOUND: Final = {rule: f"{rule}-bound" for rule in AS_IT_RUNS}
CURVES: Final = tuple(
    column for rule in AS_IT_RUNS for column in (AS_IT_RUNS[rule], rule, BOUND[rule])
)
"""Columns of `curves`: of each rule as it runs, in its best order (the rule's name), its bound."""


def curves(
    network: Network,
    profile: Profile,
    measured: pd.DataFrame | None = None,
    an_octave: int = AN_OCTAVE,
) -> pd.DataFrame:
    """Energy of a batch by on-chip bytes (the index): columns `CURVES`, in the profile's unit.

    Closed forms: as it runs is step-major order, one batch after the other through all layers, and
    backprop has one order. ``measured``, a table of ``on_chip_bytes`` with the energy of each rule
    (`costs.as_it_runs`), puts what the instrument counted of programs that ran in the place of both
    curves "as it runs".
    """
    chip = Chip(profile)
    sizes = on_chip_sizes(SMALLEST, LARGEST, an_octave)
    if measured is not None:
        sizes = [one for one in sorted(measured["on_chip_bytes"]) if SMALLEST <= one <= LARGEST]
    work = {rule: RuleWork(rule, [network]) for rule in (FORWARD_FORWARD, BACKPROP)}
    table = pd.DataFrame(index=pd.Index(sizes, name="on_chip_bytes"), columns=CURVES, dtype=float)
    for size in sizes:
        for rule in work:
            found = side(rule, [network], size)
            spent = work[rule].energies(chip, size, found)
            table.loc[size, [rule, BOUND[rule]]] = spent.best[0, 0], spent.bound[0, 0]
            if rule == FORWARD_FORWARD:
                table.loc[size, AS_IT_RUNS[rule]] = spent.usual[0, 0]
    table[AS_IT_RUNS[BACKPROP]] = table[BACKPROP]
    if measured is not None:
        counted = measured.set_index("on_chip_bytes")
        for rule, column in AS_IT_RUNS.items():
            table[column] = counted[f"energy_{rule}"]
    return table


def render(
    network: Network, profile: Profile, measured: pd.DataFrame | None = None
) -> dict[str, bytes]:
    """Draw the curves of `curves`; PNG and SVG by format, the same bytes on every call."""
    table = curves(network, profile, measured)
    scale, unit = SCALES[profile.result_unit]
    table = table * scale
    with rc_context(LOOK):
        figure = Figure(figsize=(9.5, 5.8), layout="constrained")
        ax = figure.subplots()
        _lines(ax, table, measured is not None)
        _regimes(ax, network)
        figure.legend(loc="outside lower center", ncols=2)
        ax.set_ylabel(f"energy of a batch, {unit}")
        ax.set_xlabel("memory on the chip, MiB")
        sizes = "-".join(map(str, network.layer_sizes))
        ax.set_title(
            f"One training batch of {network.batch_size}, {sizes}, {network.optimizer}\n"
            f"{profile.title}",
            loc="left",
            pad=26,
            fontsize=11,
        )
        fine = curves(network, profile, an_octave=TOLD_AN_OCTAVE)
        ratio = fine[FORWARD_FORWARD] / fine[BACKPROP]
        best = fine.index[int(ratio.to_numpy().argmin())]
        told = f"{ratio.min():.2f} times backprop's at {memory_size(best)}"
        headline(figure, f"In its best order Forward-Forward's energy falls to {told}")
        return saved(figure)


def _lines(ax: Axes, table: pd.DataFrame, is_measured: bool) -> None:
    orange, blue = ALGORITHM_COLOURS[FORWARD_FORWARD], ALGORITHM_COLOURS[BACKPROP]
    places = table.index.to_numpy(float)
    for rule, colour in ((BACKPROP, blue), (FORWARD_FORWARD, orange)):
        ax.fill_between(
            places,
            table[BOUND[rule]],
            table[[rule, AS_IT_RUNS[rule]]].min(axis=1),
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
        ax.plot(places, table[BOUND[rule]], color=colour, linewidth=0.8)
    usual, best = "batch after batch (closed form)", "best order (closed form)"
    dashes = (0, (5, 2))
    names: dict[str, tuple[str, str, object]] = {}
    if is_measured:
        usual = "as it runs (counted)"
        names[AS_IT_RUNS[BACKPROP]] = f"backprop, {usual}", blue, dashes
    names |= {
        BACKPROP: (f"backprop, {best}", blue, "-"),
        AS_IT_RUNS[FORWARD_FORWARD]: (f"Forward-Forward, {usual}", orange, dashes),
        FORWARD_FORWARD: (f"Forward-Forward, {best}", orange, "-"),
    }
    for name, (label, colour, style) in names.items():
        ax.plot(places, table[name], color=colour, linestyle=style, linewidth=2.2, label=label)
    ax.fill_between([], [], [], color="#999999", alpha=0.4, label="down to what any program moves")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator([float(tick) for tick in TICKS]))
    ax.set_xticklabels([f"{tick // MIB}" for tick in TICKS])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlim(places[0], places[-1])
    ax.set_ylim(0, 1.05 * float(table.to_numpy().max()))


def _regimes(ax: Axes, network: Network) -> None:
    """The three regimes, named above the curves."""
    one, every = regimes(network)
    edges = (ax.get_xlim()[0], one, every, ax.get_xlim()[1])
    for low, high, text in zip(
        edges, edges[1:], ("no layer fits", "one layer fits", "all fit"), strict=False
    ):
        ax.annotate(
            text,
            (float(np.sqrt(low * high)), 1),
            (0, 6),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color="#444444",
        )
    for place in (one, every):
        ax.axvline(place, color="black", linewidth=1, linestyle=(0, (4, 3)))
