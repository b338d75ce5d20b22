"""Everything in a run directory that is derived from the measurement: tables, page, pictures."""

from __future__ import annotations

from ffenergy.atomic import write_bytes, write_text
from ffenergy.costs.prices import Prices
from ffenergy.report import markdown, priced_tables
from ffenergy.run_directory import Run, RunDirectory


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


def write_report(directory: RunDirectory, run: Run, prices: Prices | None = None) -> list[str]:
    """Write tables, pictures and `report.md`; return the names of the pictures."""
    from ffenergy.report import figures  # matplotlib takes a second to import

    write_tables(directory, run, prices)
    pictures = []
    for picture, files in figures.render(run, prices):
        for kind, content in files.items():
            write_bytes(directory.path / f"{picture.name}.{kind}", content)
        pictures.append((f"{picture.name}.png", picture.caption))
    write_text(directory.path / "report.md", markdown.page(run, pictures, prices))
    return [name for name, _ in pictures]
