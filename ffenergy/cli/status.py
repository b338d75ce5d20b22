"""`ffenergy status`: how far a run is, while it trains or after it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import pandas as pd

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import NamedFolder
from ffenergy.cli.progress import warn
from ffenergy.report.as_json import FORMAT
from ffenergy.report.numbers import error_percent
from ffenergy.runs import progress_file as left
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.style import ALGORITHM_NAMES

ENDED: Final = ("failed", "interrupted")
"""What a run may be that did not come to its end, for a reason."""


@click.command()
@click.argument("run", type=NamedFolder())
@json_flag
def status(run: Path, *, as_json: bool) -> None:
    r"""Show how far the run in RUN is: epoch, losses, separation, time left, bytes so far.

    Reads what the run leaves behind after every epoch; it may be training meanwhile.

    \b
    Example:
      ffenergy status runs/compare-quick
    """
    directory = RunDirectory(run)
    found = directory.read(warn)
    progress = left.found(run)
    if as_json:
        print_json(document(found, progress, is_training=directory.folder.is_locked))
        return
    for line in told(found, progress, is_training=directory.folder.is_locked):
        click.echo(line)


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
    if state == "running" and not is_training:
        remedy = "go on with --resume" if run.can_resume else "begin again with --force"
        state = f"stopped; {remedy}"
    reason = run.configuration.get("reason") if state in ENDED else ""
    lines = [f"{run.configuration['command']}: {state}{f': {reason}' if reason else ''}"]
    lines += [
        f"  {_named(name)}: done, test error {error_percent(row['test_error'])}, "
        f"{row['wall_seconds']:,.0f} s"
        for name, row in run.results.items()
    ]
    if progress and progress["algorithm"] not in run.results:
        lines += _unfinished(progress, is_training=is_training)
    return lines


def _unfinished(progress: dict[str, Any], *, is_training: bool) -> list[str]:
    history = pd.DataFrame(progress["history"])
    if history.empty:
        return [f"  {_named(progress['algorithm'])}: no epoch is done yet"]
    now = history.iloc[-1]
    planned = {plan["stage"]: int(plan["epochs"]) for plan in progress["planned"]}
    stage, epoch = str(now["stage"]), int(now["epoch"])
    values = now.dropna()
    losses = _per_layer(values, "loss", "{:.4f}")  # the mean comes first
    parts = [f"epoch {epoch} of {planned[stage]}", f"loss {' / '.join(losses) or 'not known'}"]
    separation = _per_layer(values, "separation_layer", "{:.1f}")
    if separation:
        parts.append(f"separation {' / '.join(separation)} %")
    if "test_error" in values:
        parts.append(f"test error {values['test_error']:.2f} %")
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
