"""Tables of `ffenergy measure`: one training step, in exact integers and in megabytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ffenergy.costs.prices import SHOWN, Prices
from ffenergy.costs.run_totals import by_place, headline_unit, peak_live, totals
from ffenergy.report.display import Shown, scaled
from ffenergy.report.style import ALGORITHM_NAMES, PHASES, in_order, layers_in_order
from ffenergy.report.tables import ratio
from ffenergy.runs.directory import TRAFFIC_COLUMNS
from ffenergy.runs.results import Measurement

COUNTS = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]


def traffic(measurements: Sequence[Measurement]) -> pd.DataFrame:
    """Counts of one step per algorithm, layer, phase, operation and role, as in `traffic.csv`.

    All measured steps are alike, so the division is exact; ValueError if it is not.
    """
    tables = []
    for measurement in measurements:
        table = measurement.traffic.copy()
        if (table[COUNTS] % measurement.steps).to_numpy().any():
            raise ValueError(f"the steps of {measurement.algorithm} are not all alike")
        table[COUNTS] //= measurement.steps
        table.insert(0, "algorithm", measurement.algorithm)
        tables.append(table[TRAFFIC_COLUMNS])
    return pd.concat(tables, ignore_index=True)


def summary(measurements: Sequence[Measurement], prices: Prices | None = None) -> pd.DataFrame:
    """A row per algorithm: batch, bytes and flops of one step, bytes per flop, normalise share.

    With prices a row per algorithm and accounting, with ByteDMD, energies and peak live bytes.
    """
    table = traffic(measurements)
    rows: list[dict[str, Any]] = []
    for measurement in measurements:
        own = table[table["algorithm"] == measurement.algorithm]
        moved = own["bytes_read"] + own["bytes_written"]
        flops = int(own["flops"].sum())
        normalize = int(moved[own["phase"] == "normalize"].sum())
        rows.append(
            {
                "algorithm": measurement.algorithm,
                "batch_size": measurement.batch_size,
                "flops": flops,
                "bytes_read": int(own["bytes_read"].sum()),
                "bytes_written": int(own["bytes_written"].sum()),
                "bytes_per_flop": ratio(int(moved.sum()), flops),
                "normalize_bytes_share": ratio(normalize, int(moved.sum())),
            }
        )
    return pd.DataFrame(rows if prices is None else _priced(rows, prices))


def _priced(rows: Sequence[dict[str, Any]], prices: Prices) -> list[dict[str, Any]]:
    """The rows under every accounting; the fused ones have the fused bytes."""
    unit, places = headline_unit(prices), by_place(prices)
    priced = []
    for row in rows:
        for accounting in SHOWN:
            chosen = (places["algorithm"] == row["algorithm"]) & (
                places["accounting"] == accounting
            )
            costs = totals(places[chosen], unit)
            own = places[chosen & (places["phase"] == "normalize")]
            moved = costs["bytes_read"] + costs["bytes_written"]
            normalize = sum(own["bytes_read"]) + sum(own["bytes_written"])
            shares = {
                "bytes_per_flop": ratio(moved, row["flops"]),
                "normalize_bytes_share": ratio(normalize, moved),
            }
            keys = {"accounting": accounting, "profile": prices.profiles[0]}
            peak = {"peak_live_bytes": peak_live(prices, row["algorithm"], accounting)}
            priced.append({**row, **keys, **costs, **shares, **peak})
    return priced


def shown(measurements: Sequence[Measurement]) -> list[Shown]:
    """The tables to print: a summary, then layer by phase for each algorithm."""
    return [_summary(measurements), *(_layers(m) for m in measurements)]


def _summary(measurements: Sequence[Measurement]) -> Shown:
    megabytes = scaled(1e6)
    rows = [
        [
            ALGORITHM_NAMES.get(row["algorithm"], row["algorithm"]),
            f"{row['batch_size']}",
            megabytes(row["bytes_read"]),
            megabytes(row["bytes_written"]),
            megabytes(row["flops"]),
            f"{row['bytes_per_flop']:.3f}",
            f"{100 * row['normalize_bytes_share']:.1f}",
        ]
        for row in summary(measurements).to_dict("records")
    ]
    headings = ["", "batch", "MB read", "MB written", "Mflop", "byte/flop", "normalise %"]
    return Shown("One training step (MB = 10⁶ bytes)", headings, rows)


def _layers(measurement: Measurement) -> Shown:
    """MB read / written per layer and phase."""
    table = traffic([measurement])
    phases = in_order(table["phase"], PHASES)
    rows = []
    for layer in layers_in_order(table["layer"]):
        parts = [table[(table["layer"] == layer) & (table["phase"] == phase)] for phase in phases]
        rows.append([layer, *map(_read_written, parts)])
    name = ALGORITHM_NAMES.get(measurement.algorithm, measurement.algorithm)
    return Shown(f"{name}: MB read / written per step, layer by phase", ["layer", *phases], rows)


def _read_written(part: pd.DataFrame) -> str:
    if part.empty:
        return ""
    read, written = (int(part[name].sum()) / 1e6 for name in ("bytes_read", "bytes_written"))
    return f"{read:,.2f} / {written:,.2f}"
