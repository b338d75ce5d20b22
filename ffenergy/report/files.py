"""Everything in a run directory that is derived from the measurement: tables, page, pictures.

Pure functions: they return the contents of files by name, which are then written together.
"""

from __future__ import annotations

from collections.abc import Collection

from ffenergy.costs.prices import COLUMNS, Prices
from ffenergy.files.atomic import encoded
from ffenergy.files.contents import as_csv
from ffenergy.report import markdown
from ffenergy.report.book import OF_SCENARIOS, Book
from ffenergy.report.sections import sections


def tables(book: Book) -> dict[str, bytes]:
    """Return `summary.csv`, `normalize.csv`, `targets.csv` and, if priced, the priced tables."""
    return {f"{name}.csv": as_csv(table) for name, table in book.files.items()}


def priced(prices: Prices) -> dict[str, bytes]:
    """Return every table of `prices` under its own name."""
    return {f"{name}.csv": as_csv(table) for name, table in prices.tables()}


def without_prices(built: Collection[str], *, pictures: bool) -> set[str]:
    """Names that a report has where steps have prices, and that are not among those `built`.

    Those of an earlier report are not to stand beside it. With ``pictures`` they are meant too.
    """
    from ffenergy.report.pictures.report import PICTURES  # matplotlib takes a second to import

    names = {f"{name}.csv" for name in (*COLUMNS, *OF_SCENARIOS)}
    if pictures:
        names |= {f"{one.name}.{kind}" for one in PICTURES for kind in ("png", "svg")}
    return names - set(built)


def report(book: Book) -> dict[str, bytes]:
    """Return tables, pictures, `report.md` and `report.html`."""
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures.drawing import render
    from ffenergy.report.pictures.report import PICTURES

    shown = sections(book)
    drawn = list(render(book, PICTURES))
    named = [(f"{picture.name}.png", picture.caption, picture.alt) for picture, _ in drawn]
    pictures = {
        f"{picture.name}.{kind}": content
        for picture, files in drawn
        for kind, content in files.items()
    }
    return {
        **tables(book),
        **pictures,
        "report.md": encoded(markdown.page(book, shown, named)),
        "report.html": encoded(page(book, shown, drawn)),
    }


def page_alone(book: Book) -> dict[str, bytes]:
    """Return the tables and `report.html`, with its pictures inside."""
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures.drawing import render
    from ffenergy.report.pictures.report import PICTURES

    content = page(book, sections(book), render(book, PICTURES, for_page=True))
    return {**tables(book), "report.html": encoded(content)}
