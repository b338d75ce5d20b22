"""Everything in a run directory that is derived from the measurement: tables, page, pictures."""

from __future__ import annotations

from collections.abc import Sequence

from ffenergy.costs.prices import Prices
from ffenergy.energy import Profile
from ffenergy.files.atomic import write_bytes, write_text
from ffenergy.report import markdown, priced_tables
from ffenergy.runs.directory import Run, RunDirectory


def write_tables(directory: RunDirectory, run: Run, prices: Prices | None = None) -> None:
    """Write `summary.csv`, `normalize.csv`, `targets.csv` and, if priced, the priced tables."""
    directory.write_table("summary.csv", priced_tables.summary(run, prices))
    directory.write_table("normalize.csv", priced_tables.normalize(run, prices))
    directory.write_table("targets.csv", priced_tables.targets(run, prices))
    if prices is not None:
        write_prices(directory, prices)


def write_prices(directory: RunDirectory, prices: Prices) -> None:
    """Write every table of `prices` under its own name."""
    for name, table in prices.tables():
        directory.write_table(f"{name}.csv", table)


def write_report(
    directory: RunDirectory,
    run: Run,
    prices: Prices | None = None,
    profiles: Sequence[Profile] = (),
) -> list[str]:
    """Write tables, pictures, `report.md` and `report.html`; return the names of the pictures.

    `profiles` are those of `prices`; the page's what-if needs those that are not bundled.
    """
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures import figures

    write_tables(directory, run, prices)
    drawn = list(figures.render(run, prices))
    for picture, files in drawn:
        for kind, content in files.items():
            write_bytes(directory.path / f"{picture.name}.{kind}", content)
    named = [(f"{picture.name}.png", picture.caption, picture.alt) for picture, _ in drawn]
    write_text(directory.path / "report.md", markdown.page(run, named, prices))
    write_text(directory.path / "report.html", page(run, prices, drawn, profiles))
    return [name for name, *_ in named]


def write_page(
    directory: RunDirectory,
    run: Run,
    prices: Prices | None = None,
    profiles: Sequence[Profile] = (),
) -> None:
    """Write the tables and `report.html` alone, with its pictures inside."""
    from ffenergy.report.page import page  # matplotlib takes a second to import
    from ffenergy.report.pictures import figures

    write_tables(directory, run, prices)
    content = page(run, prices, figures.render(run, prices), profiles)
    write_text(directory.path / "report.html", content)
