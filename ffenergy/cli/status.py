"""`ffenergy status`: how far a run or a sweep is, while it trains or after it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import pandas as pd

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import NamedFolder
from ffenergy.cli.progress import warn
from ffenergy.report.as_json import FORMAT
from ffenergy.report.numbers import error_percent, number_of
from ffenergy.runs import progress_file as left
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.occupied import SWEEP_FILE
from ffenergy.runs.run import Run
from ffenergy.style import ALGORITHM_NAMES
from ffenergy.sweeps import standing
from ffenergy.sweeps.standing import UNDONE, Standing, standings
from ffenergy.sweeps.tables import settings_label

ENDED: Final = ("failed", "interrupted")
"""What a run may be that did not come to its end, for a reason."""


@click.command()
@click.argument("run", type=NamedFolder())
@json_flag
def status(run: Path, *, as_json: bool) -> None:
    r"""Show how far the run in RUN is: epoch, losses, separation, time left, bytes so far.

    Reads what the run leaves behind after every epoch; it may be training meanwhile. Of a sweep it
    shows how far every cell is.

    \b
    Examples:
      ffenergy status runs/compare-quick
      ffenergy status runs/sweep-n-blur
    """
    sweep = RunDirectory(run, SWEEP_FILE)
    if sweep.holds_run():
        _tell_sweep(sweep, as_json=as_json)
        return
    directory = RunDirectory(run)
    found = directory.read(warn)
    progress = left.found(run)
    if as_json:
        print_json(document(found, progress, is_training=directory.folder.is_locked))
        return
    for line in told(found, progress, is_training=directory.folder.is_locked):
        click.echo(line)


def _tell_sweep(directory: RunDirectory, *, as_json: bool) -> None:
    found, cells = standings(directory)
    is_training = directory.folder.is_locked
    if as_json:
        told = {name: standing.as_json(cell) for name, cell in cells.items()}
        about = {"format": FORMAT, "command": found["command"], "is_training": is_training}
        print_json({**about, "cells": told})
        return
    for line in told_of_sweep(found, cells, is_training=is_training):
        click.echo(line)


def told_of_sweep(
    sweep: Mapping[str, Any], cells: Mapping[str, Standing], *, is_training: bool
) -> list[str]:
    """Return the lines that say how far a sweep is: the whole, then every cell."""
    done = sum(cell.status not in UNDONE for cell in cells.values())
    state = "complete"
    if done < len(cells):
        state = "running" if is_training else "stopped; the same command goes on"
    lines = [f"{sweep['command']}: {done} of {number_of(len(cells), 'cell')} done, {state}"]
    chosen = [cell.settings.to_dict() for cell in cells.values()]
    varied = [
        name for name in sweep["swept"] if any(one[name] != chosen[0][name] for one in chosen)
    ]
    for cell in cells.values():
        who = "a rule that is not here" if cell.algorithm is None else _named(cell.algorithm)
        lines.append(f"  {who}, {settings_label(cell.settings, varied)}: {_of_cell(cell)}")
    return lines


def _of_cell(cell: Standing) -> str:
    if cell.status == "complete":
        images = "validation" if cell.settings.n_validation else "test"
        return f"{images} error {error_percent(cell.test_error)}, {cell.wall_seconds:,.0f} s"
    if cell.last_epoch is not None:
        epoch, stage = cell.last_epoch["epoch"], cell.last_epoch["stage"]
        return f"{cell.status}, {number_of(epoch, 'epoch')} of stage {stage} saved"
    return f"{cell.status}: {cell.message}" if cell.message else cell.status


def document(run: Run, progress: dict[str, Any] | None, *, is_training: bool) -> dict[str, Any]:
    """Return what ``--json`` prints; ``unfinished`` is the algorithm that is being trained."""
    unfinished = None
    if progress and progress["algorithm"] not in run.results:
        planned, history = progress["planned"], progress["history"]
        last = history[-1] if history else None
        unfinished = {"algorithm": progress["algorithm"], "planned": planned, "last_epoch": last}
    names = ("test_error", "train_error", "wall_seconds")
    return {
        "format": FORMAT,
        "command": run.configuration["command"],
        "status": run.configuration["status"],
        "is_training": is_training,
        "finished": {n: {k: row[k] for k in names} for n, row in run.results.items()},
        "unfinished": unfinished,
    }


def told(run: Run, progress: dict[str, Any] | None, *, is_training: bool) -> list[str]:
    """Return the lines that say how far a run is.

    ``progress`` is what ``progress.json`` holds; what it says of a finished algorithm is past.
    """
    state = run.configuration["status"]
    remedy = "go on with --resume" if run.can_resume else "begin again with --force"
    if state == "running" and not is_training:
        state = f"stopped; {remedy}"
    elif state in ENDED:
        reason = run.configuration.get("reason")
        state += f": {reason}" if reason else ""
        if run.configuration["status"] == "interrupted":
            state += f"; {remedy}"
    lines = [f"{run.configuration['command']}: {state}"]
    lines += [
        f"  {_named(name)}: done, {run.error_on} error {error_percent(row['test_error'])}, "
        f"{row['wall_seconds']:,.0f} s"
        for name, row in run.results.items()
    ]
    if progress and progress["algorithm"] not in run.results:
        lines += _unfinished(progress, run.error_on, is_training=is_training)
    return lines


def _unfinished(progress: dict[str, Any], error_on: str, *, is_training: bool) -> list[str]:
    history = pd.DataFrame(progress["history"])
    if history.empty:
        return [f"  {_named(progress['algorithm'])}: no epoch is done yet"]
    now = history.iloc[-1]
    planned = {plan["stage"]: int(plan["epochs"]) for plan in progress["planned"]}
    stage, epoch = str(now["stage"]), int(now["epoch"])
    values = now.dropna()
    losses = _per_layer(values, "loss", "{:.4f}")  # the mean comes first
    if len(losses) == 2:
        losses = losses[:1]  # of the only layer it is the loss
    parts = [f"epoch {epoch} of {planned[stage]}", f"loss {' / '.join(losses) or 'not known'}"]
    separation = _per_layer(values, "separation_layer", "{:.1f}")
    if separation:
        parts.append(f"separation {' / '.join(separation)} %")
    if "test_error" in values:
        parts.append(f"{error_on} error {values['test_error']:.2f} %")
    counted = [f"cumulative_bytes_{way}" for way in ("read", "written")]
    if set(counted) <= set(values.index):
        read, written = (int(values[name]) for name in counted)
        parts.append(f"{read / 1e9:,.1f} GB read and {written / 1e9:,.1f} GB written so far")
    if is_training:
        parts.append(_time_left(history, planned, stage, epoch))
    return [f"  {_named(progress['algorithm'])}, stage {stage}: {', '.join(parts)}"]


def _per_layer(values: pd.Series[Any], prefix: str, form: str) -> list[str]:
    return [form.format(value) for name, value in values.items() if str(name).startswith(prefix)]


def _time_left(history: pd.DataFrame, planned: dict[str, int], stage: str, epoch: int) -> str:
    """Estimate the time to the end of the stage from its last epochs."""
    own = history.loc[history["stage"] == stage, "wall_seconds"].diff().dropna().tail(left.RECENT)
    after = list(planned)[list(planned).index(stage) + 1 :]
    later = f", then {', '.join(after)}" if after else ""
    if own.empty:
        return f"time left not known yet{later}"
    return f"about {own.mean() * (planned[stage] - epoch):,.0f} s left{later}"


def _named(algorithm: str) -> str:
    return ALGORITHM_NAMES.get(algorithm, algorithm)
