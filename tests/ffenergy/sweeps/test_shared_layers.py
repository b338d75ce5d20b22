"""Cells that differ in their head alone: their hidden layers are trained once, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from ffenergy.sweeps import cells as cells_module
from ffenergy.sweeps import pool
from ffenergy.sweeps.cells import Cell, CellFolder, DataLabel
from ffenergy.sweeps.pool import Workers

pytestmark = pytest.mark.usefixtures("only_the_sample")
Sweep = Callable[..., Result]
HEADS = """
preset = "quick"
algorithms = ["ff", "random"]
seeds = [0, 1]
[fixed]
layer_sizes = [784, 8]
n_train = 200
n_epochs = 2
softmax_epochs = 2
[grid]
softmax_lr = [1e-3, 1e-2]
"""


def test_cells_that_differ_in_their_head_share_hidden_layers_bit_for_bit(
    sweep: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    without_seconds: Callable[[cells_module.Outcome], dict[str, Any]],
) -> None:
    batches = 0
    together = ForwardForward.together

    def counted(self: ForwardForward, index: Any, rates: Sequence[float]) -> None:
        nonlocal batches
        batches += len(rates)
        together(self, index, rates)

    monkeypatch.setattr(ForwardForward, "together", counted)
    assert sweep(HEADS, tmp_path, "-q").exit_code == 0
    assert batches == 2 * 2 * 2  # seeds x epochs x batches, and not once more for each head
    outcomes = [path.read_text() for path in (tmp_path / "out" / "cells").glob("*/outcome.json")]
    assert len(outcomes) == 8
    assert not list((tmp_path / "out" / "cells").glob("*/layers"))
    place = cells_module.DataPlace(None, True)
    for text in outcomes:
        shared = cells_module.Outcome.from_json(text)
        settings = Settings.from_dict(shared.settings)
        cell = Cell(shared.algorithm, settings, False, DataLabel.of(place.load(settings)))
        task = cells_module.CellTask(cell, [], place, tmp_path / "none", shared.threads)
        alone = cells_module.run_cell(task)
        assert without_seconds(alone) == without_seconds(shared)


def test_a_sweep_that_goes_on_takes_the_layers_of_cells_that_are_finished(tmp_path: Path) -> None:
    settings = Settings.from_preset("quick").replace(
        layer_sizes="784,8", n_train=200, n_epochs=1, softmax_epochs=1
    )
    place = cells_module.DataPlace(None, True)
    label = DataLabel.of(place.load(settings))
    cells = [Cell("ff", settings.replace(softmax_lr=rate), False, label) for rate in (1e-3, 1e-2)]
    first, second = pool._tasks(cells, place, tmp_path, 1)
    done = cells_module.run_cell(first)
    folder = CellFolder(tmp_path)
    assert folder.layers(cells[0]).found()
    (outcome,) = pool.run(cells, place, tmp_path, Workers(1, 1), finished=[done.cell])
    assert outcome.cell == second.cell.name
    seconds = [
        [row["wall_seconds"] for row in one.history if row["stage"] == "layers"]
        for one in (done, outcome)
    ]
    assert seconds[0] == seconds[1]  # not trained again
    assert not folder.layers(cells[0]).found()


def test_hidden_layers_are_trained_before_the_heads_that_wait_for_them() -> None:
    label = DataLabel("made", False, 1, 1)
    quick = Settings.from_preset("quick")
    seeds = [quick.replace(seed=seed) for seed in range(3)]
    heads = [one.replace(softmax_lr=rate) for one in seeds for rate in (1e-3, 2e-3, 3e-3)]
    cells = [Cell("ff", one, False, label) for one in heads]
    tasks = pool._tasks(cells, cells_module.DataPlace(None, True), Path(), 1)
    found = [task.cell.settings for task in tasks]
    rates = [(one.seed, round(1e3 * one.softmax_lr)) for one in found]
    assert all(
        {one.settings.seed for one in task.siblings} == {task.cell.settings.seed} for task in tasks
    )
    assert {len(task.siblings) for task in tasks} == {2}
    others = [(seed, rate) for seed in range(3) for rate in (2, 3)]
    assert rates == [(0, 1), (1, 1), (2, 1), *others]
