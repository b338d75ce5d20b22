"""Price the committed sweeps again, after a definition of costs has changed.

    python scripts/price_reports.py                  # every sweep in reports/ that has joules
    python scripts/price_reports.py reports/best     # this one

A folder of a single run is priced again by `ffenergy report FOLDER`; this does the same for
folders of sweeps, whose cells are not kept: their rules rehearse the steps, and nothing is priced
whose bytes differ from those that the sweep counted.
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.energy import choose_profiles
from ffenergy.files.atomic import write_bytes, write_text
from ffenergy.report.pictures import sweep_costs
from ffenergy.runs.results import signature_row
from ffenergy.settings import Settings
from ffenergy.sweeps import tables, targets
from ffenergy.sweeps.cells import Cell, DataLabel, Outcome

REPORTS = Path(__file__).parents[1] / "reports"


class Pricer:
    """Energies of cells under one profile; cells that cost the same are priced once."""

    def __init__(self, profile: str) -> None:
        (chosen,) = choose_profiles((profile,))
        self.energies = tables.CellEnergies(chosen.profile, lambda line: click.echo(line, err=True))

    def energy(self, row: pd.Series, settings: Settings, data: DataLabel) -> float:
        """Joules of the whole training of a complete cell; fails if its bytes are not those."""
        cell = Cell(str(row["algorithm"]), settings, True, data)
        work = Workload(settings, settings.n_train or data.train_images, data.test_images)
        kinds = rehearse(cell.algorithm, work).kinds
        signatures = [signature_row(one.signature, one.steps) for one in kinds]
        for count in ("bytes_read", "bytes_written", "flops"):
            found = sum(one["steps"] * one[count] for one in signatures)
            if found != row[count]:
                raise click.ClickException(
                    f"cell {row['cell']} counted {row[count]:,} {count}, its rule now makes "
                    f"{found:,}; train the sweep again"
                )
        outcome = Outcome(
            cell=cell.name, algorithm=cell.algorithm, traced=True, data=vars(data),
            settings=settings.to_dict(), status="complete", message="", threads=1, scores={},
            counts={}, signatures=signatures, history=[], features=[],
        )  # fmt: skip
        (joules,) = self.energies.of(cell, outcome).values()
        return joules


def reprice(folder: Path) -> bool:
    """Write a sweep's tables and its picture of costs anew; False if it has no joules."""
    document = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    cells = pd.read_csv(folder / "cells.csv", dtype={"cell": str, "message": str})
    energy = targets.energy_column(cells)
    if energy is None:
        return False
    pricer = Pricer(document["profiles"][0]["name"])
    labels = {label["name"]: DataLabel(**label) for label in document["data"]}
    for number, row in cells.iterrows():
        if row["status"] == "complete":
            settings = Settings.from_saved(document["cells"][row["cell"]])
            found = pricer.energy(row, settings, labels[row["dataset"]])
            cells.loc[number, energy] = found
    swept = document["swept"]
    summary = tables.summary_table(cells, swept)
    written = {"cells": cells, "summary": summary}
    if (folder / "targets.csv").exists():
        written["targets"] = targets.targets_table(summary, swept, energy)
    for name, table in written.items():
        write_text(folder / f"{name}.csv", table.to_csv(index=False))
    if (folder / "costs.png").exists():
        write_bytes(folder / "costs.png", sweep_costs.render(summary, energy)["png"])
    return True


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folders: tuple[Path, ...]) -> None:
    """Price the committed sweeps again."""
    for folder in folders or sorted(path.parent for path in REPORTS.glob("*/sweep.json")):
        if (folder / "cells.csv").exists() and reprice(folder):
            click.echo(f"{folder.name}: priced")


if __name__ == "__main__":
    main()
