"""The figures that people ask for first: per algorithm and scenario, and the answer in short."""

from __future__ import annotations

import math
import re
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

import pandas as pd

from ffenergy.costs.decomposition import RUN
from ffenergy.costs.scenarios import AS_IT_RUNS, WELL_BUILT
from ffenergy.errors import SettingsError
from ffenergy.report import findings
from ffenergy.report.answer import Answer
from ffenergy.report.book import Book
from ffenergy.report.numbers import error_percent, figure, quantity
from ffenergy.report.tables import ratio
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import ALGORITHM_NAMES, in_order

MEASURES: Final = {
    "energy": "estimated energy of arithmetic and movement, joules or multiply-accumulates",
    "compute": "estimated energy of arithmetic",
    "movement": "estimated energy of moving bytes",
    "commute_to_compute": "movement over compute",
    "bytes": "bytes read and written",
    "flops": "floating-point operations",
    "peak_live": "most bytes alive at once in a training step",
    "wall_seconds": "seconds that the training took on this machine",
    "test_error": "percent of test images told wrong",
    "train_error": "percent of training images told wrong",
    "normalisation_share": "share of the energy that L2 normalisation takes",
}
"""What there is of every algorithm under the chosen scenario; ``NAME_ratio`` is Forward-Forward's
over backprop's, ``ALGORITHM.NAME`` that of one algorithm."""
ANSWERS: Final = {
    "saving_left": "share of what removing the backward pass saves that is left",
    "saving_eaten": "share of that saving that L2 normalisation alone eats",
}
COMPARISONS: Final = {"<=": le, ">=": ge, "==": eq, "!=": ne, "<": lt, ">": gt}
CONDITION: Final = re.compile(r"\s*([a-z][\w.-]*?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")


Condition = tuple[str, str, float]
"""A figure, a comparison, a number."""


def of_algorithms(book: Book, scenario: str = "") -> dict[str, dict[str, float | None]]:
    """Every measure of every algorithm under a scenario, None where it is not known.

    By default under the one that the book's headlines are of.
    """
    found = {}
    scenarios = book.scenarios
    chosen = scenarios[scenarios["scenario"] == (scenario or book.scenario)].set_index("algorithm")
    for name in in_order(book.run.algorithms, ALGORITHM_NAMES):
        result = book.run.results[name]
        costs: dict[Any, Any] = dict(chosen.loc[name]) if name in chosen.index else {}
        values = {
            "energy": costs.get(f"energy_{book.unit}"),
            "compute": costs.get(f"energy_compute_{book.unit}"),
            "movement": costs.get(f"energy_movement_{book.unit}"),
            "commute_to_compute": costs.get("commute_to_compute"),
            "bytes": costs.get("bytes"),
            "flops": costs.get("flops"),
            "peak_live": costs.get("peak_live_bytes"),
            "wall_seconds": result.get("wall_seconds"),
            "test_error": result.get("test_error"),
            "train_error": result.get("train_error"),
            "normalisation_share": costs.get("normalize_energy_share"),
        }
        found[name] = {name: _known(value) for name, value in values.items()}
    return found


def ratios(book: Book, scenario: str = "") -> dict[str, float]:
    """Forward-Forward's measures over backprop's under a scenario, where both are known."""
    found = of_algorithms(book, scenario)
    ours, theirs = (found.get(name, {}) for name in (FORWARD_FORWARD, BACKPROP))
    return {
        name: ratio(ours[name] or 0.0, theirs[name] or 0.0)
        for name in MEASURES
        if ours.get(name) is not None and theirs.get(name)
    }


def figures(book: Book) -> dict[str, float]:
    """Every figure by the name that thresholds call it: see MEASURES and ANSWERS."""
    found = {f"{name}_ratio": value for name, value in ratios(book).items()}
    for algorithm, values in of_algorithms(book).items():
        found |= {f"{algorithm}.{n}": value for n, value in values.items() if value is not None}
    told = short_answer(book)
    if told is not None:
        found["saving_left"] = told.kept_share
        found["saving_eaten"] = told.normalisation_share
    return {name: value for name, value in found.items() if not math.isnan(value)}


def short_answer(book: Book) -> Answer | None:
    """The answer under the scenario, over what the book is of; None without both algorithms."""
    if book.scenario == WELL_BUILT:
        return book.well_built_answer
    return book.answers.get((book.base, "eager")) if book.scenario == AS_IT_RUNS else None


def sentences(book: Book) -> list[str]:
    """The answer in two sentences, what L2 normalisation eats in a third; at most 25 words each."""
    told = short_answer(book)
    if told is None:
        return []
    unit = told.unit
    ours, theirs = quantity(told.forward_forward, unit), quantity(told.backprop, unit)
    times = figure(told.forward_forward / told.backprop) if told.backprop else "unknown"
    base = "" if book.base == RUN else " a step"
    opening = book.scenario[:1].upper() + book.scenario[1:]
    first = (
        f"{opening}, Forward-Forward needs {times} times the energy of backprop:"
        f" {ours} against {theirs}{base}."
    )
    return [first, _saving(told), _normalisation(told)]


def _saving(told: Answer) -> str:
    saved, added = quantity(told.saved, told.unit), quantity(abs(told.added_back), told.unit)
    if told.saved <= 0:
        return "There is no backward pass here that removing could save."
    if told.added_back <= 0:
        return f"Removing the backward pass saves {saved}, and its other phases save {added} more."
    if told.kept > 0:
        return (
            f"Removing the backward pass saves {saved}; what it does instead costs {added}, "
            f"so {100 * told.kept_share:.0f} % of the saving is left."
        )
    return (
        f"Removing the backward pass saves {saved}; what it does instead costs {added}, "
        "so nothing of the saving is left."
    )


def _normalisation(told: Answer) -> str:
    share = told.normalisation_share
    if math.isnan(share):
        return f"L2 normalisation costs {quantity(told.normalisation, told.unit)} on top."
    if share <= 0:
        return "L2 normalisation eats nothing of it."
    if share > 1:
        return f"L2 normalisation alone costs {figure(share)} times that saving."
    return f"L2 normalisation alone eats {100 * share:.0f} % of that saving."


def warnings(book: Book) -> list[str]:
    """What must stand beside the figures: errors like untrained, on held-out images, unfinished."""
    told = []
    control, beaten = findings.control(book.run), findings.beaten(book.run)
    if control and beaten:
        what = f"{' and '.join(beaten)} did no better than the {ALGORITHM_NAMES[control[0]]}"
        told.append(f"{what} ({error_percent(control[1])}).")
    told += [findings.validation(book.run), findings.unfinished(book.run)]
    return [sentence for sentence in told if sentence]


def checked(conditions: tuple[str, ...]) -> list[Condition]:
    """Read thresholds such as ``energy_ratio>1.2``; raises SettingsError on others."""
    found = []
    for text in conditions:
        parts = CONDITION.fullmatch(text)
        number = _number(parts[3]) if parts else None
        if parts is None or number is None:
            raise SettingsError(
                f"--fail-if has {text!r}; write a figure, a comparison ({', '.join(COMPARISONS)})"
                " and a number, such as 'energy_ratio>1.2'"
            )
        name = parts[1].partition(".")[2] or parts[1]
        if name.removesuffix("_ratio") not in MEASURES and name not in ANSWERS:
            names = ", ".join([*(f"{m}_ratio" for m in MEASURES), *ANSWERS])
            raise SettingsError(
                f"--fail-if has no figure {parts[1]!r}; figures are {names}, and those of one "
                f"algorithm, such as ff.test_error ({', '.join(MEASURES)})"
            )
        found.append((parts[1], parts[2], number))
    return found


def crossed(book: Book, conditions: list[Condition]) -> list[str]:
    """What is true of a book that should not be, a line each; a figure that is missing counts."""
    known = figures(book)
    told = []
    for name, comparison, number in conditions:
        value = known.get(name)
        if value is None:
            told.append(f"{name} is not known of this run")
        elif COMPARISONS[comparison](value, number):
            told.append(f"{name} is {value:.4g}, {comparison} {number:g}")
    return told


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _known(value: Any) -> float | None:
    return None if pd.isna(value) else value
