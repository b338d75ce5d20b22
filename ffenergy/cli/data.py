"""`ffenergy data`: which sources of a data set exist, which is used, and fetching it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import data_flags
from ffenergy.data import Dataset, SourceState, describe, load
from ffenergy.data.catalogue import CATALOGUE
from ffenergy.report.as_json import FORMAT


@click.command()
@data_flags
@click.option(
    "--dataset",
    "name",
    type=click.Choice(list(CATALOGUE)),
    default="mnist",
    show_default=True,
    help="Which data set.",
)
@json_flag
@click.option("--fetch/--no-fetch", default=True, help="Fetch what is not here, or only look.")
def data(data_dir: Path | None, *, name: str, offline: bool, fetch: bool, as_json: bool) -> None:
    """Show where a data set can come from and which source is used; fetch it if it is not here.

    The search goes down the list and takes the first source that has all files undamaged. What
    comes over the network is checked against published checksums and kept in the cache. For MNIST
    the last source, a sample of 6,000 + 1,000 images inside the package, is always there.
    """
    states = describe(data_dir, offline=offline, name=name)
    if as_json:
        found = load(data_dir, offline=offline, name=name) if fetch else None
        print_json(_document(name, states, found))
        return
    width = max(len(state.source) for state in states)
    for state in states:
        mark = "→" if state.used else " "
        click.echo(f"{mark} {state.source:<{width}}  {state.state:<8} {state.place}")
        click.echo(f"  {'':<{width}}  {'':<8} {state.detail}")
    if fetch:
        found = load(data_dir, offline=offline, name=name)
        mark = " (a SAMPLE, not the full data set)" if found.is_sample else ""
        click.echo(
            f"\nUsed: {found.name}, {len(found.train_images):,} training and "
            f"{len(found.test_images):,} test images, {found.source}{mark}"
        )


def _document(name: str, states: Sequence[SourceState], found: Dataset | None) -> dict[str, Any]:
    used = found and {
        "name": found.name,
        "source": found.source,
        "is_sample": found.is_sample,
        "train_images": len(found.train_images),
        "test_images": len(found.test_images),
    }
    sources = [vars(state) for state in states]
    return {"format": FORMAT, "dataset": name, "sources": sources, "used": used}
