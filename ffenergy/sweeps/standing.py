"""How far a sweep is: every cell's outcome, or the last epoch that is saved of it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ffenergy.errors import SettingsError
from ffenergy.files.documents import check, parse_json, read_text
from ffenergy.files.locks import LOCK, is_held
from ffenergy.rules.registry import rules
from ffenergy.runs.directory import CHECKPOINTS, RunDirectory, RunDirectoryError
from ffenergy.runs.occupied import SWEEP_FILE
from ffenergy.runs.run_document import CHECKPOINT_HISTORY, EPOCH
from ffenergy.settings import Settings
from ffenergy.sweeps.cells import Cell, DataLabel, outcome_in

DOCUMENT: Final = {
    "command": str,
    "swept": [str],
    "traced": bool,
    "data": [{"name": str, "is_sample": bool, "train_images": int, "test_images": int}],
    "cells": {str: dict},
}
"""What is read of `sweep.json`, see `documents.check`."""
TABLE: Final = ("cell", "algorithm", "status", "test_error", "wall_seconds")
UNDONE: Final = ("training", "begun", "waiting")
"""States of a cell without an outcome: now; it has a checkpoint and nobody trains it; none yet."""


@dataclass(frozen=True)
class Standing:
    """How far a cell is.

    algorithm: None before its end, where its rule is not registered here.
    status: one of an `Outcome`, or of `UNDONE`.
    test_error: percent of the images that the settings ask for; NaN before the end.
    last_epoch: the last row saved of the history of a cell that is not done.
    """

    algorithm: str | None
    settings: Settings
    status: str
    test_error: float = math.nan
    wall_seconds: float = math.nan
    message: str = ""
    last_epoch: dict[str, Any] | None = None


def standings(directory: RunDirectory) -> tuple[dict[str, Any], dict[str, Standing]]:
    """Return `sweep.json`, and how far its cells are by name, in the order of the sweep.

    Of a folder whose cells were taken away, as of a committed report, `cells.csv` tells.

    Raises:
        OutputError: a file of the sweep is damaged.
    """
    document = directory.read_document()
    try:
        check(document, DOCUMENT)
        settings = {cell: Settings.from_saved(one) for cell, one in document["cells"].items()}
    except (ValueError, SettingsError) as error:
        raise RunDirectoryError(f"{directory.path / SWEEP_FILE} is damaged: {error}") from error
    folder = directory.path / "cells"
    if not folder.is_dir() and (directory.path / "cells.csv").exists():
        return document, _tabulated(directory, settings)
    return document, {
        cell: _standing(folder / cell, cell, own, document) for cell, own in settings.items()
    }


def _tabulated(directory: RunDirectory, settings: dict[str, Settings]) -> dict[str, Standing]:
    rows = directory.read_table("cells.csv", TABLE).set_index("cell").to_dict("index")
    return {
        cell: Standing(
            row["algorithm"], settings[cell], row["status"], row["test_error"], row["wall_seconds"]
        )
        for cell, row in rows.items()
        if cell in settings
    }


def _standing(folder: Path, cell: str, settings: Settings, document: dict[str, Any]) -> Standing:
    done = outcome_in(folder)
    if done is None:
        return _undone(folder, cell, settings, document)
    wrong, seconds = (done.scores[name] for name in ("test_error", "wall_seconds"))
    return Standing(done.algorithm, settings, done.status, wrong, seconds, done.message)


def _undone(folder: Path, cell: str, settings: Settings, document: dict[str, Any]) -> Standing:
    last = None
    with suppress(OSError, ValueError, IndexError):  # it is being written, or not there yet
        lines = read_text(folder / CHECKPOINTS / CHECKPOINT_HISTORY).splitlines()
        row = parse_json(lines[-1])
        check(row, EPOCH)
        last = row
    training, begun, waiting = UNDONE
    status = training if is_held(folder / LOCK) else begun if last else waiting
    return Standing(_algorithm(cell, settings, document), settings, status, last_epoch=last)


def _algorithm(cell: str, settings: Settings, document: dict[str, Any]) -> str | None:
    """The algorithm of a cell, whose name stands for it and for all else that is known of it."""
    labels = [DataLabel(**one) for one in document["data"]]
    for algorithm in rules():
        for label in labels:
            if Cell(algorithm, settings, document["traced"], label).name == cell:
                return algorithm
    return None


def as_json(standing: Standing) -> dict[str, Any]:
    """Return what `status --json` prints of a cell."""
    return {**asdict(standing), "settings": standing.settings.to_dict()}
