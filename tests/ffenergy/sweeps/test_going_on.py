"""A cell that was stopped half-way goes on with the BLAS threads it was begun with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import pytest
from joblib.externals.loky.process_executor import BrokenProcessPool

from ffenergy.errors import FfenergyError
from ffenergy.settings import Settings
from ffenergy.sweeps import cells, pool
from ffenergy.sweeps.cells import Cell, CellTask, DataLabel, DataPlace
from ffenergy.training import train

pytestmark = pytest.mark.usefixtures("only_the_sample")
PLACE = DataPlace(None, True)
SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="784,8", n_train=200, n_epochs=6, softmax_epochs=1
)


class StoppedError(Exception):
    pass


def cell() -> Cell:
    return Cell("ff", SETTINGS, False, DataLabel.of(PLACE.load(SETTINGS)))


def stopped(folder: Path, threads: int) -> None:
    """Begin the cell and stop it when it has saved two checkpoints."""
    folder.mkdir(exist_ok=True)

    def watch() -> None:
        if list(folder.glob("*/checkpoints/00000002.checkpoint")):
            raise StoppedError

    with pytest.raises(StoppedError):
        cells.run_cell(CellTask(cell(), [], PLACE, folder, threads), watch)


def test_workers_that_die_again_and_again_say_what_shows_the_cells(tmp_path, monkeypatch):
    def dying(*args: Any) -> Any:
        raise BrokenProcessPool

    monkeypatch.setattr(pool, "_outcomes", dying)
    with pytest.raises(FfenergyError) as caught:
        list(pool.run([cell()], PLACE, tmp_path / "cells", pool.Workers(2, 1)))
    assert f"`ffenergy status {tmp_path}` shows the cells that are done" in caught.value.message


def test_a_cell_goes_on_with_the_threads_it_was_begun_with(tmp_path, monkeypatch, without_seconds):
    monkeypatch.setattr(cells, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    stopped(tmp_path / "stopped", 1)
    assert cells.CellFolder(tmp_path / "stopped").checkpoints(cell()).threads() == 1
    begun: list[int] = []

    def watched(*args: Any, **kwargs: Any) -> Any:
        begun.append(kwargs["checkpoints"].latest("ff").epoch)
        return train(*args, **kwargs)

    monkeypatch.setattr("ffenergy.sweeps.cells.train", watched)
    found = cells.run_cell(CellTask(cell(), [], PLACE, tmp_path / "stopped", 2))
    monkeypatch.setattr("ffenergy.sweeps.cells.train", train)
    assert begun == [2]
    assert found.threads == 1
    whole = cells.run_cell(CellTask(cell(), [], PLACE, tmp_path / "whole", 1))
    assert without_seconds(found) == without_seconds(whole)


def test_threads_for_which_there_are_no_cores_are_not_taken_up(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    stopped(tmp_path, 2)
    found = cells.run_cell(CellTask(cell(), [], PLACE, tmp_path, 1))
    assert (found.threads, found.status) == (1, "complete")


def test_a_damaged_checkpoint_names_no_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "CHECKPOINT_SECONDS", 0.0)
    stopped(tmp_path, 1)
    checkpoints = cells.CellFolder(tmp_path).checkpoints(cell())
    newest, older = sorted(checkpoints.folder.glob("*.checkpoint"), reverse=True)
    newest.write_bytes(b"")
    assert checkpoints.threads() == 1
    older.write_bytes(b"damaged")
    assert checkpoints.threads() is None
