"""`ffenergy transfer`: what the hidden layers of saved runs are worth to another task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import pandas as pd

from ffenergy.cli.flags import NamedFolder, data_flags
from ffenergy.cli.help import Grouped
from ffenergy.cli.progress import progress, warn
from ffenergy.cli.provenance import versions
from ffenergy.cli.resuming import check_finished
from ffenergy.cli.rule_flags import rule_flags
from ffenergy.data import Dataset, held_out, load
from ffenergy.errors import OutputError, RunInterruptedError, SettingsError, TrainingError
from ffenergy.files.contents import as_csv
from ffenergy.report import grids, text
from ffenergy.report.numbers import number_of
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.occupied import ELSEWHERE
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.style import ALGORITHM_NAMES, in_order, short_name
from ffenergy.training.session import NotFiniteError
from ffenergy.training.transfer import Task, train_head

FILES: Final = (
    "transfer.csv",
    "summary.csv",
    "transfer.json",
    "transfer.png",
    "transfer.svg",
)
REMEDY: Final = f"{ELSEWHERE}, or pass --force to replace a transfer"


@dataclass(frozen=True)
class Source:
    """A saved run whose layers are looked at."""

    path: Path
    run: Run
    settings: Settings

    @property
    def trained_on(self) -> str:
        """Name of the data set that trained the layers."""
        return str(self.run.configuration["data"]["name"])

    def weights(self, algorithm: str) -> dict[str, np.ndarray]:
        """The hidden layers of one algorithm, ``layer1/W`` and so on."""
        head = f"{algorithm}/layer"
        found = {k: w for k, w in self.run.weights.items() if k.startswith(head)}
        return {k.removeprefix(f"{algorithm}/"): w for k, w in found.items()}


@click.command(cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=NamedFolder(), metavar="RUN...")
@rule_flags
@click.option(
    "--to",
    "tasks",
    multiple=True,
    metavar="TASK",
    help="What the head learns: mnist, fashion-mnist, or some classes of one, such as mnist:5-9 or "
    "mnist:0,2,4; repeat it for more [default: the run's own data, and its classes 5-9].",
)
@click.option(
    "--outdir",
    type=NamedFolder(),
    default=Path("runs/transfer"),
    show_default=True,
    help="Where to write.",
)
@click.option("--force", is_flag=True, help="Replace the results that are in --outdir.")
@data_flags
@click.option("--quiet", "-q", is_flag=True, help="Write the files, print nothing.")
@click.pass_context
def transfer(
    ctx: click.Context,
    runs: tuple[Path, ...],
    *,
    tasks: tuple[str, ...],
    outdir: Path,
    force: bool,
    data_dir: Path | None,
    offline: bool,
    quiet: bool,
) -> None:
    r"""Train a fresh softmax head on the hidden layers of saved RUNs, on tasks of their own.

    How far do features reach that each layer learned for itself, against those that backprop fitted
    to the labels, or nobody trained? The layers stay as they are, of every algorithm in every RUN;
    a head is trained on their activities with the settings of the run's head, for every task.
    Runs may differ in their seed alone: they become mean and spread. Nothing is traced.

    \b
    Written to --outdir:
      transfer.csv   a row per run, algorithm and task: errors in %
      summary.csv    mean, standard deviation and number over the seeds
      transfer.png   test error per task and algorithm (and transfer.svg)
      transfer.json  command, versions, data, settings of the runs

    \b
    Examples:
      ffenergy transfer runs/compare-quick
      ffenergy transfer runs/compare-quick --to mnist --to mnist:5-9 --to fashion-mnist
    """
    sources = [_read(path) for path in runs]
    _same_but_seeds(sources)
    own = sources[0].settings.dataset
    asked = list(map(Task.parse, tasks or (own, f"{own}:5-9")))
    for task in asked:
        if asked.count(task) > 1:
            raise SettingsError(f"--to has {task.name} twice; name each task once")
    directory = RunDirectory(outdir, "transfer.json")
    directory.check(force=force, remedy=REMEDY)
    data = {task.dataset: _data(task, sources[0], data_dir, offline, quiet) for task in asked}
    for task in asked:
        task.check(data[task.dataset], sources[0].settings)  # all runs have these, but for seeds
    rows: list[dict[str, Any]] = []
    with directory.locked():
        directory.claim(force=force, remedy=REMEDY)
        document = _document(ctx, sources, data)
        try:
            for source in sources:
                for algorithm in in_order(source.run.algorithms, ALGORITHM_NAMES):
                    for task in asked:
                        row = _row(source, algorithm, task, data[task.dataset], quiet=quiet)
                        rows.append(row)
                        directory.change(document, {"transfer.csv": as_csv(pd.DataFrame(rows))})
        except KeyboardInterrupt:
            raise RunInterruptedError(
                f"interrupted; kept: {number_of(len(rows), 'head')} (in {outdir / 'transfer.csv'})"
            ) from None
        summary = _summary(pd.DataFrame(rows))
        directory.change(document, {"summary.csv": as_csv(summary), **_pictures(summary)})
    if not quiet:
        click.echo("\n" + text.table(grids.of_transfer(summary)))
        click.echo(f"\nWritten to {outdir}: {', '.join(FILES)}.")


def _read(path: Path) -> Source:
    run = RunDirectory(path).read(warn)
    check_finished(path, run)
    source = Source(path, run, run.settings)
    for algorithm in run.algorithms:
        if not source.weights(algorithm):
            raise OutputError(
                f"{path} has no weights of {algorithm} (weights.npz); train it again to keep them"
            )
    return source


def _same_but_seeds(sources: Sequence[Source]) -> None:
    """Raise SettingsError unless the runs are seeds of one run."""
    first = sources[0]
    seeds: dict[int, Path] = {}
    for source in sources:
        ours, theirs = first.settings.to_dict(), source.settings.to_dict()
        unlike = [name for name in ours if ours[name] != theirs[name] and name != "seed"]
        if source.run.algorithms != first.run.algorithms:
            unlike.append("algorithms")
        if source.trained_on != first.trained_on:
            unlike.append("data")
        if unlike:
            raise SettingsError(
                f"{source.path} differs from {first.path} in {', '.join(unlike)}; runs may differ "
                "in their seed alone"
            )
        if source.settings.seed in seeds:
            raise SettingsError(
                f"{source.path} has the seed of {seeds[source.settings.seed]}, "
                f"{source.settings.seed}; give every seed once"
            )
        seeds[source.settings.seed] = source.path


def _data(task: Task, source: Source, data_dir: Path | None, offline: bool, quiet: bool) -> Dataset:
    data = load(data_dir, offline=offline, progress=not quiet, name=task.dataset)
    return held_out(data, source.settings.n_validation)


def _row(
    source: Source, algorithm: str, task: Task, data: Dataset, *, quiet: bool
) -> dict[str, Any]:
    bar = progress(f"{short_name(algorithm)} → {task.name}", quiet=quiet)
    weights = source.weights(algorithm)
    try:
        result = train_head(algorithm, source.settings, weights, task, data, bar)
    except NotFiniteError as error:
        raise TrainingError(f"{source.path}, task {task.name}: {error}") from None
    finally:
        if bar is not None:
            bar.close()
    return {
        "algorithm": algorithm,
        "trained_on": source.trained_on,
        "task": task.name,
        "seed": source.settings.seed,
        "is_sample": data.is_sample or source.run.configuration["data"]["is_sample"],
        "error_on": "validation" if data.n_validation else "test",
        "test_error": result.test_error,
        "train_error": result.train_error,
        "head_epochs": source.settings.softmax_epochs,
        "wall_seconds": result.wall_seconds,
    }


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    keys = ["task", "algorithm", "trained_on", "is_sample", "error_on", "head_epochs"]
    grouped = rows.groupby(keys, sort=False)
    return grouped.agg(
        n=("seed", "size"),
        test_error_mean=("test_error", "mean"),
        test_error_std=("test_error", "std"),
        train_error_mean=("train_error", "mean"),
        train_error_std=("train_error", "std"),
    ).reset_index()


def _pictures(summary: pd.DataFrame) -> dict[str, bytes]:
    from ffenergy.report.pictures import (
        task_errors as transfer_figure,  # matplotlib takes a second to import
    )

    return {f"transfer.{kind}": drawn for kind, drawn in transfer_figure.render(summary).items()}


def _document(
    ctx: click.Context, sources: Sequence[Source], data: dict[str, Dataset]
) -> dict[str, Any]:
    return {
        "command": ctx.meta.get("ffenergy.command", ctx.command_path),
        "data": [
            {"name": d.name, "source": d.source, "is_sample": d.is_sample} for d in data.values()
        ],
        "runs": [
            {
                "path": str(source.path),
                "command": source.run.configuration["command"],
                "preset": source.run.configuration["preset"],
                "settings": source.settings.to_dict(),
            }
            for source in sources
        ],
        "versions": versions(),
    }
