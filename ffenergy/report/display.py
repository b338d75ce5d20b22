"""Tables as strings: units in the headings, digits chosen for the eye, still pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ffenergy.report import tables
from ffenergy.report.style import ACCOUNTING, ALGORITHM_NAMES, PHASES, in_order
from ffenergy.runs.directory import Run

MISSING = "–"


@dataclass(frozen=True)
class Shown:
    """A table ready to print: title with its units, headings, rows; column 0 is text."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def data_line(run: Run) -> str:
    """Name, size and source of the data, a sample marked as such."""
    data = run.configuration["data"]
    mark = " · SAMPLE, not the full data set" if data["is_sample"] else ""
    kind = "validation" if data.get("validation_images") else "test"
    return (
        f"{data['name']}, {data['train_images']:,} training and {data['test_images']:,} {kind} "
        f"images, {data['source']}{mark}"
    )


def accounting_line(run: Run) -> str:
    """The rule by which bytes were counted."""
    return ACCOUNTING.get(run.configuration["accounting"], str(run.configuration["accounting"]))


def shown(run: Run) -> Iterator[Shown]:
    """All tables of a run in the order of the report."""
    yield summary(run)
    if not run.traffic.empty:
        yield from (layers_by_phases(run, name) for name in run.algorithms if _traced(run, name))
        yield directions(run)
        if tables.both_traced(run, "ff", "bp"):
            yield comparison(run)
            yield phase_differences(run)
        if not tables.normalize(run).empty:
            yield normalize(run)
        yield targets(run)


def summary(run: Run) -> Shown:
    """The main table: a row per algorithm."""
    columns: dict[str, tuple[str, Callable[[Any], str]]] = {
        "test %": ("test_error", _fixed(2)),
        "train %": ("train_error", _fixed(2)),
        "GB read": ("bytes_read", scaled(1e9)),
        "GB written": ("bytes_written", scaled(1e9)),
        "Gflop": ("flops", scaled(1e9)),
        "byte/flop": ("bytes_per_flop", _fixed(3)),
        "normalise %": ("normalize_bytes_share", _percent),
        "wall s": ("wall_seconds", _fixed(1)),
    }
    table = tables.summary(run)
    rows = [
        [_name(row["algorithm"]), *(show(row[key]) for key, show in columns.values())]
        for _, row in table.iterrows()
    ]
    title = "Whole runs, softmax head and evaluations included (errors in %; GB = 10⁹ bytes)"
    return Shown(title, ["", *columns], rows)


def layers_by_phases(run: Run, algorithm: str) -> Shown:
    """GB moved by one algorithm per layer and phase."""
    table = tables.layers_by_phases(run, algorithm)
    show = scaled(1e9)
    rows = [[str(layer), *map(show, row)] for layer, row in table.iterrows()]
    return Shown(
        f"{_name(algorithm)}: GB moved (read + written), layer by phase",
        ["layer", *table.columns],
        rows,
    )


def directions(run: Run) -> Shown:
    """GB read / written per phase, algorithms side by side."""
    table = tables.layers_by_direction(run)
    columns = ["bytes_read", "bytes_written"]
    sums = table.groupby(["algorithm", "phase"])[columns].sum()
    names = [name for name in run.algorithms if _traced(run, name)]
    show = scaled(1e9)
    rows = []
    for phase in in_order(table["phase"], PHASES):
        cells = []
        for name in names:
            here = (name, phase) in sums.index
            ways = [show(sums.loc[(name, phase), column]) for column in columns] if here else []
            cells.append(" / ".join(ways) or MISSING)
        rows.append([phase, *cells])
    return Shown("GB read / GB written, phase by algorithm", ["phase", *map(_name, names)], rows)


def comparison(run: Run) -> Shown:
    """Forward-Forward against backprop, quantity by quantity."""
    scales = {"byte": (1e6, "MB"), "flop": (1e6, "Mflop")}
    rows = []
    for _, row in tables.comparison(run).iterrows():
        scale, unit = scales.get(row["unit"], (1.0, row["unit"]))
        show = scaled(scale)
        rows.append(
            [
                f"{row['quantity']}, {unit}",
                show(row["ff"]),
                show(row["bp"]),
                _fixed(2)(row["ratio"]),
            ]
        )
    return Shown("Forward-Forward against backprop", ["", "FF", "backprop", "FF / backprop"], rows)


def phase_differences(run: Run) -> Shown:
    """MB per training sample of Forward-Forward and backprop, phase by phase."""
    table = tables.phase_differences(run)
    plain, signed = scaled(1e6), scaled(1e6, sign=True)
    rows = [
        [str(phase), plain(row["ff"]), plain(row["bp"]), signed(row["difference"])]
        for phase, row in table.iterrows()
    ]
    return Shown(
        "MB moved per training sample (hidden layers' training steps; no head, no evaluation)",
        ["phase", "FF", "backprop", "FF − backprop"],
        rows,
    )


def normalize(run: Run) -> Shown:
    """What L2 normalisation moved, layer by layer."""
    show = scaled(1e9)
    rows = [
        [
            _name(row["algorithm"]),
            row["layer"],
            show(row["bytes_read"]),
            show(row["bytes_written"]),
            show(row["flops"]),
            _percent(row["share_of_layer_bytes"]),
            _percent(row["share_of_total_bytes"]),
            show(row["layer_bytes_without"]),
        ]
        for _, row in tables.normalize(run).iterrows()
    ]
    headings = ["", "layer", "GB read", "GB written", "Gflop"]
    headings += ["% of layer", "% of run", "layer without, GB"]
    return Shown("L2 normalisation, layer by layer", headings, rows)


def targets(run: Run) -> Shown:
    """GB moved by whole runs up to each test error."""
    table = tables.to_targets(run)
    rows = []
    for name in run.algorithms:
        cells = []
        for _, row in tables.of_algorithm(table, name).iterrows():
            if not row["reached"]:
                cells.append(f"missed (best {_fixed(2)(row['test_error'])})")
            elif pd.isna(row["bytes"]):
                cells.append("reached, untraced")
            else:
                cells.append(f"{scaled(1e9)(row['bytes'])} (epoch {row['epoch']})")
        rows.append([_name(name), *cells])
    headings = [f"≤ {target:g} %" for target in tables.TARGET_ERRORS]
    return Shown("GB moved by the whole run up to a test error", ["", *headings], rows)


def _traced(run: Run, algorithm: str) -> bool:
    return not tables.of_algorithm(run.traffic, algorithm).empty


def _name(algorithm: str) -> str:
    return ALGORITHM_NAMES.get(algorithm, algorithm)


def _fixed(digits: int) -> Callable[[Any], str]:
    return lambda value: MISSING if pd.isna(value) else f"{value:,.{digits}f}"


def _percent(share: Any) -> str:
    return MISSING if pd.isna(share) else f"{100 * share:.1f}"


def scaled(scale: float, *, sign: bool = False) -> Callable[[Any], str]:
    """Four significant digits of value / scale; a real zero is 0."""

    def show(value: Any) -> str:
        if pd.isna(value):
            return MISSING
        scaled = float(value) / scale
        plus = "+" if sign else ""
        if scaled == 0:
            return "0"
        digits = max(0, 3 - math.floor(math.log10(abs(scaled))))
        return f"{scaled:{plus},.{min(digits, 6)}f}"

    return show
