"""`ffenergy sweep`: grids of settings and seeds from a TOML file, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ffenergy.cli.flags import NamedFolder, data_flags, fitting_profiles, memory_flag
from ffenergy.cli.help import Grouped
from ffenergy.cli.progress import progress
from ffenergy.cli.provenance import versions
from ffenergy.cli.rule_flags import rule_flags
from ffenergy.costs.fitting import with_best_order
from ffenergy.energy import ChosenProfile, choose_profiles, restore_profiles
from ffenergy.errors import RunInterruptedError, SettingsError
from ffenergy.files.contents import as_csv
from ffenergy.report import grids, text
from ffenergy.report.numbers import number_of
from ffenergy.rules.registry import check_rules, find
from ffenergy.runs.directory import RunDirectory, RunDirectoryError
from ffenergy.runs.occupied import ELSEWHERE, SWEEP_FILE
from ffenergy.sweeps import paired, pool, specification, tables, targets, two_by_two
from ffenergy.sweeps.cells import Cell, CellFolder, DataLabel, DataPlace, Outcome
from ffenergy.sweeps.specification import Specification, SpecificationError
from ffenergy.sweeps.tables import counted
from ffenergy.trained import examples


@click.command(cls=Grouped)
@click.argument("spec", type=click.Path(path_type=Path))
@rule_flags
@click.option(
    "--outdir",
    type=NamedFolder(),
    help="Where cells and tables are written; a sweep that is there already goes on. By default "
    "runs/sweep-NAME, after the file's name.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Processes at once; by default one per core. The cores that are left over become BLAS "
    "threads, so that 1 gives all of them to one cell after the other.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Train on the workers of a Dask cluster, such as tcp://10.0.0.1:8786, one BLAS thread "
    "each; needs ffenergy[cluster].",
)
@click.option(
    "--profile",
    metavar="NAME|FILE",
    shell_complete=fitting_profiles,
    help="Price every traced cell under this hardware profile (see `ffenergy profiles`), by "
    "default under that of the sweep that is there; "
    'in_flight = "auto" chooses orders for its memory on the chip.',
)
@data_flags
@memory_flag
@click.option("--quiet", "-q", is_flag=True, help="No progress and no tables, only errors.")
@click.pass_context
def sweep(
    ctx: click.Context,
    spec: Path,
    *,
    outdir: Path | None,
    workers: int | None,
    scheduler: str | None,
    profile: str | None,
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
) -> None:
    r"""Train every combination of settings and seeds that the TOML file SPEC lists.

    \b
        preset = "best"
        algorithms = ["ff", "bp"]
        seeds = [0, 1, 2]
        [fixed]
        n_epochs = 8
        [grid]
        n_blur = [4, 6, 8]
        lr = [1e-4, 3e-4]

    Each cell is saved as soon as it is done, so the same command goes on where a sweep was
    stopped, and inside a long cell at its last checkpoint. A training that diverges is recorded
    and the sweep goes on. A worker that dies costs its cells their time, no more. All about the
    file, and the sweeps that come with the project: docs/sweeps.md.

    \b
    Written to --outdir:
      cells.csv     a row per cell: what is swept, seed, errors in %, bytes, flops, status
      summary.csv   mean, standard deviation and number over the seeds
      history.csv   losses, errors and cumulative bytes of every cell and epoch
      features.csv  what every hidden layer learned: activity, likeness of fields, separation
      sweep.png     error over what is swept, with error bars (and sweep.svg)
      paired.csv    pairs of trainings on the same images: difference, interval, McNemar's p
      two-by-two.csv with --profile, errors and costs by learning rule and supervision
      targets.csv   with --profile, the cheapest training to 5, 3, 2, 1.7, 1.5 % error
      costs.png     with --profile, error over energy and bytes (and costs.svg)
      masks.png     where n_blur is swept, what masks and hybrids look like (and masks.svg)
      sweep.json    the file, the command, versions, data
      cells/        a folder per cell

    \b
    Examples:
      ffenergy sweep sweeps/n-blur.toml
      ffenergy sweep mine.toml --workers 8 --profile jouppi-7nm-hbm2
      ffenergy sweep mine.toml --scheduler tcp://10.0.0.1:8786
    """
    if workers is not None and scheduler is not None:
        raise SettingsError("--workers are processes here; leave it or --scheduler out")
    who = pool.Workers.choose(workers, scheduler)
    asked = specification.read(spec)
    directory = RunDirectory(outdir or Path("runs") / f"sweep-{spec.stem}", SWEEP_FILE)
    chosen = choose_profiles([profile]) if profile is not None else _priced_before(directory)
    place = DataPlace(data_dir.resolve() if data_dir else None, offline)
    try:
        cells = _cells(asked, place, (chosen or choose_profiles())[0], progress=not quiet)
    except SettingsError as error:
        raise SpecificationError(f"{spec}: {error.message}") from None
    folder = CellFolder(directory.path / "cells")
    goes_on = directory.holds_run() or folder.path.is_dir()
    if not goes_on:
        directory.check(remedy=ELSEWHERE)
    document = _document(ctx, spec, asked, cells, chosen)
    with directory.locked():
        if not goes_on:
            directory.claim(remedy=ELSEWHERE)
        _check_more(directory, folder, cells, spec)
        finished = _open(folder, cells)
        directory.change(document, {"sweep.toml": spec.read_bytes()})
        if not quiet:
            known = f", {len(finished)} of them done before" if finished else ""
            told = f"workers of {scheduler}" if scheduler else number_of(who.count, "worker")
            threads = number_of(who.threads, "BLAS thread")
            click.echo(
                f"{number_of(len(cells), 'cell')}{known}; {told}, {threads} a worker. "
                f"Writing to {directory.path}.",
                err=True,
            )
        found = finished | _train(cells, finished, place, directory, who, quiet=quiet)
        ordered = [(cell, found[cell.name]) for cell in cells]
        files, summary = _results(asked, ordered, chosen, place, quiet=quiet)
        directory.change(document, files)
    if not quiet:
        click.echo("\n" + text.table(grids.of_trainings(summary, asked.swept)))
        for cell, outcome in ordered:
            if outcome.status != "complete":
                label = tables.settings_label(cell.settings, asked.swept)
                told = f"{cell.algorithm}, {label}: {outcome.status}: {outcome.message}"
                click.echo(text.wrapped(told))
        click.echo(f"\nWritten to {directory.path}: cells.csv, summary.csv, sweep.png and more.")


def _priced_before(directory: RunDirectory) -> list[ChosenProfile]:
    """The profile of the sweep that is there: going on must not lose its energies."""
    if not directory.holds_run():
        return []
    return restore_profiles(directory.read_document().get("profiles", ()))


def _cells(
    asked: Specification, place: DataPlace, chip: ChosenProfile, *, progress: bool
) -> list[Cell]:
    """Put the trainings to the data they ask for, in the orders that are best for the chip.

    Raises SettingsError if they do not fit.
    """
    labels: dict[str, DataLabel] = {}
    cells: dict[Cell, None] = {}  # an order that is chosen may be that of another cell
    for algorithm, settings, auto in asked.trainings:
        data = place.load(settings, progress=progress)
        used = settings.check_data(data.train_images[0].size, len(data.train_images))
        check_rules([algorithm], settings)
        if auto and find(algorithm).local:
            settings = with_best_order(settings, [algorithm], chip.profile, used)
        settings.check_memory(used)
        label = labels.setdefault(data.name, DataLabel.of(data))
        cells[Cell(algorithm, settings, asked.traced, label)] = None
    return list(cells)


def _check_more(
    directory: RunDirectory, folder: CellFolder, cells: Sequence[Cell], spec: Path
) -> None:
    """Raise RunDirectoryError if finished cells of the sweep that is here are none of `cells`.

    The tables, which are made anew, would lose them.
    """
    if not directory.holds_run():
        return
    lost = folder.finished_beside(cells, directory.read_document().get("cells", ()))
    if lost:
        raise RunDirectoryError(
            f"{directory.path} holds another sweep: its tables would lose "
            f"{number_of(lost, 'finished cell')} that {spec} does not ask for on this data; "
            f"{ELSEWHERE}, or add to the file that made them"
        )


def _open(folder: CellFolder, cells: Sequence[Cell]) -> dict[str, Outcome]:
    """Return the cells that are finished, by name."""
    folder.path.mkdir(exist_ok=True)
    return {c.name: done for c in cells if (done := folder.finished(c)) is not None}


def _train(
    cells: Sequence[Cell],
    finished: dict[str, Outcome],
    place: DataPlace,
    directory: RunDirectory,
    workers: pool.Workers,
    *,
    quiet: bool,
) -> dict[str, Outcome]:
    """Train what is not finished; return its outcomes by name."""
    left = [cell for cell in cells if cell.name not in finished]
    found: dict[str, Outcome] = {}
    if not left:
        return found
    folder = CellFolder(directory.path / "cells")
    bar = progress("sweep", quiet=quiet)
    say = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    if bar is not None:
        bar.start("trains", len(left), "cell")
    try:
        for outcome in pool.run(cells, place, folder.path, workers, say, finished):
            found[outcome.cell] = outcome
            if bar is not None:
                bar.advance(1, error=outcome.scores["test_error"])
    except KeyboardInterrupt:
        kept = sum(folder.finished(cell) is not None for cell in cells)  # not only those in hand
        raise RunInterruptedError(
            f"interrupted; kept: {kept} of {number_of(len(cells), 'cell')} (in {directory.path}); "
            f"the same command goes on, and `{pool.shown_by(directory.path)}` shows them"
        ) from None
    finally:
        if bar is not None:
            bar.close()
    return found


def _results(
    asked: Specification,
    found: Sequence[tuple[Cell, Outcome]],
    profiles: Sequence[ChosenProfile],
    place: DataPlace,
    *,
    quiet: bool,
) -> tuple[dict[str, bytes], pd.DataFrame]:
    """Return tables and pictures as files, and the summary."""
    # matplotlib takes a second to import
    from ffenergy.report.pictures import learning, sweep_costs, sweep_errors

    say = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
    energies = tables.CellEnergies(profiles[0].profile, say) if profiles else None
    if energies:
        found = [(cell, counted(cell, outcome)) for cell, outcome in found]
    cells = tables.cells_table(found, asked.swept, energies)
    summary = tables.summary_table(cells, asked.swept)
    history = tables.history_table(found, asked.swept)
    written = {"cells": cells, "summary": summary, "history": history}
    features = tables.features_table(found, asked.swept)
    if not features.empty:
        written["features"] = features
    pictures = {"sweep": sweep_errors.render(summary, asked.swept)}
    pairs = paired.paired_table(found, asked.swept)
    if not pairs.empty:
        written["paired"] = pairs
    energy = targets.energy_column(summary)
    if energies and energy is not None:
        if two_by_two.differs(cells):
            by_name = {cell.name: (cell, outcome) for cell, outcome in found}
            written["two-by-two"] = two_by_two.two_by_two(
                cells, asked.swept, energy, lambda name: energies.beside(*by_name[name])
            )
        written["targets"] = targets.targets_table(summary, asked.swept, energy, cells)
        pictures["costs"] = sweep_costs.render(summary, energy)
    if "n_blur" in asked.swept:
        blurs = sorted({cell.settings.n_blur for cell, _ in found})
        one = found[0][0].settings
        data = place.load(one)
        hybrids = {n: examples.hybrids(data, one.replace(n_blur=n)) for n in blurs}
        pictures["masks"] = learning.masks(hybrids)
    files = {}
    for name, table in written.items():
        files[f"{name}.csv"] = as_csv(table)
    for name, drawn in pictures.items():
        files |= {f"{name}.{kind}": content for kind, content in drawn.items()}
    return files, summary


def _document(
    ctx: click.Context,
    spec: Path,
    asked: Specification,
    cells: Sequence[Cell],
    profiles: Sequence[ChosenProfile],
) -> dict[str, Any]:
    data = {cell.data.name: vars(cell.data) for cell in cells}
    return {
        "command": ctx.meta.get("ffenergy.command", ctx.command_path),
        "specification": spec.name,
        "swept": list(asked.swept),
        "traced": asked.traced,
        "accounting": tables.ACCOUNTING,
        "preset": asked.preset,
        "data": list(data.values()),
        "cells": {cell.name: cell.settings.to_dict() for cell in cells},
        "versions": versions(),
        "profiles": [chosen.record() for chosen in profiles],
    }
