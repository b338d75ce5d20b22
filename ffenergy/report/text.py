"""Tables for the terminal: aligned columns, at most 100 characters a line."""

from __future__ import annotations

import textwrap

from ffenergy.costs.prices import Prices
from ffenergy.report import display, priced_display
from ffenergy.report.display import Shown
from ffenergy.report.findings import findings
from ffenergy.runs.directory import Run

WIDTH = 100


def overview(run: Run, prices: Prices | None = None) -> str:
    """What `ffenergy compare` prints at its end: the answer, data, tables, findings."""
    answers = priced_display.answers(prices) if prices else []
    priced = priced_display.shown(run, prices) if prices else ()
    head = [
        *map(wrapped, answers),
        wrapped(f"Data: {display.data_line(run)}."),
        wrapped(f"Bytes are counted {display.accounting_line(run)}."),
    ]
    if prices:
        head.append(wrapped(priced_display.priced_line(prices)))
    tables = [*display.shown(run), *priced]
    return "\n".join([*head, *("\n" + table(shown) for shown in tables), "", told(run)])


def told(run: Run) -> str:
    """The findings, a paragraph each."""
    return "\n".join(wrapped(sentence) for sentence in findings(run))


def wrapped(text: str) -> str:
    """Text folded at 100 columns."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def table(shown: Shown) -> str:
    """A title, a heading row and the rows; a table too wide is folded into several."""
    lines = [wrapped(shown.title)]
    for columns in _folds(shown):
        grid = [[row[c] for c in columns] for row in (shown.headings, *shown.rows)]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        cells = [_line(row, widths) for row in grid]
        lines += [cells[0], "-" * len(cells[0]), *cells[1:]]
    return "\n".join(lines)


def _line(row: list[str], widths: list[int]) -> str:
    first = row[0].ljust(widths[0])
    return "  ".join([first, *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])


def _folds(shown: Shown) -> list[list[int]]:
    """Groups of column numbers, each with the name column, that fit the width."""
    widths = [
        max(len(cell) for cell in column)
        for column in zip(shown.headings, *shown.rows, strict=True)
    ]
    folds = [[0]]
    used = widths[0]
    for number in range(1, len(widths)):
        if used + 2 + widths[number] > WIDTH and len(folds[-1]) > 1:
            folds.append([0])
            used = widths[0]
        folds[-1].append(number)
        used += 2 + widths[number]
    return folds
