"""Price the committed reports again, after a definition of costs has changed.

    python scripts/price_reports.py                  # every folder in reports/ that has joules
    python scripts/price_reports.py reports/best     # this one
    python scripts/price_reports.py --profile jouppi-7nm-hbm2 reports/fair    # one without joules

A folder of a single run gets what `ffenergy report FOLDER` writes, as far as it holds such a file
already: large tables and pictures that are not committed do not come back. The cells of a sweep are
not kept: their rules rehearse the steps, and nothing is priced whose bytes differ from those that
the sweep counted. A sweep that was not traced counted none: it has those of the rehearsal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ffenergy.energy import choose_profiles
from ffenergy.files.atomic import write_bytes, write_text
from ffenergy.report import files
from ffenergy.report.book import Book, saved_profiles
from ffenergy.report.pictures import sweep_costs
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings
from ffenergy.sweeps import tables, targets, two_by_two
from ffenergy.sweeps.cells import COUNTS, Cell, DataLabel, Outcome
from ffenergy.sweeps.rehearsed import counted

REPORTS = Path(__file__).parents[1] / "reports"


def say(line: str) -> None:
    """Print a line beside the output."""
    click.echo(line, err=True)


class Pricer:
    """Energies of cells under one profile; cells that cost the same are priced once."""

    def __init__(self, profile: str) -> None:
        (chosen,) = choose_profiles((profile,))
        self.energies = tables.CellEnergies(chosen.profile, say)

    def price(self, row: pd.Series, settings: Settings, data: DataLabel) -> dict[str, Any]:
        """Counts, energy and peak of a complete cell; fails if it counted others."""
        cell = Cell(str(row["algorithm"]), settings, True, data)
        bare = Outcome(
            cell=cell.name, algorithm=cell.algorithm, traced=True, data=vars(data),
            settings=settings.to_dict(), status="complete", message="", threads=1, scores={},
            counts={}, signatures=[], history=[], features=[],
        )  # fmt: skip
        outcome = counted(cell, bare)
        for count, found in outcome.counts.items():
            if pd.notna(row[count]) and found != row[count]:
                raise click.ClickException(
                    f"cell {row['cell']} counted {row[count]:,} {count}, its rule now makes "
                    f"{found:,}; train the sweep again"
                )
        energy = self.energies.of(cell, outcome)
        return {**outcome.counts, **energy, "peak": self.energies.peak(cell, outcome)}


def reprice(folder: Path, profile: str | None = None) -> bool:
    """Write a sweep's tables and its picture of costs anew; False if it has no joules."""
    path = folder / "sweep.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    cells = pd.read_csv(folder / "cells.csv", dtype={"cell": str, "message": str})
    cells = cells.astype(dict.fromkeys(COUNTS, "Int64"))
    energy = targets.energy_column(cells)
    if energy is None and profile is None:
        return False
    pricer = Pricer(profile or str(cells["profile"].dropna().iloc[0]))
    labels = {label["name"]: DataLabel(**label) for label in document["data"]}
    peaks: dict[str, int | None] = {}
    cells["profile"] = pricer.energies.profile.name
    for number, row in cells[cells["status"] == "complete"].iterrows():
        settings = Settings.from_saved(document["cells"][row["cell"]])
        found = pricer.price(row, settings, labels[row["dataset"]])
        peaks[row["cell"]] = found.pop("peak")
        energy = next(name for name in found if name.startswith("energy_"))
        for name, value in found.items():
            cells.loc[number, name] = value
    assert energy is not None  # noqa: S101  # some cell is complete
    _write(folder, document["swept"], cells, energy, peaks)
    return True


def _write(
    folder: Path, swept: list[str], cells: pd.DataFrame, energy: str, peaks: dict[str, int | None]
) -> None:
    summary = tables.summary_table(cells, swept)
    written = {"cells": cells, "summary": summary}
    if two_by_two.differs(cells):
        written["two-by-two"] = two_by_two.two_by_two(cells, swept, energy, peaks)
    if (folder / "targets.csv").exists():
        written["targets"] = targets.targets_table(summary, swept, energy, cells)
    for name, table in written.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    if (folder / "costs.png").exists():
        write_bytes(folder / "costs.png", sweep_costs.render(summary, energy)["png"])


def rewrite(folder: Path) -> None:
    """Write the files of a run's report that its folder holds anew, and no other."""
    directory = RunDirectory(folder)
    with directory.locked_run():
        saved = directory.read(say)
        made = files.report(Book.of(saved, saved_profiles(saved), say))
        directory.add(saved, {k: made[k] for k in made if (folder / k).exists()})


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--profile", help="Price sweeps without joules too, and all under this profile.")
def main(folders: tuple[Path, ...], profile: str | None) -> None:
    """Price the committed reports again."""
    for folder in folders or sorted(path for path in REPORTS.iterdir() if path.is_dir()):
        if (folder / "run.json").exists():
            rewrite(folder)
        elif not (folder / "cells.csv").exists() or not reprice(folder, profile):
            continue
        click.echo(f"{folder.name}: priced")


if __name__ == "__main__":
    main()
