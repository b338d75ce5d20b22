"""Count the committed reports again, since flops are defined and steps are cut up another way.

    python scripts/recount_reports.py                  # every run and every sweep in reports/
    python scripts/recount_reports.py reports/seed     # this one

Nothing is trained: the rules rehearse their steps. A report's steps must be as many as before, and
move the same bytes at every place; then its digests, calls and flops become those of the rehearsal,
in the measurement and in what adds up in `history.csv`. Everything else of a run is built by
`ffenergy report FOLDER` afterwards, energies of sweeps by `scripts/price_reports.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ffenergy.costs.rehearsal import Rehearsed, Workload, rehearse
from ffenergy.costs.step_kinds import What
from ffenergy.files.atomic import write_text
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.results import signature_row
from ffenergy.settings import Settings
from ffenergy.sweeps import tables, targets

REPORTS = Path(__file__).parents[1] / "reports"
PLACE = ["layer", "phase", "role"]
BYTES = ["bytes_read", "bytes_written"]
FLOPS = ["flops", "flops_special"]
CHANGED = "copyto"
"""The operation that had no flops when the reports were made, and has some where it has a mask."""


@dataclass(frozen=True)
class Counted:
    """What a rule makes of a workload: its kinds of steps, and the traffic of all of them.

    ``more`` has the flops per kind, of all its steps, that were not counted before.
    """

    kinds: tuple[Rehearsed, ...]
    traffic: pd.DataFrame
    more: tuple[int, ...]

    @property
    def signatures(self) -> list[dict[str, Any]]:
        """The kinds as `run.json` has them."""
        return [signature_row(one.signature, one.steps) for one in self.kinds]


@cache
def counted(algorithm: str, work: Workload) -> Counted:
    """Let a rule rehearse."""
    rehearsal = rehearse(algorithm, work)
    traffic = rehearsal.counts((one, one.steps) for one in rehearsal.kinds)
    entries = rehearsal.trace.ledger.entries
    more = []
    for one in rehearsal.kinds:
        taken = (entries[number].operation for number in one.signature.program)
        more.append(one.steps * sum(each.work.flops for each in taken if each.name == CHANGED))
    return Counted(rehearsal.kinds, traffic, tuple(more))


def check_steps(before: Sequence[Mapping[str, Any]], now: Counted) -> None:
    """Hold the steps that are rehearsed against those that were taken.

    Raises:
        ValueError: other steps, or another number of them; other bytes or flops.
    """
    left = Counter(_step(signature) for signature in before)
    for one, signature, more in zip(now.kinds, now.signatures, now.more, strict=True):
        for flops in {signature["flops"] - more // one.steps, signature["flops"]}:
            step = _step({**signature, "flops": flops})
            if left[step]:
                left[step] -= 1
                break
        else:
            raise ValueError(f"no such step {signature['name']} was taken; train it again")
    if left.total():
        raise ValueError(f"{left.most_common(1)[0][0][0]} steps were taken that there are not now")


def _step(signature: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(signature[name] for name in ("name", "steps", *BYTES, "flops"))


def more_flops(now: Counted, history: pd.DataFrame) -> list[int]:
    """Return how many flops more have been done by each epoch of a complete training."""
    lengths = history.groupby("stage", sort=False)["epoch"].max()
    stages = list(lengths.index)
    found = []
    for stage, epoch in zip(history["stage"], history["epoch"], strict=True):
        total = 0
        for one, flops in zip(now.kinds, now.more, strict=True):
            at = stages.index(one.kind.stage) if one.kind.stage in stages else len(stages)
            if at == stages.index(stage) and one.kind.what is What.TRAIN:
                total += flops * epoch // int(lengths[stage])
            elif at <= stages.index(stage):
                total += flops
        found.append(total)
    return found


def recount_run(folder: Path) -> None:
    """Count a run again."""
    directory = RunDirectory(folder)
    with directory.locked_run():
        run = directory.read()
        data = run.configuration["data"]
        work = Workload(run.settings, data["train_images"], data["test_images"])
        results, traffic = dict(run.results), []
        history = run.history.copy()
        for name, row in run.results.items():
            old = run.traffic[run.traffic["algorithm"] == name]
            if not row.get("traced", True):
                continue
            now = counted(name, work)
            pd.testing.assert_frame_equal(_bytes(old), _bytes(now.traffic), obj=name)
            own = history["algorithm"] == name
            check_steps(row["signatures"], now)
            if now.traffic["flops"].sum() != old["flops"].sum():
                history.loc[own, "cumulative_flops"] += more_flops(now, history[own])
            results[name] = {**row, "signatures": now.signatures}
            traffic.append(now.traffic.assign(algorithm=name)[run.traffic.columns])
        if traffic:
            counts = pd.concat(traffic, ignore_index=True)
            directory.write(replace(run, results=results, traffic=counts, history=history))


def _bytes(traffic: pd.DataFrame) -> pd.DataFrame:
    table = traffic.groupby(PLACE)[BYTES].sum()
    return table[table.any(axis=1)].astype(object).map(int)


def recount_sweep(folder: Path) -> None:
    """Count a sweep again: its flops, as its bytes have to be what they were."""
    document = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    cells = pd.read_csv(folder / "cells.csv", dtype={"cell": str, "message": str})
    history = pd.read_csv(folder / "history.csv", dtype={"cell": str})
    if cells["bytes_read"].isna().all():
        return  # nothing was traced
    labels = {label["name"]: label for label in document["data"]}
    for number, row in cells.iterrows():
        if row["status"] != "complete" or pd.isna(row["bytes_read"]):
            continue
        settings = Settings.from_saved(document["cells"][row["cell"]])
        data = labels[row["dataset"]]
        work = Workload(settings, settings.n_train or data["train_images"], data["test_images"])
        now = counted(row["algorithm"], work)
        sums = now.traffic[[*BYTES, *FLOPS]].sum()
        if any(int(row[name]) != sums[name] for name in BYTES):
            raise ValueError(f"cell {row['cell']} moves other bytes now; train it again")
        own = history["cell"] == row["cell"]
        change = int(sums["flops"]) - int(row["flops"])
        if change and change != sum(now.more):
            raise ValueError(f"cell {row['cell']} has other flops now; train it again")
        if change:
            history.loc[own, "cumulative_flops"] += more_flops(now, history[own])
        for name in FLOPS:
            cells.loc[number, name] = int(sums[name])
    swept = document["swept"]
    summary = tables.summary_table(cells, swept)
    written = {"cells": cells, "summary": summary, "history": history}
    energy = targets.energy_column(cells)
    if (folder / "targets.csv").exists():
        written["targets"] = targets.targets_table(summary, swept, energy)
    for name, table in written.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    """Count the committed reports again."""
    for folder in folders or sorted(path for path in REPORTS.iterdir() if path.is_dir()):
        try:
            if (folder / "run.json").exists():
                recount_run(folder)
            elif (folder / "cells.csv").exists():
                recount_sweep(folder)
            else:
                continue
        except (AssertionError, ValueError) as error:
            raise click.ClickException(f"{folder.name}: {error}") from error
        click.echo(f"{folder.name}: counted")


if __name__ == "__main__":
    main()
