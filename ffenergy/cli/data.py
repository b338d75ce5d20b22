"""`ffenergy data`: which sources of a data set exist, which is used, and fetching it."""

from __future__ import annotations

from pathlib import Path

import click

from ffenergy.cli.flags import data_flags
from ffenergy.data import describe, load
from ffenergy.data.catalogue import CATALOGUE


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
@click.option("--fetch/--no-fetch", default=True, help="Fetch what is not here, or only look.")
def data(data_dir: Path | None, *, name: str, offline: bool, fetch: bool) -> None:
    """Show where a data set can come from and which source is used; fetch it if it is not here.

    The search goes down the list and takes the first source that has all files undamaged. What
    comes over the network is checked against published checksums and kept in the cache. For MNIST
    the last source, a sample of 6,000 + 1,000 images inside the package, is always there.
    """
    states = describe(data_dir, offline=offline, name=name)
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
