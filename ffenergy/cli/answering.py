"""How a command answers: one screen, all tables, or JSON; and thresholds that fail it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ffenergy.cli.help import Command
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS
from ffenergy.errors import ThresholdError
from ffenergy.files.documents import plain
from ffenergy.report import as_json, headline
from ffenergy.report.book import Book
from ffenergy.report.screen import screen


@dataclass(frozen=True)
class Answering:
    """What was asked of a command's output."""

    quiet: bool
    verbose: bool
    as_json: bool
    conditions: list[headline.Condition]
    scenario: str = AS_IT_RUNS

    @property
    def screen_alone(self) -> bool:
        """Whether nothing is told but the screen."""
        return not (self.verbose or self.as_json or self.conditions)

    def tell(
        self,
        book: Book,
        about: str,
        after: Sequence[str],
        path: str | None,
        everything: Callable[[Book], str],
    ) -> None:
        """Print the answer; raises ThresholdError if a figure is where it should not be.

        `about` heads the screen, `after` says where the rest is, `everything` prints all tables.
        """
        if book.scenario != self.scenario:
            book = replace(book, scenario=self.scenario)
        if self.as_json:
            print_json(as_json.report(book, path))
        elif not self.quiet:
            if self.verbose:
                click.echo(everything(book) + "\n")
            click.echo(screen(book, about, after))
        crossed = headline.crossed(book, self.conditions)
        if crossed:
            raise ThresholdError(f"--fail-if: {'; '.join(crossed)}")


def where_it_is(path: Path) -> list[str]:
    """Where the page of a run is, and how to see more."""
    return [
        f"Page         {path / 'report.html'}",
        f"Other chips  {shlex.join(['ffenergy', 'map', str(path)])}",
        "All tables   --verbose, or the CSV files there",
    ]


def answer_flags(command: Command) -> Command:
    """Add --verbose, --json, --fail-if and --scenario, for an Answering."""

    def read(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> Any:
        return headline.checked(texts)

    command = click.option(
        "--fail-if",
        "conditions",
        multiple=True,
        metavar="CONDITION",
        callback=read,
        help="Fail where, for instance, 'energy_ratio>1.2'. Ends with exit code 6; repeat it for "
        "more. Figures: docs/json.md.",
    )(command)
    command = json_flag(command)
    command = click.option(
        "--scenario",
        type=click.Choice([name.replace(" ", "-") for name in SCENARIOS]),
        default=AS_IT_RUNS.replace(" ", "-"),
        show_default=True,
        callback=lambda ctx, parameter, name: name.replace("-", " "),
        help="What headlines are of. The program as it runs, well built (fused, normalisation "
        "deferred, every rule in its best order), or the least that any program needs.",
    )(command)
    return click.option(
        "--verbose", "-v", is_flag=True, help="Print every table, as the files have them."
    )(command)


def json_flag(command: Command) -> Command:
    """Add --json."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="Print JSON with exact figures. Its keys: docs/json.md.",
    )(command)


def print_json(found: Mapping[str, Any] | list[Any]) -> None:
    """Print a document; what is not a number becomes null."""
    click.echo(as_json.dumped(plain(found)))
