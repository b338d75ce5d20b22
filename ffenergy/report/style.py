"""One name, one place in the order and one colour per algorithm, phase and layer, everywhere.

Colours are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable

ALGORITHM_NAMES = {
    "ff": "Forward-Forward",
    "ff-greedy": "Forward-Forward, layer by layer",
    "bp": "backprop",
    "random": "untrained control",
}
ALGORITHM_COLOURS = {
    "ff": "#D55E00",
    "ff-greedy": "#009E73",
    "bp": "#0072B2",
    "random": "#7F7F7F",
}
PHASE_COLOURS = {
    "negatives": "#F0E442",
    "normalize": "#D55E00",
    "forward": "#0072B2",
    "goodness": "#CC79A7",
    "backward": "#000000",
    "gradient": "#56B4E9",
    "optimizer": "#009E73",
    "head": "#E69F00",
    "evaluate": "#BBBBBB",
}
PHASES = tuple(PHASE_COLOURS)
# Layers of one network: all but the blue of backprop, which they share a picture with.
LAYER_COLOURS = ("#D55E00", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#000000")

ACCOUNTING = {"eager": "eager: every operation streams its operands; no cache"}
PAPER_TEST_ERROR = 1.37
"""Percent; Hinton 2022 (arXiv 2212.13345), 4 layers of 2000 units, 100 epochs."""


def layer_colour(index: int) -> str:
    """Colour of layer number `index`, counted from 0; the palette repeats after six."""
    return LAYER_COLOURS[index % len(LAYER_COLOURS)]


def in_order(found: Iterable[str], order: Iterable[str]) -> list[str]:
    """The names of `found`, those of `order` first and in its order, strangers behind."""
    found, order = set(found), list(order)
    return [name for name in order if name in found] + sorted(found - set(order))


def layers_in_order(found: Iterable[str]) -> list[str]:
    """Input, layer1 … layerN, head, then any other name."""
    names = set(found)
    numbered = sorted(
        (n for n in names if n.startswith("layer") and n[5:].isdigit()), key=lambda n: int(n[5:])
    )
    return in_order(names, ["input", *numbered, "head"])
