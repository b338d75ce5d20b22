"""`report.md`: findings, tables and pictures of one run on a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.columns import Table
from ffenergy.report.findings import accounting_line, data_line, findings, priced_line
from ffenergy.report.sections import Section

SOURCES = (
    "Every table is computed from `run.json`, `traffic.csv` and `history.csv` beside this page, "
    "which hold the exact integers, and from the priced tables, if there are any."
)
Drawn = tuple[str, str, str]
"""File name, caption and alternative text of a picture."""


def page(book: Book, shown: Sequence[Section], pictures: Iterable[Drawn] = ()) -> str:
    """The whole page; `shown` are the sections of the book."""
    drawn = {name.partition(".")[0]: (name, caption, alt) for name, caption, alt in pictures}
    configuration = book.run.configuration
    answers = [*filter(None, [*headline.sentences(book), headline.bound(book)])]
    answers += [answer.sentences() for answer in book.answers.values()]
    parts = [
        "# What moved",
        f"Command: `{configuration['command']}`",
        "\n".join(f"- {sentence}" for sentence in [*answers, *findings(book)]),
        f"Data: {data_line(book.run)}.",
        f"Bytes are counted {accounting_line(book.run)}. {SOURCES}",
        priced_line(book) if book.prices else "",
        *(part for one in shown for part in _section(one, drawn)),
        "## Settings",
        "```json\n"
        + json.dumps(
            {name: configuration[name] for name in ("seed", "settings", "versions")}, indent=2
        )
        + "\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, drawn: dict[str, Drawn]) -> list[str]:
    pictures = [drawn[name] for name in section.pictures if name in drawn]
    return [
        f"## {section.title}",
        section.missing,
        section.lead,
        *(f"![{alt}]({name})\n\n{caption}" for name, caption, alt in pictures),
        *section.notes,
        *map(table, (*section.tables, *section.more)),
    ]


def table(shown: Table) -> str:
    """A Markdown table under its caption."""
    rule = ["---:" if column.number else "---" for column in shown.columns]
    rows = [[cell.text for cell in row] for row in shown.lines]
    lines = [_row(shown.headings), _row(rule), *map(_row, rows)]
    return f"### {shown.caption}\n\n" + "\n".join(lines)


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
