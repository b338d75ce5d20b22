"""`ffenergy report`: everything derived, built again from a saved run."""

from __future__ import annotations

from pathlib import Path

import click

from ffenergy.report.files import write_report
from ffenergy.report.text import overview
from ffenergy.run_directory import RunDirectory


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
def report(run: Path, *, quiet: bool) -> None:
    """Rebuild tables, pictures and report.md of the saved RUN, and print the tables.

    Nothing is trained. The measurement (run.json, traffic.csv, history.csv, weights.npz,
    examples.npz) is read, never changed; summary.csv, normalize.csv, report.md and the pictures
    are written anew. A run that was interrupted gets a report of what it finished.
    """
    directory = RunDirectory(run)
    saved = directory.read()
    pictures = write_report(directory, saved)
    if not quiet:
        click.echo(overview(saved))
        click.echo(f"\nWritten to {run}: report.md, {', '.join(pictures)}.")
