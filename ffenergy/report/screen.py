"""The first screen: what a command answers, on at most 24 lines of 100 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from ffenergy.costs.decomposition import RUN
from ffenergy.costs.network import Network
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, THE_LEAST, WELL_BUILT
from ffenergy.costs.verdicts import MARGIN
from ffenergy.energy import Profile
from ffenergy.energy.chip import Interval
from ffenergy.network.orders import ORDERS, STEP_MAJOR
from ffenergy.report import headline, map_table
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS, Column, Table, TableCell, table
from ffenergy.report.numbers import DRAWN, MISSING, between, fixed, prefixed
from ffenergy.report.text import WIDTH, grid, wrapped
from ffenergy.report.text import table as printed
from ffenergy.rules.registry import rules
from ffenergy.style import ALGORITHM_NAMES, MEMORY_WORDS, short_name

LONGEST: Final = 17
"""Letters of a title in a row of the table."""
LINES: Final = 24
"""Of a terminal."""
TERMS: Final = (
    "Commute ÷ compute: energy of moving bytes over that of arithmetic. Peak live: most bytes "
    "alive at once."
)
BESIDE: Final = {
    WELL_BUILT: f"well built: the best known order, in {MEMORY_WORDS[SCENARIOS[WELL_BUILT][1]]}",
    THE_LEAST: f"the least: proven bounds, in {MEMORY_WORDS[SCENARIOS[THE_LEAST][1]]}",
}


def screen(book: Book, about: str, after: Sequence[str]) -> str:
    """Title, table, answer, warnings, terms; ``after`` says where the rest is, a line each.

    Where that is more than a terminal has, empty lines go first, then the terms.
    """
    shown = comparison(book)
    body = [f"  {line}".rstrip() for line in grid(shown)] if shown is not None else []
    told = [wrapped(one) for one in (*headline.sentences(book), *headline.warnings(book))]
    terms = [wrapped(f"{TERMS} {_scenarios(book)} {_priced(book)}")] if book.prices else []
    parts = ["\n".join(part) for part in ([about], body, told, terms, after) if part]
    for gap in ("\n\n", "\n"):
        lines = gap.join(parts)
        if lines.count("\n") < LINES:
            return lines
    return "\n".join([about, *body, *told, *after])


def about_run(book: Book) -> str:
    """What was trained on what, on one line."""
    run = book.run
    data, settings = run.configuration["data"], run.settings
    parts = [
        f"{data['name']}, {data['train_images']:,} training + {data['test_images']:,} "
        f"{run.error_on} images" + (" (SAMPLE)" if data["is_sample"] else ""),
        "-".join(map(str, settings.layer_sizes)),
        f"batch {settings.batch_size}",
        f"{settings.n_epochs} epoch{'s' * (settings.n_epochs != 1)}",
        f"seed {settings.seed}",
    ]
    return wrapped(" · ".join(parts))


def comparison(book: Book) -> Table | None:
    """The table of the screen, a row per algorithm, and Forward-Forward ÷ backprop.

    Its last row is where the constants leave the ratios of energies, if that is known.
    """
    found = headline.of_algorithms(book, AS_IT_RUNS)
    if not found:
        return None
    unit = UNITS.get(book.unit, "J")
    frame = pd.DataFrame([{"algorithm": _name(name), **found[name]} for name in found])
    other = WELL_BUILT if book.scenario == AS_IT_RUNS else book.scenario
    built, beside = headline.of_algorithms(book, other), other.replace(" ", "\n")
    frame["built"] = [built[name]["energy"] for name in found]
    frame["built_commute"] = [built[name]["commute_to_compute"] for name in found]
    every = [
        Column("algorithm", "", number=False),
        Column("test_error", f"{book.run.error_on}\nerror", "%", fixed(2)),
        Column("energy", "energy\nas it runs", unit, prefixed(), family="energy"),
        Column("built", beside, unit, prefixed(), family="energy"),
        Column("commute_to_compute", "commute ÷\ncompute\nas it runs", form=fixed(2)),
        Column("built_commute", beside, form=fixed(2)),
        Column("bytes", "moved", "B", prefixed()),
        Column("flops", "arith-\nmetic", "flop", prefixed()),
        Column("peak_live", "peak\nlive", "B", prefixed()),
        Column("wall_seconds", "wall", "s", fixed(1)),
    ]
    if book.base == RUN:
        every = [column for column in every if column.name != "flops"]
    names = [c for c in every if c.name == "algorithm" or frame[c.name].notna().any()]
    shown = table("screen", "", "summary.csv", names, frame)
    shown = replace(shown, headings=[h.replace(", ", "\n") for h in shown.headings])
    ratios = headline.ratios(book, AS_IT_RUNS)
    if not ratios or book.pair is None:
        return shown
    well = headline.ratios(book, other)
    ratios |= {"built": well.get("energy", math.nan)}
    ratios |= {"built_commute": well.get("commute_to_compute", math.nan)}
    name = " ÷ ".join(map(_name, book.pair))
    cells = [_ratio(ratios.get(column.name, math.nan)) for column in names[1:]]
    divided = [TableCell(name, name), *cells]
    scenarios = {"energy": AS_IT_RUNS, "built": other}
    drawn = {column: headline.interval(book, one) for column, one in scenarios.items()}
    if not any(drawn.values()):
        return replace(shown, foot=divided)
    ends = [_ends(drawn.get(column.name)) for column in names[1:]]
    return replace(shown, rows=[*shown.rows, divided], foot=[TableCell(DRAWN, DRAWN), *ends])


def _name(algorithm: str) -> str:
    """Its title, or its short one where that would take too much of a line."""
    title = ALGORITHM_NAMES.get(algorithm, algorithm)
    return title if len(title) <= LONGEST else short_name(algorithm)


def _ratio(value: float) -> TableCell:
    return TableCell(MISSING, "") if math.isnan(value) else TableCell(f"{value:.2f}", repr(value))


def _ends(found: Interval | None) -> TableCell:
    if found is None:
        return TableCell("", "")
    return TableCell(between(found.low, found.high), f"{found.low!r} {found.high!r}")


def _scenarios(book: Book) -> str:
    """What the scenarios of the table are, and their memories; other tables may have another."""
    other = WELL_BUILT if book.scenario == AS_IT_RUNS else book.scenario
    memory = book.prices.memory if book.prices else ""
    own = MEMORY_WORDS[SCENARIOS[AS_IT_RUNS][1]]
    told = f"As it runs: NumPy's own operations {_orders(book)}, in {own}; {BESIDE[other]}."
    if memory in ("", SCENARIOS[AS_IT_RUNS][1]):
        return told
    return f"{told} --memory {memory} is of the other tables, not of scenarios."


def _orders(book: Book) -> str:
    """In which order the rules that train layers take batches as they run."""
    settings, known = book.run.settings, rules()
    if settings.order == STEP_MAJOR:
        return "and order"
    taken: dict[str, list[str]] = {}
    for row in book.of_scenario(AS_IT_RUNS).to_dict("records"):
        if row["algorithm"] in known and known[row["algorithm"]].trains_layers:
            order = f"in {row['order']} order" if row["order"] in ORDERS else row["order"]
            several = f", {row.get('in_flight', settings.in_flight)} in flight"
            order += several * (row["order"] != STEP_MAJOR)
            taken.setdefault(order, []).append(_name(row["algorithm"]))
    if len(taken) == 1:
        return next(iter(taken))
    told = [" and ".join(names) + f" {order}" for order, names in taken.items()]
    return f"({'; '.join(told)})"


def _priced(book: Book) -> str:
    profile = next((p for p in book.hardware if p.name == book.headline), None)
    what = f"{profile.title} ({book.headline})" if profile else book.headline
    return f"Energies are estimates for {what}."


def of_map(table: pd.DataFrame, network: Network, profiles: Sequence[Profile]) -> Iterator[str]:
    """The lines of `ffenergy map`: the answer of the first profile, then every chip's."""
    yield printed(
        map_table.where_cheaper(table, "-".join(map(str, network.layer_sizes)), profiles[0])
    )
    yield ""
    yield printed(map_table.chips(network, profiles, WIDTH))
    told = (
        f"* proven, ? undecided or within {100 * MARGIN:.0f} %. Closed forms, in a managed memory; "
        "bounds hold if each value is computed once and gradients are added up before momentum."
    )
    if network.shared_halves:
        told += " Half of each hybrid is an image of the batch, as in the run."
    yield wrapped(told)
