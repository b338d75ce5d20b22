"""Everything in a run directory that is derived from the measurement: tables, page, pictures.

Pure functions: they return the contents of files by name, which are then written together.
"""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.costs.prices import Prices
from ffenergy.energy import Profile
from ffenergy.files.atomic import encoded
from ffenergy.files.contents import as_csv
from ffenergy.report import markdown, priced_tables
from ffenergy.runs.directory import Run


def tables(run: Run, prices: Prices | None = None) -> dict[str, bytes]:
    """Return `summary.csv`, `normalize.csv`, `targets.csv` and, if priced, the priced tables."""
    found = {
        "summary.csv": priced_tables.summary(run, prices),
        "normalize.csv": priced_tables.normalize(run, prices),
        "targets.csv": priced_tables.targets(run, prices),
    }
    written = {name: as_csv(table) for name, table in found.items()}
    return written if prices is None else written | priced(prices)


def priced(prices: Prices) -> dict[str, bytes]:
    """Return every table of `prices` under its own name."""
    return {f"{name}.csv": as_csv(table) for name, table in prices.tables()}


def report(
    run: Run, prices: Prices | None = None, profiles: Sequence[Profile] = ()
) -> dict[str, bytes]:
    """Return tables, pictures, `report.md` and `report.html`.

    `profiles` are those of `prices`; the page's what-if needs those that are not bundled.
    """
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures import figures

    drawn = list(figures.render(run, prices))
    named = [(f"{picture.name}.png", picture.caption, picture.alt) for picture, _ in drawn]
    pictures = {
        f"{picture.name}.{kind}": content
        for picture, files in drawn
        for kind, content in files.items()
    }
    return {
        **tables(run, prices),
        **pictures,
        "report.md": encoded(markdown.page(run, named, prices)),
        "report.html": encoded(page(run, prices, drawn, profiles)),
    }


def page_alone(
    run: Run, prices: Prices | None = None, profiles: Sequence[Profile] = ()
) -> dict[str, bytes]:
    """Return the tables and `report.html`, with its pictures inside."""
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures import figures

    content = page(run, prices, figures.render(run, prices), profiles)
    return {**tables(run, prices), "report.html": encoded(content)}
