"""`report.md`: findings, tables and pictures of one run on a page."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ffenergy.costs.prices import Prices
from ffenergy.report import display, priced_display
from ffenergy.report.display import Shown
from ffenergy.report.findings import findings
from ffenergy.runs.directory import Run

SOURCES = (
    "Every table is computed from `run.json`, `traffic.csv` and `history.csv` beside this page, "
    "which hold the exact integers, and from the priced tables, if there are any."
)


def page(run: Run, pictures: Iterable[tuple[str, str, str]], prices: Prices | None = None) -> str:
    """The whole page; `pictures` are file name, caption and alternative text."""
    answers = priced_display.answers(prices) if prices else []
    priced = priced_display.shown(run, prices) if prices else ()
    configuration = run.configuration
    parts = [
        "# What moved",
        f"Command: `{configuration['command']}`",
        "\n".join(f"- {sentence}" for sentence in [*answers, *findings(run)]),
        f"Data: {display.data_line(run)}.",
        f"Bytes are counted {display.accounting_line(run)}. {SOURCES}",
        priced_display.priced_line(prices) if prices else "",
        *(table(shown) for shown in display.shown(run)),
        *map(table, priced),
        *(f"## {caption}\n\n![{alt}]({name})" for name, caption, alt in pictures),
        "## Settings",
        "```json\n"
        + json.dumps(
            {name: configuration[name] for name in ("seed", "settings", "versions")}, indent=2
        )
        + "\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(shown: Shown) -> str:
    """A Markdown table under its title."""
    rule = ["---", *["---:"] * (len(shown.headings) - 1)]
    lines = [_row(shown.headings), _row(rule), *map(_row, shown.rows)]
    return f"## {shown.title}\n\n" + "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
