"""The figures that people ask for first: per algorithm and scenario, and the answer in short."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

import pandas as pd

from ffenergy.costs.map import on_chip_sizes, regimes, rows
from ffenergy.costs.network import network_of
from ffenergy.costs.scenarios import AS_IT_RUNS, THE_LEAST, WELL_BUILT, on_chip_bytes
from ffenergy.energy.chip import Interval
from ffenergy.errors import SettingsError
from ffenergy.report import findings
from ffenergy.report.answer import Answer
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS
from ffenergy.report.numbers import error_percent, figure, memory_size, quantity
from ffenergy.report.tables import ratio
from ffenergy.rules import registry
from ffenergy.rules.registry import FORWARD_FORWARD
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
TRAINED: Final = ("wall_seconds", "test_error", "train_error")
"""Measures that only a training has; it has no others where nothing is counted."""
ANSWERS: Final = {
    "saving_left": "share of what removing the backward pass saves that is left",
    "saving_eaten": "share of that saving that L2 normalisation alone eats",
}
COMPARISONS: Final = {"<=": le, ">=": ge, "==": eq, "!=": ne, "<": lt, ">": gt}
CONDITION: Final = re.compile(r"\s*([a-z][\w.-]*?)\s*(<=|>=|==|!=|<|>)\s*(\S+)\s*")


Condition = tuple[str, str, float]
"""A figure, a comparison, a number."""
AN_OCTAVE: Final = 8
"""Sizes tried in each doubling of the chip's memory."""


def of_algorithms(book: Book, scenario: str = "") -> dict[str, dict[str, float | None]]:
    """Every measure of every algorithm under a scenario, None where it is not known.

    By default under the one that the book's headlines are of.
    """
    found = {}
    chosen = book.of_scenario(scenario or book.scenario).set_index("algorithm")
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
    """The pair's measures, the rule's over its baseline's, where both are known."""
    found = of_algorithms(book, scenario)
    ours, theirs = (found[name] for name in book.pair) if book.pair else ({}, {})
    return {
        name: ratio(ours[name] or 0.0, theirs[name] or 0.0)
        for name in MEASURES
        if ours.get(name) is not None and theirs.get(name)
    }


def interval(book: Book, scenario: str) -> Interval | None:
    """The pair's ratio of energies with what the constants leave open; None where not priced."""
    if book.ways is None or book.pair is None:
        return None
    return book.ways.ratio(scenario, *book.pair)


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
    return book.as_it_runs_answer if book.scenario == AS_IT_RUNS else None


def sentences(book: Book) -> list[str]:
    """The answer as it runs, well built, and what L2 normalisation eats; at most 25 words each."""
    told = book.as_it_runs_answer
    if told is None:
        return []
    found = [_saving(told), _well_built(book), _normalisation(book, told)]
    return [sentence for sentence in found if sentence]


def bound(book: Book) -> str:
    """What the pair spends with training steps at their bounds; empty where none are known."""
    found = of_algorithms(book, THE_LEAST)
    least = [found[name].get("energy") for name in book.pair or ()]
    if not least or None in least:
        return ""
    titles = [ALGORITHM_NAMES[name] for name in book.pair or ()]
    spent = [quantity(float(one or 0), UNITS[book.unit]) for one in least]
    told = " and ".join(f"{one} in {title}" for one, title in zip(spent, titles, strict=True))
    return f"At the least, training steps at their proven bounds in a managed memory: {told}."


def _saving(told: Answer) -> str:
    opening = "As it runs, "
    if told.saved <= 0:
        return f"{opening}there is no backward pass here that removing could save."
    if told.added_back <= 0:
        more = quantity(-told.added_back, told.unit)
        return f"{opening}all of what removing backprop saves is left, and {more} more."
    if told.kept > 0:
        left = f"{opening}{100 * told.kept_share:.0f} % of what removing backprop saves is left"
        return f"{left}; Forward-Forward adds the rest back."
    times = figure(told.added_back / told.saved)
    return (
        f"{opening}none of what removing backprop saves is left: Forward-Forward adds back"
        f" {times} times as much."
    )


def _well_built(book: Book) -> str:
    """What both rules cost in their best orders, and at which sizes Forward-Forward's pays."""
    ratio = ratios(book, WELL_BUILT).get("energy", math.nan)
    network = network_of(book.run.settings)
    if math.isnan(ratio) or network is None:
        return ""
    profile = next(one for one in book.hardware if one.name == book.headline)
    here = on_chip_bytes(profile)
    one, every = regimes(network)
    if f"{ratio:.2f}" == "1.00":  # as the table has it
        costs = "costs as much"
    elif ratio < 1:
        costs = f"saves {100 * (1 - ratio):.0f} %"
    else:
        costs = f"costs {figure(ratio)} times as much"
    told = f"Well built it {costs} on {memory_size(here)}"
    between = _between(one, every)
    if one <= here < every:
        return f"{told}, where one layer fits on the chip but not all ({between} here)."
    table = rows([network], on_chip_sizes(one, every, AN_OCTAVE), [profile], [FORWARD_FORWARD])
    table = table[table["rule"] == FORWARD_FORWARD]
    best = table["ratio_to_backprop"].to_numpy(float)
    most, size = 1 - float(best.min()), int(table["on_chip_bytes"].iloc[int(best.argmin())])
    if most < max(0.01, 1 - ratio):
        return f"{told}, where {'no layer fits' if here < one else 'all layers fit'} on the chip."
    saving = f"up to {100 * most:.0f} % less, at {memory_size(size)}"
    return f"{told}; where one layer fits (closed form) {saving}."


def _between(smallest: int, largest: int) -> str:
    """Two sizes, the unit once where both have it: 11.5 to 43.4 MiB."""
    one, other = memory_size(smallest).split(" "), memory_size(largest).split(" ")
    return " ".join([one[0], *([] if one[1:] == other[1:] else one[1:]), "to", *other])


def _normalisation(book: Book, told: Answer) -> str:
    if math.isnan(told.normalisation_share):
        return f"L2 normalisation costs {quantity(told.normalisation, told.unit)} on top."
    share, unit = _eaten(book, told, AS_IT_RUNS)
    sentence = f"L2 normalisation eats {share} {unit} the saving as it runs"
    built = book.well_built_answer
    if built is None or math.isnan(built.normalisation_share):
        return f"{sentence}."
    share, unit = _eaten(book, built, WELL_BUILT)
    times = "" if unit == "of" else f" {unit}"
    return f"{sentence}, {share}{times} deferred into the next product."


def _eaten(book: Book, told: Answer, scenario: str) -> tuple[str, str]:
    """The share of the saving, with what constants leave open: 36 % (34–38 %) of it, 2.10 times."""
    share = max(told.normalisation_share, 0.0)
    found = book.ways.eaten(scenario, book.base) if book.ways else None
    ends = [] if found is None else [max(end, 0.0) for end in (found.low, found.high)]
    if share > 1:
        between = [figure(end) for end in ends]
        return figure(share) + _in_brackets(between, ""), "times"
    return f"{100 * share:.0f} %" + _in_brackets([f"{100 * end:.0f}" for end in ends], " %"), "of"


def _in_brackets(ends: Sequence[str], unit: str) -> str:
    """The ends of an interval; nothing where they are shown alike."""
    return f" ({'–'.join(ends)}{unit})" if len(set(ends)) > 1 else ""


def warnings(book: Book) -> list[str]:
    """What must stand beside the figures: errors like untrained, on held-out images, unfinished."""
    told = []
    control, beaten = findings.control(book.run), findings.beaten(book.run)
    if control and beaten:
        what = f"{' and '.join(beaten)} did no better than the {ALGORITHM_NAMES[control[0]]}"
        told.append(f"{what} ({error_percent(control[1])}).")
    held_out = book.run.configuration.get("data", {}).get("validation_images")
    if held_out:
        told.append(
            f"Errors are on {held_out:,} held-out training images; no test set was touched."
        )
    told.append(findings.unfinished(book.run))
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
        _, dot, own = parts[1].partition(".")
        ratios = (f"{name}_ratio" for name in MEASURES)
        if own not in MEASURES if dot else parts[1] not in (*ratios, *ANSWERS):
            raise SettingsError(
                f"--fail-if has no figure {parts[1]!r}; figures are NAME_ratio, ALGORITHM.NAME "
                f"and {' and '.join(ANSWERS)}, where NAME is one of {', '.join(MEASURES)}"
            )
        found.append((parts[1], parts[2], number))
    return found


def check_known(
    conditions: list[Condition],
    algorithms: Sequence[str],
    scenario: str,
    *,
    trains: bool,
    counts: bool,
) -> None:
    """Raise SettingsError for a figure that what is to be done will not have.

    It is of ``algorithms``, has errors and times if it ``trains``, and all else if it ``counts``.
    The answer is of programs, which the least is not.
    """
    has = [name for name in MEASURES if (trains if name in TRAINED else counts)]
    for figure_name, _, _ in conditions:
        algorithm, dot, own = figure_name.partition(".")
        if dot and algorithm not in algorithms:
            why = f"{algorithm} is not among {', '.join(algorithms)}; name one of these"
        elif (own or figure_name.removesuffix("_ratio")) not in (*has, *ANSWERS):
            why = f"it is not taken here; choose among {', '.join(has)}"
        elif figure_name in ANSWERS and not counts:
            why = "nothing is counted; leave it out"
        elif figure_name in ANSWERS and scenario == THE_LEAST:
            why = f"{THE_LEAST} is no program's; choose another --scenario"
        elif not dot and not _compares(figure_name, algorithms):
            why = f"there is no pair among {', '.join(algorithms)}; "
            why += f"name {' and '.join(registry.HEADLINE)}, or a figure of one, as ff.{has[0]}"
        else:
            continue
        raise SettingsError(f"--fail-if has {figure_name!r}, but {why}")


def _compares(figure_name: str, algorithms: Sequence[str]) -> bool:
    """Whether there is a pair for a ratio, or Forward-Forward and backprop for an answer."""
    if figure_name in ANSWERS:
        return set(registry.HEADLINE) <= set(algorithms)
    return registry.pair(algorithms) is not None


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
