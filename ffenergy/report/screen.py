"""The first screen: what a command answers, on at most 24 lines of 100 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from ffenergy.costs.decomposition import RUN
from ffenergy.costs.scenarios import AS_IT_RUNS, WELL_BUILT
from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS, Cell, Column, Table, table
from ffenergy.report.numbers import MISSING, fixed, prefixed
from ffenergy.report.text import grid, wrapped
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import ALGORITHM_NAMES

TERMS: Final = (
    "As it runs: every NumPy operation streams its operands through memory. Commute ÷ compute: "
    "energy of moving bytes over that of arithmetic. Moved: read and written. Peak live: most "
    "bytes alive at once in a training step."
)


def screen(book: Book, about: str, after: Sequence[str]) -> str:
    """Title, table, answer, warnings, terms; ``after`` says where the rest is, a line each."""
    shown = comparison(book)
    lines = [about, ""]
    if shown is not None:
        lines += [*(f"  {line}".rstrip() for line in grid(shown)), ""]
    told = [*headline.sentences(book), *headline.warnings(book)]
    lines += [*map(wrapped, told), *([""] if told else [])]
    if book.prices:
        lines += [wrapped(f"{TERMS} {_priced(book)}"), ""]
    return "\n".join([*lines, *after])


def about_run(book: Book) -> str:
    """What was trained on what, on one line."""
    run = book.run
    data, settings = run.configuration["data"], run.settings
    kind = "validation" if data.get("validation_images") else "test"
    parts = [
        f"{data['name']}, {data['train_images']:,} training + {data['test_images']:,} {kind} images"
        + (" (SAMPLE)" if data["is_sample"] else ""),
        "-".join(map(str, settings.layer_sizes)),
        f"batch {settings.batch_size}",
        f"{settings.n_epochs} epochs",
        f"seed {settings.seed}",
    ]
    return wrapped(" · ".join(parts))


def comparison(book: Book) -> Table | None:
    """The table of the screen, a row per algorithm, and Forward-Forward ÷ backprop."""
    found = headline.of_algorithms(book)
    if not found:
        return None
    unit = UNITS.get(book.unit, "J")
    frame = pd.DataFrame([{"algorithm": ALGORITHM_NAMES.get(n, n), **v} for n, v in found.items()])
    other = WELL_BUILT if book.scenario != WELL_BUILT else AS_IT_RUNS
    beside = headline.of_algorithms(book, other)
    frame["other_energy"] = [beside[name]["energy"] for name in found]
    every = [
        Column("algorithm", "", number=False),
        Column("test_error", "test error", "%", fixed(2)),
        Column("energy", f"energy\n{book.scenario}", unit, prefixed(), family="energy"),
        Column("other_energy", f"energy\n{other}", unit, prefixed(), family="energy"),
        Column("commute_to_compute", "commute ÷\ncompute", form=fixed(2)),
        Column("bytes", "moved", "B", prefixed()),
        Column("flops", "arithmetic", "flop", prefixed()),
        Column("peak_live", "peak live", "B", prefixed()),
        Column("wall_seconds", "wall", "s", fixed(1)),
    ]
    if book.base == RUN:
        every = [column for column in every if column.name != "flops"]
    names = [c for c in every if c.name == "algorithm" or frame[c.name].notna().any()]
    shown = table("screen", "", "summary.csv", names, frame)
    shown = replace(shown, headings=[h.replace(", ", "\n") for h in shown.headings])
    ratios = headline.ratios(book)
    if not ratios:
        return shown
    name = f"{ALGORITHM_NAMES[FORWARD_FORWARD]} ÷ {ALGORITHM_NAMES[BACKPROP]}"
    ratios |= {"other_energy": headline.ratios(book, other).get("energy", math.nan)}
    cells = [_ratio(ratios.get(column.name, math.nan)) for column in names[1:]]
    return replace(shown, foot=[Cell(name, name), *cells])


def _ratio(value: float) -> Cell:
    return Cell(MISSING, "") if math.isnan(value) else Cell(f"{value:.2f}", repr(value))


def _priced(book: Book) -> str:
    profile = next((p for p in book.hardware if p.name == book.headline), None)
    what = f"{profile.title} ({book.headline})" if profile else book.headline
    return f"Energies are estimates for {what}; --profile chooses other hardware."
