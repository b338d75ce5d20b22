"""`ffenergy measure`: byte counts without training."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import click
import pandas as pd

from ffenergy.cli.answering import Answering, answer_flags, print_json
from ffenergy.cli.flags import (
    Several,
    asks_for_order,
    check_force,
    flags_named,
    memory_flag,
    met_flag,
    output_flags,
    profile_flags,
    settings_flags,
)
from ffenergy.cli.help import Command, Grouped
from ffenergy.cli.progress import progress, warn_if_long
from ffenergy.cli.provenance import ACCOUNTING, versions
from ffenergy.cli.rule_flags import known, named, rule_flags
from ffenergy.costs.decomposition import TRAINING_STEP
from ffenergy.costs.fitting import with_best_order
from ffenergy.costs.further import further_analysis
from ffenergy.costs.measuring import analysis_seconds, check_memory
from ffenergy.costs.measuring import measure as measure_algorithm
from ffenergy.costs.network import MNIST_IMAGES
from ffenergy.costs.prices import ACCOUNTINGS, MEMORIES
from ffenergy.costs.run_costs import (
    measured_kinds,
    measured_work,
    tabulate,
)
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, Scenarios
from ffenergy.energy import ChosenProfile, choose_profiles
from ffenergy.errors import RunInterruptedError, SettingsError
from ffenergy.files.contents import as_csv
from ffenergy.report import files, grids, headline, text
from ffenergy.report import steps as step_tables
from ffenergy.report.as_json import FORMAT
from ffenergy.rules.kit.stages import Rule
from ffenergy.rules.registry import check_rules, rules
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import CHOICES, Settings
from ffenergy.sweeps.step_grids import AXES, grid, sweep

STEPS: Final = 2
LISTED: Final = {
    "batch_size": "With commas: a sweep.",
    "layer_sizes": "Several networks, with semicolons: a sweep.",
    "optimizer": "With commas: a sweep.",
    "dtype": "With commas: a sweep.",
}
MORE: Final = {
    "depth": "Hidden layers, of --width units each. With commas: a sweep.",
    "width": "Units in each of --depth hidden layers. With commas: a sweep.",
}
"""Flags of settings that this command alone takes lists for, and flags that it has besides."""


def measurable(kind: type[Rule]) -> bool:
    """Whether a rule has training steps of hidden layers to measure."""
    return kind.trains_layers


def list_flags(command: Command) -> Command:
    """Add --width and --depth, and let the flags of settings_flags below take text with lists."""
    for option in getattr(command, "__click_params__", []):
        if option.name in LISTED:
            told, default = option.help.rsplit(" [", 1)
            option.help = f"{told} {LISTED[option.name]} [{default}"
            choices = CHOICES.get(option.name)
            option.type = Several(choices) if choices else click.STRING
    for name, told in MORE.items():
        command = click.option(f"--{name}", metavar="TEXT", help=told)(command)
    return command


@click.command(cls=Grouped)
@click.option(
    "--algorithms",
    type=Several(name for name, kind in rules().items() if measurable(kind)),
    metavar="NAMES",
    default=known(lambda kind: kind.compared and kind.trains_layers).replace(" ", ""),
    show_default=True,
    help=f"Whose steps to count, with commas, among {known(measurable)}.",
)
@rule_flags
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=STEPS,
    show_default=True,
    help="Steps to run. Full batches are all alike, so the figures of one do not change.",
)
@output_flags
@memory_flag
@answer_flags
@profile_flags
@met_flag
@list_flags
@settings_flags
def measure(
    algorithms: str,
    steps: int,
    *,
    preset: str,
    outdir: Path | None,
    profile: tuple[str, ...],
    met: str | None,
    force: bool,
    quiet: bool,
    verbose: bool,
    as_json: bool,
    conditions: list[headline.Condition],
    scenario: str,
    **overrides: Any,
) -> None:
    r"""Count and price one training step, for any network, without training.

    Flags that take lists sweep: every combination of --batch-size, --width, --depth, --optimizer
    and --dtype (values with commas) and of --layer-sizes (networks with semicolons) becomes rows
    of one table. With --outdir they are sweep.csv, which grows as they are done, and where
    Forward-Forward costs less than backprop is drawn in sweep.png and sweep.svg.

    \b
    Examples:
      ffenergy measure --layer-sizes 784,2000,2000,2000,2000
      ffenergy measure --preset seed --batch-size 1000 --algorithms ff --outdir runs/big-batch
      ffenergy measure --batch-size 10,100 --width 250,500,1000 --depth 4 --outdir runs/sweep

    A step trains every layer; of ff-greedy it is one step of each layer's stage.

    Counts depend on shapes alone, so random pixels serve as data and nothing is learned. With
    --outdir, traffic.csv and summary.csv hold the exact integers of one step, and the priced
    tables (decomposition.csv, energy.csv, levels.csv, reuse.csv, misses.csv, live.csv, peak.csv,
    alive.csv, steps.csv) its steady state, with a data set of --n-train images (or 60,000).

    Figures are of one batch of images: of a step with several in flight, the share of one.
    """
    asked = Answering(quiet, verbose, as_json, conditions, scenario)
    auto = asks_for_order(overrides)
    lists = {name: overrides.pop(name) for name in AXES}
    changes = {name: value for name, value in overrides.items() if value is not None}
    with flags_named():
        cells = grid(Settings.from_preset(preset), lists, changes)
    names = list(named(algorithms, "--algorithms", measurable))
    headline.check_known(conditions, names, scenario, trains=False, counts=True)
    for cell in cells:  # of images of any size, and no head is trained
        no_head = cell.replace(head_batch_size=1)
        images = cell.n_train or MNIST_IMAGES
        with flags_named():
            no_head.check_data(cell.layer_sizes[0], images)
            check_rules(names, cell)
        check_memory(cell, names, images)
    # in a sweep a dtype without a price leaves energies empty; a single step must be priced
    profiles = choose_profiles(profile, cells[0].dtype if len(cells) == 1 else None)
    single = {"--fail-if": conditions, "--verbose": verbose, "--scenario": scenario != AS_IT_RUNS}
    single |= {"--steps": steps != STEPS}
    for flag in [flag for flag, given in single.items() if given and len(cells) > 1]:
        raise SettingsError(f"{flag} is for one combination; leave the lists or it out")
    if auto:
        with flags_named():
            cells = [
                with_best_order(cell, names, profiles[0].profile, cell.n_train or MNIST_IMAGES)
                for cell in cells
            ]
    check_force(outdir, force=force)
    directory = RunDirectory(outdir, "measure.json") if outdir is not None else None
    if directory is not None:
        directory.check(force=force)
    memory = met or MEMORIES[0]
    with flags_named():
        if len(cells) > 1:
            with directory.locked() if directory is not None else nullcontext():
                _sweep(cells, names, profiles, directory, asked, memory, force=force)
        else:
            _step(cells[0], names, steps, profiles, directory, asked, memory, force=force)


def _step(
    settings: Settings,
    names: list[str],
    steps: int,
    profiles: list[ChosenProfile],
    directory: RunDirectory | None,
    asked: Answering,
    met: str,
    *,
    force: bool,
) -> None:
    """One combination in every detail."""
    found = [measure_algorithm(name, settings, steps) for name in names]
    if not asked.quiet:
        seconds = analysis_seconds(found, settings)
        warn_if_long(f"Pricing a step of {settings.network}", seconds)
    hardware = [chosen.profile for chosen in profiles]
    work = measured_work(settings)
    reading = SCENARIOS[AS_IT_RUNS]
    screen_alone = asked.screen_alone and directory is None and met == reading[1]
    only = reading if screen_alone else None  # of its program, a screen has no more
    kinds = measured_kinds(names, work, further_analysis(met, hardware), only)
    prices = tabulate(kinds, hardware, whole_run=False, memory=met)
    ways = Scenarios(work, kinds, hardware[0], whole_run=False, prices=prices)
    book = step_tables.book(found, prices, hardware, settings, ways)
    if directory is not None:
        document = {
            "per": "training step",
            "accounting": ACCOUNTING,
            "memory": met,
            "settings": settings.to_dict(),
            "versions": versions(),
            "profiles": [chosen.record() for chosen in profiles],
            "signatures": {m.algorithm: m.signatures for m in found},
        }
        tables = {
            "traffic.csv": as_csv(book.run.traffic),
            "summary.csv": as_csv(step_tables.summary(book)),
            "scenarios.csv": as_csv(book.scenarios),
        }
        if not ways.parts.empty:
            tables["well-built.csv"] = as_csv(ways.parts)
        with directory.locked():
            directory.claim(force=force)
            directory.change(document, tables | files.priced(prices))
    where = None if directory is None else str(directory.path)
    rest = "--outdir for CSV files" if where is None else f"the CSV files in {where}"
    after = [f"All tables  --verbose, or {rest}"]
    asked.tell(book, step_tables.about(settings), after, where, step_tables.everything)


def _sweep(
    cells: list[Settings],
    names: list[str],
    profiles: list[ChosenProfile],
    directory: RunDirectory | None,
    asked: Answering,
    met: str,
    *,
    force: bool,
) -> None:
    """Many combinations in one table."""
    if directory is not None:
        directory.claim(force=force)
    bar = progress("measure", quiet=asked.quiet)
    table = pd.DataFrame()
    stopped = False

    def keep(status: str, pictures: Mapping[str, bytes]) -> None:
        """Write what there is, whole or not at all."""
        if directory is None:
            return
        document = {
            "per": "training step",
            "status": status,
            "memory": met,
            "settings": [settings.to_dict() for settings in cells[: count()]],
            "versions": versions(),
            "profiles": [chosen.record() for chosen in profiles],
        }
        directory.change(document, {"sweep.csv": as_csv(table), **pictures})

    def count() -> int:
        return len(table) // (len(names) * len(ACCOUNTINGS))

    def done(so_far: pd.DataFrame) -> None:
        nonlocal table
        table = so_far
        keep("running", {})
        if bar is not None:
            bar.advance(1)

    if bar is not None:
        bar.start("sweep", len(cells), "combination")
    try:
        hardware = [chosen.profile for chosen in profiles]
        sweep(cells, names, hardware, done, memory=met)
    except KeyboardInterrupt:
        stopped = True
    finally:
        if bar is not None:
            bar.close()
    priced = count()
    if directory is not None and priced:
        from ffenergy.report.pictures import step_grid  # matplotlib takes a second to import

        drawn = {f"sweep.{kind}": content for kind, content in step_grid.render(table).items()}
        keep("interrupted" if stopped else "complete", drawn)
    if priced and asked.as_json:
        print_json({"format": FORMAT, "base": TRAINING_STEP, "rows": table.to_dict("records")})
    elif priced and not asked.quiet:
        click.echo(text.table(grids.of_steps(table, met)))
        for note in sorted(set(table["note"]) - {""}):
            click.echo(f"Figures left empty: {note}")
    if stopped:
        where = f" (in {directory.path})" if directory is not None and priced else ""
        raise RunInterruptedError(
            f"interrupted; kept: {priced} of {len(cells)} combinations{where}"
        )
