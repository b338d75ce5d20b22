"""What `ffenergy measure` says: the book of one training step per algorithm, and its tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ffenergy.costs.decomposition import TRAINING_STEP
from ffenergy.costs.prices import ACCOUNTINGS, Prices
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.scenarios import Scenarios
from ffenergy.energy import Profile
from ffenergy.report import cost_tables, text
from ffenergy.report.book import Book
from ffenergy.report.columns import Column, Table, columns, table
from ffenergy.report.sections import other_parts
from ffenergy.report.tables import ratio
from ffenergy.runs.results import Measurement
from ffenergy.runs.run import TRAFFIC_COLUMNS, Run
from ffenergy.settings import Settings

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


def book(
    measurements: Sequence[Measurement],
    prices: Prices,
    hardware: Sequence[Profile],
    settings: Settings,
    ways: Scenarios | None = None,
) -> Book:
    """The book of one training step of each algorithm, a run of one batch of images."""
    results = {
        m.algorithm: {"samples": m.batch_size, "head_steps": 0, "test_error": math.nan}
        for m in measurements
    }
    configuration = {"accounting": "eager", "settings": settings.to_dict()}
    run = Run(configuration, results, traffic(measurements))
    return Book(run, prices, tuple(hardware), TRAINING_STEP, ways)


def about(settings: Settings) -> str:
    """What was measured, on one line."""
    sizes = "-".join(map(str, settings.layer_sizes))
    parts = [sizes, f"batch {settings.batch_size}", settings.optimizer, settings.dtype]
    return text.wrapped(" · ".join(["One training step", *parts, "random pixels"]))


def everything(book: Book) -> str:
    """All tables of a step, as text."""
    sentences = [text.wrapped(answer.sentences()) for answer in book.answers.values()]
    return "\n\n".join(["\n".join(sentences), *map(text.table, shown(book))])


def summary(book: Book) -> pd.DataFrame:
    """`summary.csv`: a row per algorithm and accounting, with ByteDMD, energies and peak bytes."""
    assert book.totals is not None  # noqa: S101  # a measurement is priced
    rows: list[dict[str, Any]] = []
    for algorithm, result in book.run.results.items():
        own = book.run.traffic[book.run.traffic["algorithm"] == algorithm]
        flops = int(own["flops"].sum())
        keys = {"algorithm": algorithm, "batch_size": result["samples"], "flops": flops}
        rows += [{**keys, **_costs(book.totals, algorithm, one, flops)} for one in ACCOUNTINGS]
    return pd.DataFrame(rows)


def _costs(totals: RunTotals, algorithm: str, accounting: str, flops: int) -> dict[str, Any]:
    places = totals.places(algorithm, accounting)
    costs = totals.added(places)
    normalize = places[places["phase"] == "normalize"]
    moved = costs["bytes_read"] + costs["bytes_written"]
    eaten = sum(normalize["bytes_read"]) + sum(normalize["bytes_written"])
    first = {
        "bytes_read": costs.pop("bytes_read"),
        "bytes_written": costs.pop("bytes_written"),
        "bytes_per_flop": ratio(moved, flops),
        "normalize_bytes_share": ratio(eaten, moved),
    }
    keys = {"accounting": accounting, **totals.priced_in}
    return {**first, **keys, **costs, "peak_live_bytes": totals.peak_live(algorithm, accounting)}


def shown(book: Book) -> list[Table]:
    """The tables to print: a summary, then layer by phase, what serves it, and the parts."""
    names = ["algorithm", "accounting", "bytes_read", "bytes_written", "flops", "bytes_per_flop"]
    names += [f"energy_compute_{book.unit}", f"energy_movement_{book.unit}", f"energy_{book.unit}"]
    names += ["commute_to_compute", "peak_live_bytes", "normalize_energy_share"]
    batch = Column("batch_size", "batch")
    found = columns(names)
    chosen = [*found[:2], batch, *found[2:]]
    parts = [cost_tables.parts(book, TRAINING_STEP, accounting) for accounting in ACCOUNTINGS]
    every = [
        table("steps", book.met("One training step"), "summary.csv", chosen, summary(book)),
        cost_tables.scenarios(book),
        cost_tables.every_profile(book),
        *cost_tables.counted_places(book),
        cost_tables.components(book),
        *parts,
        cost_tables.well_built_parts(book),
        *other_parts(book),
    ]
    return [one for one in every if one is not None]
