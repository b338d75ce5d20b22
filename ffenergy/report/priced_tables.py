"""summary.csv, normalize.csv and targets.csv with their priced columns, eager and fused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from ffenergy.costs import run_totals
from ffenergy.costs.prices import ACCOUNTINGS, Prices
from ffenergy.report import tables
from ffenergy.runs.directory import Run

EXACT: Final = ["bytedmd_operation", "bytedmd_tile"]
"""Whole-run ByteDMD may pass 2⁶³, so these columns hold Python integers."""


def summary(run: Run, prices: Prices | None) -> pd.DataFrame:
    """A row per algorithm and accounting, as in ``summary.csv``.

    Eager bytes are those of traffic.csv; fused ones, ByteDMD and energies are priced steps times
    their numbers. Without prices, and for algorithms trained untraced, there is the eager row
    alone.
    """
    eager = tables.summary(run)
    if prices is None or eager.empty:
        return eager
    unit = run_totals.headline_unit(prices)
    rows = []
    for row, accounting, places in _by_accounting(eager, prices):
        if places is None:
            rows.append(row)
            continue
        priced = run_totals.totals(places, unit)
        bytes_moved = {name: priced.pop(name) for name in ("bytes_read", "bytes_written")}
        fused = _fused_row(run, row, places, bytes_moved) if accounting != "eager" else {}
        peak = run_totals.peak_live(prices, row["algorithm"], accounting)
        keys = {"accounting": accounting, "profile": prices.profiles[0]}
        rows.append({**row, **fused, **keys, **priced, "peak_live_bytes": peak})
    counts = [*tables.TOTALS, "peak_live_bytes"]
    table = pd.DataFrame(rows).astype(dict.fromkeys(counts, "Int64"))
    columns = [c for c in table.columns if c not in ("peak_live_bytes", "normalize_energy_share")]
    return table[[*columns, "peak_live_bytes", "normalize_energy_share"]].astype(
        dict.fromkeys(EXACT, object)
    )


def _by_accounting(
    eager: pd.DataFrame, prices: Prices
) -> Iterator[tuple[dict[str, Any], str, pd.DataFrame | None]]:
    """Each row once per accounting, with its algorithm's priced places; unpriced ones once."""
    places = run_totals.by_place(prices)
    for row in tables.records(eager):
        own = places[places["algorithm"] == row["algorithm"]]
        if own.empty:
            yield row, "eager", None
            continue
        for accounting in ACCOUNTINGS:
            yield row, accounting, own[own["accounting"] == accounting]


def _fused_row(
    run: Run, row: dict[str, Any], places: pd.DataFrame, moved: dict[str, int]
) -> dict[str, Any]:
    """What differs in the fused row of an algorithm."""
    total = sum(moved.values())
    training = tables.training_rows(run, places, row["algorithm"])
    normalize = places[places["phase"] == "normalize"]
    return {
        **moved,
        "bytes_per_flop": tables.ratio(total, row["flops"]),
        "normalize_bytes_share": tables.ratio(_bytes(normalize), total),
        "bytes_per_training_sample": tables.ratio(_bytes(training), row["samples"]),
    }


def normalize(run: Run, prices: Prices | None) -> pd.DataFrame:
    """L2 normalisation per layer, as in ``normalize.csv``: a row per layer and accounting.

    Beside the columns of ``tables.normalize``: ByteDMD, energy, and the shares of the layer's and
    of the algorithm's energy that normalisation takes.
    """
    eager = tables.normalize(run)
    eager.insert(2, "accounting", "eager")
    if prices is None or eager.empty:
        return eager
    unit = run_totals.headline_unit(prices)
    rows = []
    for row, accounting, places in _by_accounting(eager, prices):
        priced = {}
        if places is not None:
            priced = _normalize_row(places, row["layer"], accounting, unit)
        rows.append({**row, **priced})
    table = pd.DataFrame(rows).assign(profile=prices.profiles[0])
    return table.astype(dict.fromkeys(EXACT, object))


def _normalize_row(whole: pd.DataFrame, layer: str, accounting: str, unit: str) -> dict[str, Any]:
    energy = f"energy_{unit}"
    of_layer = whole[whole["layer"] == layer]
    spent = run_totals.totals(of_layer[of_layer["phase"] == "normalize"], unit)
    layer_total, run_total = (run_totals.totals(t, unit) for t in (of_layer, whole))
    nbytes = spent["bytes_read"] + spent["bytes_written"]
    return {
        "accounting": accounting,
        "bytes_read": spent["bytes_read"],
        "bytes_written": spent["bytes_written"],
        "share_of_layer_bytes": tables.ratio(nbytes, _bytes(of_layer)),
        "share_of_total_bytes": tables.ratio(nbytes, _bytes(whole)),
        "layer_bytes_without": _bytes(of_layer) - nbytes,
        "bytedmd_operation": spent["bytedmd_operation"],
        "bytedmd_tile": spent["bytedmd_tile"],
        energy: spent[energy],
        "share_of_layer_energy": tables.ratio(spent[energy], layer_total[energy]),
        "share_of_total_energy": tables.ratio(spent[energy], run_total[energy]),
        f"layer_{energy}_without": layer_total[energy] - spent[energy],
    }


def targets(run: Run, prices: Prices | None) -> pd.DataFrame:
    """Costs up to each target error, as in ``targets.csv``; a missed target keeps its row.

    Columns of ``tables.to_targets`` (its bytes and flops are of everything traced, eager), then
    per accounting training_bytes_read, training_bytes_written and training_energy_* of the
    training steps alone: no evaluations, meters or shuffling.
    """
    table = tables.to_targets(run)
    if prices is None:
        return table
    priced = set(prices.steps["algorithm"])
    rows: list[dict[str, Any]] = []
    for row in tables.records(table):
        keys = {"profile": prices.profiles[0]}
        if not row["reached"] or row["algorithm"] not in priced:
            rows += [{**row, **keys, "accounting": name} for name in ACCOUNTINGS]
            continue
        history = tables.of_algorithm(run.history, row["algorithm"])
        costs = run_totals.training_up_to(
            prices, row["algorithm"], history, row["stage"], int(row["epoch"])
        )
        for cost in tables.records(costs):
            accounting = cost.pop("accounting")
            named = {f"training_{name}": value for name, value in cost.items()}
            rows.append({**row, **keys, "accounting": accounting, **named})
    energy = f"training_energy_{run_totals.headline_unit(prices)}"
    counts = ["training_bytes_read", "training_bytes_written"]
    columns = ["algorithm", "accounting", *table.columns[1:], "profile", *counts, energy]
    exact = dict.fromkeys(("epoch", "bytes", "flops", *counts), "Int64")
    return pd.DataFrame(rows).reindex(columns=columns).astype(exact)


def _bytes(places: pd.DataFrame) -> int:
    return int(sum(places["bytes_read"].tolist()) + sum(places["bytes_written"].tolist()))
