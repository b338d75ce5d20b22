"""The TOML file of a sweep: a preset, what is fixed, and what is varied.

    preset = "best"
    algorithms = ["ff", "bp"]
    seeds = [0, 1, 2]      # each combination with each of them; without it, the preset's seed
    validation = 10000     # errors on the last so many training images; 0 (default): the test set
    trace = false          # true counts bytes and flops too

    [fixed]                # laid over the preset
    n_epochs = 8

    [grid]                 # every combination; [[grid]] repeated makes several grids
    lr = [1e-4, 3e-4]
    n_blur = [4, 6, 8]

    [[cells]]              # single combinations
    lr = 1e-3
    temperature = 30.0

A grid and a cell may have ``algorithms`` of their own. Without both there is one combination.
What ``[fixed]`` sets is what a grid or a cell starts from; set by all of them it would say nothing,
and is refused. ``in_flight = "auto"`` chooses the order of computation for the profile's memory on
the chip, so that ``order`` and ``layer_groups`` are refused beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from ffenergy import machine_memory
from ffenergy.errors import SettingsError
from ffenergy.files.documents import parse_toml
from ffenergy.network.orders import STEP_MAJOR
from ffenergy.rules.registry import YOUR_OWN, check_order, find, rules
from ffenergy.settings import Settings, check_once

AUTO: Final = "auto"
"""As ``in_flight``: order, batches in flight and groups are those for the profile's chip."""
CHOSEN: Final = ("order", "layer_groups")
"""Settings that ``auto`` chooses besides."""
NAMES: Final = tuple(field.name for field in dataclasses.fields(Settings))
ELSEWHERE: Final = {"seed": "seeds", "n_validation": "validation"}
KINDS: Final[dict[str, tuple[type, str]]] = {
    "preset": (str, "the name of a preset"),
    "algorithms": (list, "a list of learning rules, such as ff and bp"),
    "seeds": (list, "a list of whole numbers from 0 up"),
    "validation": (int, "a number of images"),
    "trace": (bool, "true or false"),
    "fixed": (dict, "a table of settings"),
    "grid": (list, "a table of lists, or several with [[grid]]"),
    "cells": (list, "tables of settings, each under [[cells]]"),
}


class SpecificationError(SettingsError):
    """A sweep file that cannot be used; the message names the file, the place and the key."""


class Training(NamedTuple):
    """One training that a sweep asks for; with ``auto`` its order is to be chosen for a chip."""

    algorithm: str
    settings: Settings
    auto: bool = False


@dataclass(frozen=True)
class Specification:
    """A sweep, checked as far as it can be without the data.

    swept: names of the settings that grids and cells set, in the order of the file.
    trainings: those of every cell, in the order of the file; none twice.
    """

    preset: str
    swept: tuple[str, ...]
    n_validation: int
    traced: bool
    trainings: tuple[Training, ...]


@dataclass(frozen=True)
class _Combination:
    place: str
    algorithms: list[str]
    overrides: dict[str, Any]


def read(path: Path) -> Specification:
    """Read the sweep file at `path`.

    Raises:
        SpecificationError: not readable, not TOML, an unknown key, or a value no setting takes.
    """
    try:
        document = parse_toml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecificationError(f"{path}: {error.strerror or error}; name a TOML file") from None
    except ValueError as error:
        raise SpecificationError(f"{path}: not TOML: {error}") from None
    try:
        return parse(document)
    except SettingsError as error:
        raise SpecificationError(f"{path}: {error.message}") from None


def parse(document: Mapping[str, Any]) -> Specification:
    """Check a sweep file's contents; raises SpecificationError as :func:`read` does."""
    document = _checked(document)
    base = Settings.from_preset(document["preset"])
    algorithms = _algorithms("algorithms", document["algorithms"])
    seeds = _numbers("seeds", document.get("seeds", [base.seed]))
    fixed = _settings_table("[fixed]", document.get("fixed", {}))
    n_validation = document.get("validation", 0)
    with _at("[fixed]"):
        _check_auto(fixed)
        base = base.replace(**_without_auto(fixed))
    if n_validation < 0:
        raise SpecificationError(f"validation is {n_validation}; it must be at least 0")
    with _at("validation"):
        base = base.replace(n_validation=n_validation)
    with _at("seeds"):
        for seed in seeds:
            base.replace(seed=seed)
    combinations = [*_grids(document, algorithms, len(seeds)), *_cells(document, algorithms)]
    if not combinations:
        combinations = [_Combination("[fixed]", algorithms, {})]
    for name in fixed:
        if all(name in combination.overrides for combination in combinations):
            raise SpecificationError(
                f"[fixed]: {name} is set by every grid and cell too, so that it says nothing here; "
                "leave it out of [fixed] or of them"
            )
    trainings: dict[Training, None] = {}  # a set that keeps the order
    for combination in combinations:
        own = combination.overrides
        auto = (fixed | own).get("in_flight") == AUTO
        with _at(combination.place):
            _check_auto(fixed | own)
        for algorithm, seed in product(combination.algorithms, seeds):
            with _at(combination.place):
                settings = base.replace(**_without_auto(own), seed=seed)
                settings = _possible(algorithm, settings, combination.algorithms)
            trainings[Training(algorithm, settings, auto)] = None
    names = dict.fromkeys(name for c in combinations for name in c.overrides)
    return Specification(
        preset=document["preset"],
        swept=tuple(names),
        n_validation=n_validation,
        traced=document.get("trace", False),
        trainings=tuple(trainings),
    )


def _without_auto(table: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without a number of batches in flight that is still to be chosen."""
    return {k: v for k, v in table.items() if (k, v) != ("in_flight", AUTO)}


def _check_auto(table: Mapping[str, Any]) -> None:
    """Raise SettingsError if ``auto`` stands beside what it chooses."""
    for name in CHOSEN:
        if table.get("in_flight") == AUTO and name in table:
            raise SettingsError(f'in_flight = "{AUTO}" chooses {name}; leave one out')


def _possible(algorithm: str, settings: Settings, beside: Sequence[str]) -> Settings:
    """The settings in the order that a rule takes: step-major, if others alone have another.

    Raises SettingsError if none of those beside it has that.
    """
    check_order(beside, settings)
    if find(algorithm).local:
        return settings
    return settings.replace(order=STEP_MAJOR, in_flight=1, layer_groups="")


class _at:  # noqa: N801  # reads as a word: with _at(place)
    """Say at which place of the file a setting was refused."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SettingsError):
            raise SpecificationError(f"{self.place}: {error.message}") from None


def _checked(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with known keys of the right kinds, `grid` always as a list."""
    found = dict(document)
    if isinstance(found.get("grid"), dict):
        found["grid"] = [found["grid"]]
    for key, value in found.items():
        if key not in KINDS:
            hint = "; settings belong under [fixed]" if key in NAMES else ""
            raise SpecificationError(f"unknown key {key!r}{hint}; keys are {', '.join(KINDS)}")
        kind, wanted = KINDS[key]
        if type(value) is not kind:
            raise SpecificationError(f"{key} is {value!r}; it must be {wanted}")
    for key in ("preset", "algorithms"):
        if key not in found:
            raise SpecificationError(f"{key} is missing; it must be {KINDS[key][1]}")
    return found


def _grids(
    document: Mapping[str, Any], algorithms: list[str], n_seeds: int
) -> Iterator[_Combination]:
    grids = document.get("grid", [])
    for number, table in enumerate(grids, start=1):
        place = "[grid]" if len(grids) == 1 else f"[[grid]] number {number}"
        own, lists = _split(place, table, algorithms)
        for name, values in lists.items():
            if not isinstance(values, list) or not values:
                what = "it must be a list with at least one value"
                raise SpecificationError(f"{place}: {name} is {values!r}; {what}")
            check_once(f"{place}: {name}", values)
            for value in values:
                _check_sizes(place, name, value)
        count = math.prod(map(len, lists.values())) * len(own) * n_seeds
        machine_memory.check_cells(count, place)
        for values in product(*lists.values()):
            yield _Combination(place, own, dict(zip(lists, values, strict=True)))


def _cells(document: Mapping[str, Any], algorithms: list[str]) -> Iterator[_Combination]:
    for number, table in enumerate(document.get("cells", []), start=1):
        place = f"[[cells]] number {number}"
        own, overrides = _split(place, table, algorithms)
        yield _Combination(place, own, overrides)


def _split(place: str, table: Any, algorithms: list[str]) -> tuple[list[str], dict[str, Any]]:
    """Take a table's own algorithms from its settings."""
    if not isinstance(table, dict):
        raise SpecificationError(f"{place} is {table!r}; it must be a table")
    own = table.get("algorithms", algorithms)
    rest = {name: value for name, value in table.items() if name != "algorithms"}
    return _algorithms(f"{place}: algorithms", own), _settings_table(place, rest)


def _settings_table(place: str, table: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in table.items():
        if name in ELSEWHERE:
            what = f"write {ELSEWHERE[name]} = … at the top of the file"
            raise SpecificationError(f"{place}: {name} does not belong here; {what}")
        if name not in NAMES:
            raise SpecificationError(
                f"{place}: unknown setting {name!r}; settings are {', '.join(NAMES)}"
            )
        if place != "[grid]" and not place.startswith("[[grid]]"):
            _check_sizes(place, name, value)
    return dict(table)


def _check_sizes(place: str, name: str, value: Any) -> None:
    if name == "layer_sizes" and not isinstance(value, (str, list)):
        raise SpecificationError(
            f"{place}: layer_sizes has {value!r}; a network is a list such as [784, 500, 500]"
        )


def _algorithms(place: str, names: Any) -> list[str]:
    if not isinstance(names, list) or not names:
        raise SpecificationError(f"{place} is {names!r}; it must be {KINDS['algorithms'][1]}")
    for name in names:
        if not isinstance(name, str) or name not in rules():
            raise SpecificationError(
                f"{place}: unknown algorithm {name!r}; choose from {', '.join(rules())}, {YOUR_OWN}"
            )
    check_once(place, names)
    return names


def _numbers(place: str, values: list[Any]) -> list[int]:
    if not values:
        raise SpecificationError(f"{place} is empty; it must be {KINDS[place][1]}")
    for value in values:
        if type(value) is not int or value < 0:
            raise SpecificationError(f"{place} has {value!r}; it must be {KINDS[place][1]}")
    check_once(place, values)
    return values
