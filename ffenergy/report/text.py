"""A report for the terminal: aligned columns, at most 100 characters a line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.columns import Table
from ffenergy.report.findings import accounting_line, data_line, findings, priced_line
from ffenergy.report.sections import sections

WIDTH = 100


def everything(book: Book) -> str:
    """Everything there is to print of a run: the answers, what they rest on, tables, findings."""
    head = [
        *(wrapped(one) for one in (*headline.sentences(book), headline.bound(book)) if one),
        *(wrapped(answer.sentences()) for answer in book.answers.values()),
        wrapped(f"Data: {data_line(book.run)}."),
        wrapped(f"Bytes are counted {accounting_line(book.run)}."),
    ]
    if book.prices:
        head.append(wrapped(priced_line(book)))
    tables = [one for section in sections(book) for one in (*section.tables, *section.more)]
    told = "\n".join(wrapped(sentence) for sentence in findings(book))
    return "\n".join([*head, *("\n" + table(one) for one in tables), "", told])


def wrapped(text: str) -> str:
    """Text folded at 100 columns."""
    return textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def table(shown: Table) -> str:
    """A caption, a heading row and the rows; a table too wide is folded into several.

    Every part repeats the columns of words that lead the table, so that no row is without a name.
    """
    return "\n".join([wrapped(shown.caption), *grid(shown)])


def grid(shown: Table) -> list[str]:
    """The lines of a table without its caption; a heading may have several."""
    deep = max(heading.count("\n") for heading in shown.headings)
    stacked = [("\n" * (deep - h.count("\n")) + h).split("\n") for h in shown.headings]
    rows = [list(row) for row in zip(*stacked, strict=True)]
    rows += [[cell.text for cell in row] for row in shown.lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = [column.number for column in shown.columns]
    lines = []
    for chosen in folds(widths, numbers):
        cells = ["  ".join(_aligned(row, widths, numbers, chosen)).rstrip() for row in rows]
        lines += [*cells[: deep + 1], "-" * max(map(len, cells)), *cells[deep + 1 :]]
    return lines


def _aligned(
    row: list[str], widths: list[int], numbers: list[bool], chosen: list[int]
) -> Iterator[str]:
    for k in chosen:
        yield row[k].rjust(widths[k]) if numbers[k] else row[k].ljust(widths[k])


def folds(widths: list[int], numbers: list[bool]) -> list[list[int]]:
    """Groups of column numbers that fit the width, each with the leading columns of words."""
    keys = list(range(next((k for k, number in enumerate(numbers) if number), len(numbers))))
    keys = keys or [0]
    start = sum(widths[k] + 2 for k in keys) - 2
    found, used = [list(keys)], start
    for k in range(len(keys), len(widths)):
        if used + 2 + widths[k] > WIDTH and len(found[-1]) > len(keys):
            found.append(list(keys))
            used = start
        found[-1].append(k)
        used += 2 + widths[k]
    return found
