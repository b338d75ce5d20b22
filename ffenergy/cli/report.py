"""`ffenergy report`: everything derived, built again from a saved run."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ffenergy.cli.answering import Answering, answer_flags, where_it_is
from ffenergy.cli.flags import NamedFolder, met_flag, pricing_flags_given, profile_flags
from ffenergy.cli.help import Grouped
from ffenergy.cli.progress import warn, warn_if_long_to_price
from ffenergy.cli.rule_flags import rule_flags
from ffenergy.energy import choose_profiles
from ffenergy.report import files, headline
from ffenergy.report.book import Book, saved_profiles
from ffenergy.report.screen import about_run
from ffenergy.report.text import everything
from ffenergy.runs.beside import PARQUET
from ffenergy.runs.directory import RunDirectory


@click.command(cls=Grouped)
@click.argument("run", type=NamedFolder())
@rule_flags
@profile_flags
@met_flag
@click.option(
    "--html", is_flag=True, help="Only the tables and report.html, which holds its own pictures."
)
@answer_flags
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
@click.pass_context
def report(
    ctx: click.Context,
    run: Path,
    *,
    profile: tuple[str, ...],
    met: str | None,
    html: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    conditions: list[headline.Condition],
    scenario: str,
) -> None:
    """Rebuild tables, pictures, report.md and report.html of the saved RUN, and print the answer.

    Nothing is trained. The measurement (run.json, traffic.csv, history.csv, weights.npz,
    examples.npz) is read, never changed; all other tables, the reports and the pictures are written
    anew. One step of every kind is recorded again on random pixels and priced under the profiles
    of the run, or under those that --profile names, in the memory of the run or --memory. A run
    that was interrupted gets a report of what it finished.
    """
    directory = RunDirectory(run)
    asked_for = choose_profiles(profile) if profile else None
    with directory.locked_run():
        saved = directory.read(warn).in_memory(met)
        counted = not saved.traffic.empty
        if saved.algorithms:
            headline.check_known(
                conditions, saved.algorithms, scenario, trains=True, counts=counted
            )
        profiles = asked_for or saved_profiles(saved)
        if counted and not quiet:
            warn_if_long_to_price(saved.results, saved.settings)
        book = Book.of(saved, profiles, warn)
        for flag in pricing_flags_given(ctx) if book.prices is None else ():
            warn(f"warning: {flag} changes nothing: {run} has no counted steps that have a price")
        built = files.page_alone(book) if html else files.report(book)
        before = directory.files()
        directory.add(saved, built, gone=files.without_prices(built, pictures=not html))
        lost = [name for name in before if name.endswith(PARQUET) and name not in directory.files()]
    if lost:
        again = shlex.join(["ffenergy", "export", str(run), "--parquet"])
        warn(f"Out of date, hence removed: {', '.join(lost)}; `{again}` writes them anew")
    asked = Answering(quiet, verbose, as_json, conditions, scenario)
    asked.tell(book, about_run(book), where_it_is(run), str(run), everything)
