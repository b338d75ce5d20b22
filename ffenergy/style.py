"""One name, one place in the order and one colour per rule, phase and layer, everywhere.

Colours are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from ffenergy.rules.registry import Facts

ALGORITHM_NAMES = Facts("title")
SHORT_NAMES = Facts("short_title")
ALGORITHM_COLOURS = Facts("colour")
"""What every rule says of itself, by its name, in the order of all tables."""
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
ROLE_COLOURS = {
    "weight": "#0072B2",
    "optimizer_state": "#009E73",
    "activation": "#E69F00",
    "gradient": "#56B4E9",
    "data": "#F0E442",
    "temporary": "#CC79A7",
}
ROLES = tuple(ROLE_COLOURS)
PART_NAMES = {
    "backward_pass_removed": "backward pass removed",
    "second_pass_added": "second pass added",
    "negatives_made": "negatives made",
    "goodness_added": "goodness added",
    "normalisation_added": "L2 normalisation added",
    "optimiser_difference": "optimiser",
    "head_difference": "softmax head",
    "evaluate_difference": "evaluation",
    "order_of_computation": "order of computation",
}
PART_COLOURS = {
    "backward_pass_removed": PHASE_COLOURS["backward"],
    "second_pass_added": PHASE_COLOURS["forward"],
    "negatives_made": PHASE_COLOURS["negatives"],
    "goodness_added": PHASE_COLOURS["goodness"],
    "normalisation_added": PHASE_COLOURS["normalize"],
    "optimiser_difference": PHASE_COLOURS["optimizer"],
    "head_difference": PHASE_COLOURS["head"],
    "evaluate_difference": PHASE_COLOURS["evaluate"],
    "order_of_computation": PHASE_COLOURS["gradient"],
}
"""Parts of backprop → Forward-Forward wear the colour of their phase."""
# Layers of one network: all but the blue of backprop, which they share a picture with.
LAYER_COLOURS = ("#D55E00", "#E69F00", "#CC79A7", "#009E73", "#56B4E9", "#000000")

MEMORY_WORDS = {"cache": "a cache", "scratchpad": "a scratchpad", "managed": "a managed memory"}
ACCOUNTING = {"eager": "eager: every operation streams its operands; no cache"}
TARGET_ERRORS = (5.0, 3.0, 2.0, 1.5)
"""Percent of test errors up to which whole runs are compared."""
PAPER_TEST_ERROR = 1.37
"""Percent; Hinton 2022 (arXiv 2212.13345), 4 layers of 2000 units, 100 epochs."""
PAPER_LOCAL_TEST_ERROR = 1.16
"""Percent; the same paper, 3 locally connected layers, 60 epochs."""


def short_name(algorithm: object) -> str:
    """Name of an algorithm for labels; a stranger keeps its own."""
    return SHORT_NAMES.get(str(algorithm), str(algorithm))


def three_digits(value: float) -> str:
    """Three significant digits, all those of larger numbers; an exponent for tiny ones alone."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


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
