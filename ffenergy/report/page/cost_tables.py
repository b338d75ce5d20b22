"""Tables of the page that add priced rows up: parts, places, sizes of memory, distances."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Final

import pandas as pd

from ffenergy.costs.decomposition import RUN, TRAINING_STEP, energies, of_run
from ffenergy.costs.prices import PRICED_GRAIN, Prices
from ffenergy.costs.run_totals import headline_unit
from ffenergy.energy.decomposition import exact_total
from ffenergy.report.page.blocks import Column, Table, table, text
from ffenergy.report.page.columns import UNITS, amount, column, pair
from ffenergy.report.page.whatif import ACCOUNTINGS
from ffenergy.report.per_sample import (
    crossings,
    miss_curves,
    per_training_sample,
    trained_algorithms,
)
from ffenergy.report.pictures.memory import memory_size
from ffenergy.report.style import (
    ALGORITHM_NAMES,
    PHASES,
    ROLES,
    in_order,
    layers_in_order,
    short_name,
)

TOTAL: Final = "total"
SHOWN_SIZES: Final = 2
"""Octaves between the memory sizes of the table; the picture has four sizes an octave."""


def parts(prices: Prices, scope: str, accounting: str) -> Table | None:
    """Backprop → Forward-Forward in signed parts, in energy under the headline profile."""
    unit = headline_unit(prices)
    rows = prices.decomposition
    rows = rows[
        (rows["scope"] == scope)
        & (rows["accounting"] == accounting)
        & (rows["profile"] == prices.profiles[0])
        & (rows["measure"] == f"energy_{unit}")
    ]
    if rows.empty:
        return None
    numbers = ["backprop", "forward_forward", "difference"]
    total = rows[rows["part"] == TOTAL].iloc[0]
    rows = rows[(rows["part"] != TOTAL) & (rows[numbers[:2]].astype(float) != 0).any(axis=1)]
    columns = [
        column("part"),
        amount("backprop", "backprop", UNITS[unit]),
        amount("forward_forward", "FF", UNITS[unit]),
        amount("difference", "FF − backprop", UNITS[unit], signed=True),
    ]
    what = {RUN: "Whole run", TRAINING_STEP: "One training step"}[scope]
    name = f"parts-{scope.replace(' ', '-')}-{accounting}"
    foot = {c.name: total[c.name] for c in columns}
    return table(name, f"{what}, {accounting}", "decomposition.csv", columns, rows, foot)


def places(prices: Prices, key: str) -> Table:
    """Energy of the whole run by layer, phase or role, a column per algorithm and accounting."""
    unit = headline_unit(prices)
    rows = prices.energy[prices.energy["profile"] == prices.profiles[0]]
    rows = rows.assign(value=energies(rows)[f"energy_{unit}"])
    frame = _spread(of_run(rows, prices.steps), key)
    order = {"layer": layers_in_order, "phase": _by(PHASES), "role": _by(ROLES)}[key]
    frame = frame.loc[order(map(str, frame.index))].reset_index(names=key)
    columns = [column(key), *_pairs(frame, UNITS[unit])]
    foot = {c.name: exact_total(frame[c.name].tolist()) for c in columns[1:]}
    return table(
        f"energy-by-{key}",
        f"Energy of the whole run by {key}",
        "energy.csv and steps.csv",
        columns,
        frame,
        {key: TOTAL, **foot},
    )


def beyond(prices: Prices) -> Table | None:
    """Bytes per training sample that travel beyond an on-chip memory, by its size."""
    found: dict[tuple[str, str], pd.Series[float]] = {}
    for accounting in ACCOUNTINGS:
        curves = miss_curves(prices, accounting)
        found |= {(str(name), accounting): curves[name] for name in curves}
    if not found:
        return None
    frame = pd.DataFrame({"|".join(key): values for key, values in found.items()}).ffill()
    sizes = [size for size in frame.index if _power(int(size)) % SHOWN_SIZES == 0]
    frame = frame.loc[sizes].rename_axis("capacity_bytes").reset_index()
    columns = [_size_column("capacity_bytes", "on-chip memory"), *_pairs(frame, "B")]
    return table(
        "beyond",
        "Bytes per training sample that travel beyond an on-chip memory",
        "misses.csv and steps.csv",
        columns,
        frame,
    )


def meetings(prices: Prices) -> Table | None:
    """Sizes of on-chip memory at which two algorithms change places."""
    rows = []
    for accounting in ACCOUNTINGS:
        curves = miss_curves(prices, accounting)
        for a, b in combinations(map(str, curves), 2):
            for size, height in crossings(curves, a, b):
                names = f"{short_name(a)} = {short_name(b)}"
                rows.append((accounting, names, size, height))
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["accounting", "pair", "capacity_bytes", "bytes"])
    columns = [
        column("accounting"),
        Column("pair", "who", text(), number=False),
        _size_column("capacity_bytes", "on-chip memory"),
        amount("bytes", "travelling beyond it, per sample", "B"),
    ]
    return table("crossings", "Where they change places", "misses.csv", columns, frame)


def distances(prices: Prices) -> Table | None:
    """Bytes read per training sample by reuse distance."""
    reuse = prices.reuse[prices.reuse["grain"] == PRICED_GRAIN]
    keys = ["algorithm", "accounting", "distance_to_bytes"]
    rows = per_training_sample(reuse, prices.steps, ["bytes_read"], keys)
    rows = rows[rows["bytes_read"] > 0]
    if rows.empty:
        return None
    frame = _spread(rows.assign(value=rows["bytes_read"]), "distance_to_bytes")
    order = sorted(frame.index, key=lambda size: (size < 0, size))
    frame = frame.loc[order].rename_axis("distance_to_bytes").reset_index()
    columns = [_size_column("distance_to_bytes", "distance, up to"), *_pairs(frame, "B")]
    return table(
        "distances",
        "Bytes read per training sample by reuse distance, tile grain",
        "reuse.csv and steps.csv",
        columns,
        frame,
    )


def peaks(prices: Prices) -> Table | None:
    """The moment of the most live bytes of every kind of training step."""
    rows = prices.peak
    rows = rows[rows["accounting"].isin(ACCOUNTINGS) & rows["step"].str.startswith("train")]
    if rows.empty:
        return None
    names = ["algorithm", "step", "accounting", "peak_live_bytes", "peak_activation_bytes"]
    names += ["layer", "phase", "operation"]
    columns = [column(name) for name in names]
    return table("peaks", "Most live memory of a training step", "peak.csv", columns, rows)


def trains(prices: Prices | None) -> bool:
    """Whether steps that train a network were priced."""
    return prices is not None and bool(trained_algorithms(prices))


def _spread(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Values added up: a row per `key`, a column ``algorithm|accounting``, in the usual order."""
    rows = rows[rows["accounting"].isin(ACCOUNTINGS)]
    names = in_order(rows["algorithm"].unique(), ALGORITHM_NAMES)
    found: dict[str, dict[Any, int | float]] = {}
    for name in names:
        for accounting in ACCOUNTINGS:
            own = rows[(rows["algorithm"] == name) & (rows["accounting"] == accounting)]
            groups = own.groupby(key, sort=False)["value"]
            found[f"{name}|{accounting}"] = {k: exact_total(v.tolist()) for k, v in groups}
    return pd.DataFrame(found).fillna(0)


def _pairs(frame: pd.DataFrame, unit: str) -> list[Column]:
    names = [str(name) for name in frame if "|" in str(name)]
    return [amount(name, pair(*name.split("|")), unit) for name in names]


def _by(order: tuple[str, ...]) -> Any:
    return lambda found: in_order(found, order)


def _size_column(name: str, heading: str) -> Column:
    return Column(name, heading, text(lambda size: _size(float(size))))


def _size(nbytes: float) -> str:
    return "first read" if nbytes < 0 else memory_size(nbytes)


def _power(size: int) -> int:
    """The exponent of a power of two; -1, which is odd, for any other size."""
    return size.bit_length() - 1 if size & (size - 1) == 0 else -1
