"""Rules by what they differ in: whether gradients pass between layers, and what teaches them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import pandas as pd

from ffenergy.rules import registry
from ffenergy.sweeps.paired import interval
from ffenergy.sweeps.tables import PRICED_IN, algorithms_of

UNSUPERVISED: Final = "unsupervised (hybrids)"
NOTHING: Final = "untrained"
WHOLE: Final = (
    *("bytes_total", "flops", "peak_live_bytes", "built_in_flight"),
    *("built_bytes_total", "built_flops", "built_peak_live_bytes"),
)
"""Columns of whole numbers, empty where nothing is known."""


def learning(algorithm: str) -> str:
    """``local``, ``backprop``, or ``untrained`` for hidden layers that stay as they were drawn."""
    rule = registry.find(algorithm)
    if not rule.trains_layers:
        return NOTHING
    return "local" if rule.local else "backprop"


def supervision(algorithm: str) -> str:
    """What teaches the hidden layers; a head learns from labels whatever it stands on."""
    rule = registry.find(algorithm)
    if not rule.trains_layers:
        return NOTHING
    return UNSUPERVISED if rule.supervision == "hybrids" else rule.supervision


def two_by_two(
    cells: pd.DataFrame,
    swept: Sequence[str],
    energy: str,
    beside: Callable[[str], Mapping[str, Any]],
) -> pd.DataFrame:
    """Return `two-by-two.csv`: a row per rule and combination, over its seeds.

    Errors in percent with their sample standard deviation and the 95 % interval of the mean
    (Student's t). Costs are of a whole training, eager; ``bytes_per_flop`` divides all bytes by all
    flops, ``peak_live_bytes`` are the most bytes alive in a training step. Columns that begin with
    ``built_`` say the same of each rule as well built (docs/metric.md §13), in its best order.
    ``beside`` gives what a cell's own row lacks, by its name: `CellEnergies.beside`.
    """
    keys = ["algorithm", *(name for name in swept if name != "seed")]
    done = cells[cells["status"] == "complete"]
    rows = [
        _row(dict(zip(keys, key, strict=True)), group, energy, beside)
        for key, group in done.groupby(keys, sort=False, dropna=False)
    ]
    order = {name: place for place, name in enumerate(algorithms_of(done))}
    rows.sort(key=lambda row: order[row["algorithm"]])
    return pd.DataFrame(rows).astype(dict.fromkeys(WHOLE, "Int64"))


def _row(
    place: dict[str, Any],
    group: pd.DataFrame,
    energy: str,
    beside: Callable[[str], Mapping[str, Any]],
) -> dict[str, Any]:
    first, errors = group.iloc[0], group["test_error"].astype(float)
    low, high = interval(errors.tolist())
    moved, flops = int(first["bytes_read"]) + int(first["bytes_written"]), int(first["flops"])
    algorithm = place["algorithm"]
    more = beside(str(first["cell"]))
    built_bytes, built_flops = (more.get(f"built_{name}") for name in ("bytes", "flops"))
    return {
        "learning": learning(algorithm),
        "supervision": supervision(algorithm),
        **place,
        "n": len(group),
        "error_on": first["error_on"],
        "test_error_mean": errors.mean(),
        "test_error_std": errors.std(),
        "test_error_low": low,
        "test_error_high": high,
        "accounting": first["accounting"],
        "bytes_total": moved,
        "flops": flops,
        "bytes_per_flop": moved / flops,
        **{name: first[name] for name in PRICED_IN},
        energy: first[energy],
        "peak_live_bytes": more.get("peak_live_bytes"),
        "built_memory": more.get("built_memory"),
        "built_order": more.get("built_order"),
        "built_in_flight": more.get("built_in_flight"),
        "built_bytes_total": built_bytes,
        "built_flops": built_flops,
        "built_bytes_per_flop": built_bytes / built_flops if built_flops else math.nan,
        f"built_{energy}": more.get(f"built_{energy}", math.nan),
        "built_peak_live_bytes": more.get("built_peak_live_bytes"),
    }


def differs(cells: pd.DataFrame) -> bool:
    """Tell whether two rules that train layers differ in one alone: how they learn, or by what."""
    names = [name for name in algorithms_of(cells) if registry.find(name).trains_layers]
    kinds = {(learning(name), supervision(name)) for name in names}
    return any((a == c) != (b == d) for (a, b), (c, d) in combinations(kinds, 2))
