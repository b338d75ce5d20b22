"""`ffenergy diff`: what changed from one saved run to another."""

from __future__ import annotations

from pathlib import Path

import click

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import NamedFolder, flag_of, plain_text
from ffenergy.cli.progress import warn
from ffenergy.costs.prices import COLUMNS
from ffenergy.report import text
from ffenergy.report.as_json import FORMAT
from ffenergy.report.difference import ComparedRun, Difference
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings


@click.command()
@click.argument("before", type=NamedFolder(), metavar="RUN")
@click.argument("after", type=NamedFolder(), metavar="RUN")
@json_flag
def diff(before: Path, after: Path, *, as_json: bool) -> None:
    r"""Say what changed from the first RUN to the second: settings, errors, bytes, energy.

    Bytes and energy are of whole runs, every operation streaming its operands, per algorithm, layer
    and phase. What is alike is named and left out. Energies are compared where both runs were
    priced under the same headline profile.

    \b
    Example:
      ffenergy diff runs/compare-quick runs/wide
    """
    found = Difference(_side(before), _side(after))
    if as_json:
        print_json({"format": FORMAT, **found.document()})
        return
    for sentence in found.alike():
        click.echo(text.wrapped(sentence))
    names = Settings.from_preset("quick").to_dict()
    for name, values in found.settings.items():
        told = flag_of(name) if name in names else name.replace("_", " ")
        click.echo(text.wrapped(f"{told}: {' → '.join(map(plain_text, values))}"))
    for table in found.tables():
        click.echo("\n" + text.table(table))


def _side(path: Path) -> ComparedRun:
    directory = RunDirectory(path)
    run = directory.read(warn)
    if not all((path / f"{name}.csv").exists() for name in ("steps", "energy")):
        return ComparedRun(str(path), run)
    steps = directory.read_table("steps.csv", COLUMNS["steps"])
    energy = directory.read_table("energy.csv", COLUMNS["energy"])
    return ComparedRun(str(path), run, steps, energy)
