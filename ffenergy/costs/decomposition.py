"""Backprop → Forward-Forward in signed parts that add up exactly.

See docs/metric.md §12 "From backprop to Forward-Forward".

Each part is the cost of Forward-Forward minus that of backprop over a fixed set of phases:

    ========================= ============================================================
    backward_pass_removed     ``backward``: gradients with respect to activations, with
                              everything done in that phase (activation derivatives too)
    second_pass_added         ``forward`` and ``gradient``: FF runs both on positive and on
                              negative data, backprop once; gathering the batch is in here
    negatives_made            ``negatives``: making the hybrid images
    goodness_added            ``goodness``: goodness and logistic loss, less backprop's loss
    normalisation_added       ``normalize``: L2 normalisation between the layers
    optimiser_difference      ``optimizer``
    head_difference           ``head``: softmax head on frozen features
    evaluate_difference       ``evaluate``
    ========================= ============================================================

The phases are disjoint and cover all there are, so nothing can remain; an unknown phase raises.
Both algorithms must be counted over the same work (one step, one epoch, or one run to one
accuracy): the function cannot know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Integral, Rational
from typing import Final

import pandas as pd

from ffenergy.costs.prices import ACCOUNTINGS, BYTEDMD_MEMORY, COLUMNS, PRICED_GRAIN
from ffenergy.costs.step_kinds import full_batches, keys_of, times_of
from ffenergy.errors import SettingsError
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

PARTS: Final[dict[str, tuple[str, ...]]] = {
    "backward_pass_removed": ("backward",),
    "second_pass_added": ("forward", "gradient"),
    "negatives_made": ("negatives",),
    "goodness_added": ("goodness",),
    "normalisation_added": ("normalize",),
    "optimiser_difference": ("optimizer",),
    "head_difference": ("head",),
    "evaluate_difference": ("evaluate",),
}
PART_OF_PHASE: Final = {phase: part for part, phases in PARTS.items() for phase in phases}
TOTAL: Final = "total"
ORDER: Final = "order_of_computation"
"""The part that no phase is: see `with_order`."""
TRAINING_STEP: Final = "training step"
RUN: Final = "run"
KEYS: Final = ["algorithm", "step", "layer", "phase"]
UNITS: Final = ("joules", "macs")


class DecompositionError(SettingsError):
    """A cost table cannot be split into the parts that lead from backprop to Forward-Forward."""


def decompose(costs: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Split the cost of Forward-Forward less that of backprop into :data:`PARTS`.

    `costs` is tidy with columns ``algorithm``, ``phase`` and the numeric columns `measures`
    (bytes, ByteDMD, joules, …); rows may be as fine as you like. Returns, for each measure, a row
    per part and a last row ``total``: columns ``measure``, ``part``, ``backprop``,
    ``forward_forward``, ``difference`` (Forward-Forward minus backprop; negative is saved),
    ``share_of_backprop`` (difference over backprop's total; NaN if that is 0). Integer measures
    are summed as Python integers and add up exactly; for floats every cell is an ``math.fsum`` and
    the total difference is the ``fsum`` of the parts.
    """
    _check(costs, measures)
    places = list(
        zip(costs["algorithm"].tolist(), costs["phase"].map(PART_OF_PHASE).tolist(), strict=True)
    )
    rows = [
        {"measure": measure, **row}
        for measure in measures
        for row in _split(places, costs[measure].tolist())
    ]
    return _framed(rows)


def _framed(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Put rows into a table whose integers stay Python's: beside floats they would become some."""
    table = pd.DataFrame(rows)
    for name in ("backprop", "forward_forward", "difference") if rows else ():
        table[name] = pd.Series([row[name] for row in rows], dtype=object)
    return table


def _split(
    places: Iterable[tuple[str, str]], values: Sequence[int | float]
) -> Iterator[dict[str, object]]:
    """A row per part, and one of the total, of values that belong to an algorithm and a part."""
    found: dict[tuple[str, str], list[int | float]] = {}
    for place, value in zip(places, values, strict=True):
        found.setdefault(place, []).append(value)
    nothing = [0.0] if any(isinstance(value, float) for value in values) else [0]
    cells = {
        part: tuple(
            exact_total(found.get((name, part), nothing)) for name in (BACKPROP, FORWARD_FORWARD)
        )
        for part in PARTS
    }
    differences = {part: ff - bp for part, (bp, ff) in cells.items()}
    cells[TOTAL] = tuple(map(exact_total, zip(*cells.values(), strict=True)))
    differences[TOTAL] = exact_total(differences.values())
    base = cells[TOTAL][0]
    for part, (bp, ff) in cells.items():
        yield {
            "part": part,
            "backprop": bp,
            "forward_forward": ff,
            "difference": differences[part],
            "share_of_backprop": differences[part] / base if base else math.nan,
        }


def _check(costs: pd.DataFrame, measures: Sequence[str]) -> None:
    for column in ("algorithm", "phase", *measures):
        if column not in costs.columns:
            raise DecompositionError(f"the cost table has no column {column!r}; add it")
    present = set(costs["algorithm"].unique())
    for algorithm in (FORWARD_FORWARD, BACKPROP):
        if algorithm not in present:
            raise DecompositionError(
                f"no costs of algorithm {algorithm!r}; the table has {sorted(present)}"
            )
    chosen = costs[costs["algorithm"].isin([FORWARD_FORWARD, BACKPROP])]
    unknown = sorted(set(chosen["phase"].unique()) - set(PART_OF_PHASE))
    if unknown:
        raise DecompositionError(
            f"phase {unknown[0]!r} belongs to no part of the decomposition; add it to PARTS"
        )
    for measure in measures:
        if chosen[measure].isna().any():
            raise DecompositionError(f"{measure} has missing values; leave that measure out")


def exact_total(values: Iterable[int | float]) -> int | float:
    """Exact sum of integers and fractions (an integer where it is one), or of floats, rounded."""
    numbers = list(values)
    if all(isinstance(number, Integral) for number in numbers):
        return sum(int(number) for number in numbers)
    if all(isinstance(number, Rational) for number in numbers):
        total = sum(map(Fraction, numbers))
        return int(total) if total.denominator == 1 else float(total)
    return math.fsum(numbers)


@dataclass(frozen=True)
class Measure:
    """One measure of cost per step: ``table`` has columns algorithm, step, layer, phase, value.

    ``profile`` is empty for what needs no hardware; values are integers or floats.
    """

    name: str
    accounting: str
    memory: str
    grain: str
    profile: str
    table: pd.DataFrame


def measures(reuse: pd.DataFrame, energy: pd.DataFrame) -> Iterator[Measure]:
    """Every measure of the decomposition, under every accounting and profile."""
    counted = {
        "bytes_read": ("operation", "bytes_read"),
        "bytes_written": ("operation", "bytes_written"),
        "bytedmd_operation": ("operation", "bytedmd"),
        "bytedmd_tile": ("tile", "bytedmd"),
    }
    for accounting in ACCOUNTINGS:
        counting = reuse["memory"] == BYTEDMD_MEMORY
        rows = reuse[(reuse["accounting"] == accounting) & counting]
        for name, (grain, column) in counted.items():
            chosen = rows[rows["grain"] == grain]
            if not chosen.empty:  # at this grain it was analysed
                table = _valued(chosen, chosen[column])
                yield Measure(name, accounting, BYTEDMD_MEMORY, grain, "", table)
        priced = energy[energy["accounting"] == accounting]
        for whose, rows in priced.groupby(["memory", "profile"], sort=False):
            memory, profile = map(str, whose)
            for name, values in energies(rows).items():
                table = _valued(rows, values)
                yield Measure(name, accounting, memory, PRICED_GRAIN, profile, table)


def energies(rows: pd.DataFrame) -> dict[str, pd.Series[float]]:
    """Compute, movement and all energy of rows of ``energy.csv`` under one profile."""
    unit = next(
        unit
        for unit in UNITS
        if (column := f"energy_compute_{unit}") in rows and rows[column].notna().all()
    )
    compute = rows[f"energy_compute_{unit}"]
    movement = rows[f"energy_read_{unit}"] + rows[f"energy_written_{unit}"]
    return {
        f"energy_compute_{unit}": compute,
        f"energy_movement_{unit}": movement,
        f"energy_{unit}": compute + movement,
    }


def of_run(table: pd.DataFrame, steps: pd.DataFrame) -> pd.DataFrame:
    """Values per step times the steps of the run; integers become Python's, which never wrap."""
    counts = times_of(steps)
    times = [counts[key] for key in keys_of(table)]
    values = [value * n for value, n in zip(table["value"].tolist(), times, strict=True)]
    return table.assign(value=pd.Series(values, index=table.index, dtype=object))


def decomposition(
    steps: pd.DataFrame, reuse: pd.DataFrame, energy: pd.DataFrame, *, whole_run: bool
) -> pd.DataFrame:
    """Split Forward-Forward less backprop into parts; empty unless both trained.

    With ``whole_run`` a scope ``run`` stands beside ``training step``, which is one batch of
    images: of a step that has several batches in flight, the share of one.
    """
    columns = list(COLUMNS["decomposition"])
    taken = scopes(steps, whole_run=whole_run)
    counts = {scope: times_of(table) for scope, table in taken.items()}
    rows: list[dict[str, object]] = []
    for measure in measures(reuse, energy):
        table, keys = measure.table, list(keys_of(measure.table))
        trained = {key[0] for key in keys if key in counts[TRAINING_STEP]}
        if not {FORWARD_FORWARD, BACKPROP} <= trained:
            continue
        _check(table.rename(columns={"value": measure.name}), [measure.name])
        phases = table["phase"].map(PART_OF_PHASE).tolist()
        told = list(zip(keys, phases, table["value"].tolist(), strict=True))
        where = {
            "accounting": measure.accounting,
            "memory": measure.memory,
            "grain": measure.grain,
            "profile": measure.profile,
            "measure": measure.name,
        }
        for scope, times in counts.items():
            chosen = [(key, part, value) for key, part, value in told if key in times]
            places = [(algorithm, part) for (algorithm, _), part, _ in chosen]
            split = _split(places, [value * times[key] for key, _, value in chosen])
            rows += [{**where, **row, "scope": scope} for row in split]
    return _framed(rows)[columns] if rows else pd.DataFrame(columns=columns)


def scopes(steps: pd.DataFrame, *, whole_run: bool) -> dict[str, pd.DataFrame]:
    """The steps of each scope of `decomposition`, and how many count."""
    return {TRAINING_STEP: alike(full_batches(steps))} | ({RUN: steps} if whole_run else {})


def with_order(usual: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    """Parts of step-major order, and what the best order of both rules adds, as a part: `ORDER`.

    Both tables are results of `decomposition`; the totals are those of ``best``.
    """
    keys = ["accounting", "memory", "grain", "profile", "scope", "measure"]
    numbers = ["backprop", "forward_forward", "difference"]
    totals = best[best["part"] == TOTAL]
    found = []
    for key, rows in usual.groupby(keys, sort=False):
        named = dict(zip(keys, key, strict=True))
        total = totals[(totals[keys] == pd.Series(named)).all(axis=1)].iloc[0]
        before = rows[rows["part"] == TOTAL].iloc[0]
        added = {
            name: exact_total([total[name], *(-n for n in rows.loc[rows["part"] != TOTAL, name])])
            if total[name] != before[name]
            else 0  # and not the rounding of a sum
            for name in numbers
        }
        base = total["backprop"]
        added["share_of_backprop"] = added["difference"] / base if base else math.nan
        kept = rows[rows["part"] != TOTAL]
        shares = [part / base if base else math.nan for part in kept["difference"]]
        kept = kept.assign(share_of_backprop=shares)
        last = [{**named, "part": ORDER, **added}, dict(total)]
        found.append(pd.concat([kept, pd.DataFrame(last, dtype=object)], ignore_index=True))
    return pd.concat(found, ignore_index=True)[list(usual.columns)]


def alike(steps: pd.DataFrame) -> pd.DataFrame:
    """Return training steps with such a share of each that all see the same number of samples."""
    samples = [int(n) for n in steps["samples"]]
    least = min(samples, default=1)
    shares = [Fraction(least, n) if n else Fraction(1) for n in samples]
    whole = [int(share) if share.denominator == 1 else share for share in shares]
    return steps.assign(steps=pd.Series(whole, index=steps.index, dtype=object))


def _valued(rows: pd.DataFrame, values: pd.Series[float]) -> pd.DataFrame:
    return rows[KEYS].assign(value=values)
