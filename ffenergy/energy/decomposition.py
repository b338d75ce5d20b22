"""Backprop → Forward-Forward in signed parts that add up exactly (docs/metric.md, section 9).

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
from collections.abc import Iterable, Sequence
from numbers import Integral

import pandas as pd

from ffenergy.energy.errors import DecompositionError

PARTS: dict[str, tuple[str, ...]] = {
    "backward_pass_removed": ("backward",),
    "second_pass_added": ("forward", "gradient"),
    "negatives_made": ("negatives",),
    "goodness_added": ("goodness",),
    "normalisation_added": ("normalize",),
    "optimiser_difference": ("optimizer",),
    "head_difference": ("head",),
    "evaluate_difference": ("evaluate",),
}
PART_OF_PHASE = {phase: part for part, phases in PARTS.items() for phase in phases}
TOTAL = "total"


def decompose(
    costs: pd.DataFrame,
    measures: Sequence[str],
    *,
    forward_forward: str = "ff",
    backprop: str = "bp",
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Split the cost of `forward_forward` less that of `backprop` into :data:`PARTS`.

    `costs` is tidy with columns ``algorithm``, ``phase``, those of `by` (for example ``layer``)
    and the numeric columns `measures` (bytes, ByteDMD, joules, …); rows may be as fine as you
    like. Returns, for each group of `by` and each measure, a row per part and a last row
    ``total``: columns *by*, ``measure``, ``part``, ``backprop``, ``forward_forward``,
    ``difference`` (Forward-Forward minus backprop; negative is saved), ``share_of_backprop``
    (difference over backprop's total; NaN if that is 0). Integer measures are summed as Python
    integers and add up exactly; for floats every cell is an ``math.fsum`` and the total
    difference is the ``fsum`` of the parts.
    """
    _check(costs, measures, by, (forward_forward, backprop))
    chosen = costs[costs["algorithm"].isin([forward_forward, backprop])]
    rows: list[dict[str, object]] = []
    for group, rows_of_group in _groups(chosen, by):
        part_of_row = rows_of_group["phase"].map(PART_OF_PHASE)
        is_ff = rows_of_group["algorithm"] == forward_forward
        for measure in measures:
            values = rows_of_group[measure]
            cells = {
                part: (
                    exact_total(values[(part_of_row == part) & ~is_ff].tolist()),
                    exact_total(values[(part_of_row == part) & is_ff].tolist()),
                )
                for part in PARTS
            }
            differences = {part: ff - bp for part, (bp, ff) in cells.items()}
            cells[TOTAL] = (
                exact_total([bp for bp, _ in cells.values()]),
                exact_total([ff for _, ff in cells.values()]),
            )
            differences[TOTAL] = exact_total(differences.values())
            base = cells[TOTAL][0]
            rows += [
                {
                    **dict(zip(by, group, strict=True)),
                    "measure": measure,
                    "part": part,
                    "backprop": bp,
                    "forward_forward": ff,
                    "difference": differences[part],
                    "share_of_backprop": differences[part] / base if base else math.nan,
                }
                for part, (bp, ff) in cells.items()
            ]
    return pd.DataFrame(rows)


def normalize_overhead(
    costs: pd.DataFrame, measures: Sequence[str], *, algorithm: str = "ff"
) -> pd.DataFrame:
    """What phase ``normalize`` costs an algorithm, per layer and in total (layer ``total``).

    Returns columns ``layer``, ``measure``, ``cost``, ``normalize_cost``, ``cost_without`` (cost
    with normalisation removed) and ``normalize_share`` (of the cost; NaN if that is 0).
    """
    _check(costs, measures, ("layer",), (algorithm,))
    own = costs[costs["algorithm"] == algorithm]
    groups = [*_groups(own, ("layer",)), ((TOTAL,), own)]
    rows = []
    for (layer,), rows_of_layer in groups:
        normalizes = rows_of_layer["phase"] == "normalize"
        for measure in measures:
            spent = exact_total(rows_of_layer.loc[normalizes, measure].tolist())
            rest = exact_total(rows_of_layer.loc[~normalizes, measure].tolist())
            cost = spent + rest
            rows.append(
                {
                    "layer": layer,
                    "measure": measure,
                    "cost": cost,
                    "normalize_cost": spent,
                    "cost_without": rest,
                    "normalize_share": spent / cost if cost else math.nan,
                }
            )
    return pd.DataFrame(rows)


def _check(
    costs: pd.DataFrame, measures: Sequence[str], by: Sequence[str], algorithms: Iterable[str]
) -> None:
    for column in ("algorithm", "phase", *by, *measures):
        if column not in costs.columns:
            raise DecompositionError(f"the cost table has no column {column!r}; add it")
    present = set(costs["algorithm"])
    for algorithm in algorithms:
        if algorithm not in present:
            raise DecompositionError(
                f"no costs of algorithm {algorithm!r}; the table has {sorted(present)}"
            )
    unknown = sorted(set(costs["phase"]) - set(PART_OF_PHASE))
    if unknown:
        raise DecompositionError(
            f"phase {unknown[0]!r} belongs to no part of the decomposition; add it to PARTS"
        )
    for measure in measures:
        if costs[measure].isna().any():
            raise DecompositionError(f"{measure} has missing values; leave that measure out")


def _groups(
    frame: pd.DataFrame, by: Sequence[str]
) -> list[tuple[tuple[object, ...], pd.DataFrame]]:
    if not by:
        return [((), frame)]
    grouped = frame.groupby(list(by), sort=False, observed=True, dropna=False)
    return [(group if isinstance(group, tuple) else (group,), rows) for group, rows in grouped]


def exact_total(values: Iterable[int | float]) -> int | float:
    """Exact integer sum, or correctly rounded float sum."""
    numbers = list(values)
    if all(isinstance(number, Integral) for number in numbers):
        return sum(int(number) for number in numbers)
    return math.fsum(numbers)
