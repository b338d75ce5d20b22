"""Price the committed reports again, after a definition of costs has changed.

    python scripts/price_reports.py                  # every folder in reports/ that has joules
    python scripts/price_reports.py reports/best     # this one
    python scripts/price_reports.py --profile jouppi-7nm-hbm2 reports/fair    # one without joules

A folder of a single run gets what `ffenergy report FOLDER` writes, as far as it holds such a file
already, and the small tables of ALWAYS: large tables and pictures that are not committed do not
come back. Where a definition has changed its steps (the flops of an operation, the size of a
block), they are counted again: the rule rehearses them, and its counts take the place of the run's
if every layer and phase moves the same bytes. What was trained, errors and losses, is never
touched. The cells of a sweep are not kept: their rules rehearse the steps, and nothing is priced
whose bytes differ from those that the sweep counted. A sweep that was not traced counted none: it
has those of the rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ffenergy.costs.rehearsal import Rehearsed, Workload, rehearse
from ffenergy.energy import choose_profiles
from ffenergy.files.contents import as_csv
from ffenergy.files.documents import SEAL, parse_json, read_text
from ffenergy.files.folder import FILES, Folder
from ffenergy.report import files
from ffenergy.report.book import OF_SCENARIOS, Book, saved_profiles
from ffenergy.report.pictures import sweep_costs, sweep_errors
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.results import signature_row
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.sweeps import tables, targets, two_by_two
from ffenergy.sweeps.cells import COUNTS, Cell, DataLabel, Outcome
from ffenergy.sweeps.tables import counted

DOCUMENT = "sweep.json"
WRITTEN = (".csv", ".png", ".svg", ".toml")
"""Endings of what a sweep writes beside its document."""
REPORTS = Path(__file__).parents[1] / "reports"
ALWAYS = tuple(f"{name}.csv" for name in OF_SCENARIOS)
BYTES = ["bytes_read", "bytes_written"]
PLACE = ["layer", "phase"]


def say(line: str) -> None:
    """Print a line beside the output."""
    click.echo(line, err=True)


class Pricer:
    """Energies of cells under one profile; cells that cost the same are priced once."""

    def __init__(self, profile: str) -> None:
        (chosen,) = choose_profiles((profile,))
        self.energies = tables.CellEnergies(chosen.profile, say)


def reprice(folder: Path, profile: str | None = None) -> None:
    """Write a sweep's tables and pictures anew; without joules, its counts alone."""
    document = parse_json(read_text(folder / DOCUMENT))
    types = {"cell": str, "message": str}
    cells = pd.read_csv(folder / "cells.csv", dtype=types)
    cells = cells.astype(dict.fromkeys(COUNTS, "Int64"))
    energy = targets.energy_column(cells)
    priced = energy is not None or profile is not None
    pricer = Pricer(profile or str(cells["profile"].dropna().iloc[0])) if priced else None
    labels = [DataLabel(**label) for label in document["data"]]
    priced_cells: dict[str, tuple[Cell, Outcome]] = {}
    if pricer:
        cells = priced_in(cells, pricer.energies)
    for number, row in cells[cells["status"] == "complete"].iterrows():
        settings = Settings.from_saved(document["cells"][row["cell"]])
        data = next(one for one in labels if one.name == f"{row['dataset']}{split(row)}")
        cell = Cell(str(row["algorithm"]), settings, True, data)
        outcome = recounted(row, cell)
        found: dict[str, Any] = dict(outcome.counts)
        if pricer:
            found |= pricer.energies.of(cell, outcome)
            priced_cells[row["cell"]] = cell, outcome
            energy = next(name for name in found if name.startswith("energy_"))
        elif pd.isna(row["flops"]):
            continue  # it was not traced
        for name, value in found.items():
            cells.loc[number, name] = value
    energies = pricer.energies if pricer else None
    _write(
        folder,
        document["swept"],
        cells,
        energy,
        lambda name: energies.beside(*priced_cells[name]) if energies else {},
    )


def priced_in(cells: pd.DataFrame, energies: tables.CellEnergies) -> pd.DataFrame:
    """The cells with what their energies are of; columns that were not there go before energies."""
    place = [*cells.columns, "profile"].index("profile")
    for name, value in energies.priced_in.items():
        if name not in cells:
            cells.insert(place, name, value)
        cells[name] = value
    return cells


def split(row: pd.Series) -> str:
    """The end of a data set's name whose errors are on held-out training images."""
    return "-validation" if row["error_on"] == "validation" else ""


def recounted(row: pd.Series, cell: Cell) -> Outcome:
    """The outcome of a complete cell as its rule counts now; fails if it moved other bytes."""
    bare = Outcome(
        cell=cell.name, algorithm=cell.algorithm, traced=True, data=vars(cell.data),
        settings=cell.settings.to_dict(), status="complete", message="", threads=1, scores={},
        counts={}, signatures=[], history=[], features=[],
    )  # fmt: skip
    outcome = counted(cell, bare)
    for count, found in outcome.counts.items():
        if count.startswith("bytes") and pd.notna(row[count]) and found != row[count]:
            raise click.ClickException(
                f"cell {row['cell']} counted {row[count]:,} {count}, its rule now makes "
                f"{found:,}; train the sweep again"
            )
    return outcome


def _write(
    folder: Path,
    swept: list[str],
    cells: pd.DataFrame,
    energy: str | None,
    beside: Callable[[str], dict[str, Any]],
) -> None:
    summary = tables.summary_table(cells, swept)
    written = {"cells": cells, "summary": summary}
    if energy and two_by_two.differs(cells):
        written["two-by-two"] = two_by_two.two_by_two(cells, swept, energy, beside)
    if energy and (folder / "targets.csv").exists():
        written["targets"] = targets.targets_table(summary, swept, energy, cells)
    contents = {f"{name}.csv": as_csv(table) for name, table in written.items()}
    if energy and (folder / "costs.png").exists():
        contents["costs.png"] = sweep_costs.render(summary, energy)["png"]
    if (folder / "sweep.png").exists():
        contents["sweep.png"] = sweep_errors.render(summary, swept)["png"]
    record(folder, contents)


def record(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files and their checksums; where an earlier version wrote none, of all that are there.

    Each file that a sweep wrote is then known by its checksum in the sealed document.
    """
    home = Folder(folder, DOCUMENT)
    with home.locked():
        there = {}
        if home.recorded() is None:
            paths = [path for path in folder.iterdir() if path.suffix in WRITTEN]
            there = {path.name: path.read_bytes() for path in sorted(paths)}
        document = parse_json(read_text(folder / DOCUMENT))
        rest = {key: value for key, value in document.items() if key not in (FILES, SEAL)}
        home.change(rest, {**there, **contents})


def counted_again(run: Run) -> Run:
    """The same run with the counts of its rules as they are now; fails if they move other bytes."""
    data = run.configuration["data"]
    work = Workload(run.settings, data["train_images"], data["test_images"])
    for algorithm in dict.fromkeys(run.traffic["algorithm"]):
        row = run.results[algorithm]
        rehearsal = rehearse(algorithm, work)
        signatures = [signature_row(one.signature, one.steps) for one in rehearsal.kinds]
        if signatures_alike(signatures, row["signatures"]):
            continue
        mine = run.traffic["algorithm"] == algorithm
        counts = rehearsal.counts((one, one.steps) for one in rehearsal.kinds)
        old, new = (t.groupby(PLACE)[BYTES].sum() for t in (run.traffic[mine], counts))
        if not old.equals(new):
            changed = new.compare(old.reindex(new.index)).index.tolist()
            raise click.ClickException(
                f"{algorithm}: its rule now moves other bytes in {changed}; train the run again"
            )
        say(f"  {algorithm}: counted again")
        history = with_flops(run.history, algorithm, rehearsal.kinds, row["signatures"])
        others = run.traffic[~mine]
        counts.insert(0, "algorithm", algorithm)
        run = replace(
            run,
            results={**run.results, algorithm: {**row, "signatures": signatures}},
            traffic=pd.concat([others, counts], ignore_index=True),
            history=history,
        )
    return run


def signatures_alike(new: list[dict[str, Any]], old: list[dict[str, Any]]) -> bool:
    """Whether two lists of signatures are of the same steps, taken as often."""
    one, other = ({s["digest"]: s["steps"] for s in signatures} for signatures in (new, old))
    return one == other


def with_flops(
    history: pd.DataFrame,
    algorithm: str,
    kinds: Sequence[Rehearsed],
    signatures: list[dict[str, Any]],
) -> pd.DataFrame:
    """The history with the flops that its epochs now have; bytes are as they were.

    A step is known again by its name, its bytes and how many there were. What its flops changed by
    is spread over the epochs of its stage, all of which take it equally often.
    """
    mine = history["algorithm"] == algorithm
    left = [dict(one) for one in signatures]
    more = pd.Series(0, index=history.index)
    for one in kinds:
        row = signature_row(one.signature, one.steps)
        same = [s for s in left if all(s[k] == row[k] for k in ("name", "steps", *BYTES))]
        if not same:
            raise click.ClickException(f"{algorithm}: no step like {one.kind.label} was taken")
        left.remove(same[0])
        change = (row["flops"] - same[0]["flops"]) * one.steps
        if change:
            stage = mine & (history["stage"] == one.kind.stage)
            epochs = int(stage.sum())
            if change % epochs:
                raise click.ClickException(f"{algorithm}: {one.kind.label} is not in every epoch")
            later = mine & (history.index > history.index[stage].max())
            more[stage] += change // epochs * history.loc[stage, "epoch"]
            more[later] += change
    history = history.copy()
    history["cumulative_flops"] += more
    return history


def rewrite(folder: Path) -> None:
    """Write the files of a run's report that its folder holds anew, and no other."""
    directory = RunDirectory(folder)
    with directory.locked_run():
        saved = counted_again(directory.read(say))
        made = files.report(Book.of(saved, saved_profiles(saved), say))
        kept = {k: made[k] for k in made if k in ALWAYS or (folder / k).exists()}
        directory.write(saved, kept)


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--profile", help="Price sweeps without joules too, and all under this profile.")
def main(folders: tuple[Path, ...], profile: str | None) -> None:
    """Price the committed reports again."""
    for folder in folders or sorted(path for path in REPORTS.iterdir() if path.is_dir()):
        if (folder / "run.json").exists():
            rewrite(folder)
        elif (folder / "cells.csv").exists():
            reprice(folder, profile)
        else:
            continue
        click.echo(f"{folder.name}: priced")


if __name__ == "__main__":
    main()
