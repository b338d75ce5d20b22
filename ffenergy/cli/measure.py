"""`ffenergy measure`: byte counts in seconds, without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ffenergy.atomic import write_text
from ffenergy.cli.flags import chosen_settings, output_flags, profile_flags, settings_flags
from ffenergy.cli.provenance import ACCOUNTING, versions
from ffenergy.costs.run_costs import price_steps
from ffenergy.energy import choose_profiles
from ffenergy.errors import SettingsError
from ffenergy.measuring import measure as measure_algorithm
from ffenergy.report import priced_display, text
from ffenergy.report import steps as step_tables
from ffenergy.report.files import write_prices
from ffenergy.report.style import ACCOUNTING as RULES
from ffenergy.run_directory import RunDirectory

MEASURABLE = ("ff", "bp")


@click.command()
@click.option(
    "--algorithms",
    default="ff,bp",
    show_default=True,
    help="Which training steps to count, with commas.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Steps to run; full batches are all alike, so the figures of one do not change.",
)
@output_flags
@profile_flags
@settings_flags
def measure(
    algorithms: str,
    steps: int,
    *,
    preset: str,
    outdir: Path | None,
    profile: tuple[str, ...],
    force: bool,
    quiet: bool,
    **overrides: Any,
) -> None:
    r"""Count and price one training step, for any network, in seconds.

    Counts depend on shapes alone, so random pixels serve as data and nothing is learned. With
    --outdir, traffic.csv and summary.csv hold the exact integers of one step, and the priced
    tables (decomposition.csv, energy.csv, levels.csv, reuse.csv, misses.csv, live.csv, peak.csv,
    alive.csv, steps.csv) its steady state, with a data set of --n-train images (or 60,000).

    \b
    Examples:
      ffenergy measure --layer-sizes 784,2000,2000,2000,2000
      ffenergy measure --preset seed --batch-size 1000 --algorithms ff --outdir runs/big-batch
    """
    settings = chosen_settings(preset, overrides)
    names = _parsed(algorithms)
    profiles = choose_profiles(profile)
    directory = RunDirectory(outdir) if outdir is not None else None
    if directory is not None:
        directory.check(force=force)
    found = [measure_algorithm(name, settings, steps) for name in names]
    prices = price_steps(names, settings, [chosen.profile for chosen in profiles])
    if directory is not None:
        directory.claim(force=force)
        directory.write_table("traffic.csv", step_tables.traffic(found))
        directory.write_table("summary.csv", step_tables.summary(found, prices))
        write_prices(directory, prices)
        document = {
            "per": "training step",
            "accounting": ACCOUNTING,
            "settings": settings.to_dict(),
            "versions": versions(),
            "profiles": [chosen.record() for chosen in profiles],
            "signatures": {m.algorithm: m.signatures for m in found},
        }
        write_text(directory.path / "measure.json", json.dumps(document, indent=2) + "\n")
    if not quiet:
        sizes = "-".join(map(str, settings.layer_sizes))
        rule = f"Bytes are counted {RULES[ACCOUNTING]}."
        click.echo(f"{sizes}, {settings.dtype}, {settings.optimizer}; random pixels. {rule}")
        for sentence in priced_display.answers(prices):
            click.echo(text.wrapped(sentence))
        for table in [*step_tables.shown(found), *priced_display.steps_shown(prices)]:
            click.echo("\n" + text.table(table))


def _parsed(algorithms: str) -> list[str]:
    names = [name.strip() for name in algorithms.split(",")]
    for name in names:
        if name not in MEASURABLE or names.count(name) > 1:
            raise SettingsError(
                f"--algorithms has {name!r}; name each of {', '.join(MEASURABLE)} at most once, "
                "with commas"
            )
    return names
