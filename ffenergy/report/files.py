"""Everything in a run directory that is derived from the measurement: tables, page, pictures."""

from __future__ import annotations

from ffenergy.atomic import write_bytes, write_text
from ffenergy.report import markdown, tables
from ffenergy.run_directory import Run, RunDirectory


def write_tables(directory: RunDirectory, run: Run) -> None:
    """Write `summary.csv` and `normalize.csv`."""
    directory.write_table("summary.csv", tables.summary(run))
    directory.write_table("normalize.csv", tables.normalize(run))


def write_report(directory: RunDirectory, run: Run) -> list[str]:
    """Write tables, pictures and `report.md`; return the names of the pictures."""
    from ffenergy.report import figures  # matplotlib takes a second to import

    write_tables(directory, run)
    pictures = []
    for picture, png in figures.render(run):
        write_bytes(directory.path / picture.name, png)
        pictures.append((picture.name, picture.caption))
    write_text(directory.path / "report.md", markdown.page(run, pictures))
    return [name for name, _ in pictures]
