"""How far a sweep is: `ffenergy status` of its folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ffenergy.cli.status import told_of_sweep
from ffenergy.files.locks import LOCK, held
from ffenergy.settings import Settings
from ffenergy.sweeps.standing import Standing

Sweep = Callable[..., Result]
TWO = """
preset = "quick"
algorithms = ["random"]
seeds = [0, 1]
[fixed]
layer_sizes = [784, 8]
n_train = 100
softmax_epochs = 1
"""
EPOCH = {"stage": "head", "epoch": 3, "loss": 0.5}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, invoke: Sweep) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    (folder / "two.toml").write_text(TWO)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FFENERGY_DATA_DIR", raising=False)
        words = ["sweep", folder / "two.toml", "-q", "--offline", "--workers", "1"]
        result = invoke(*words, "--outdir", folder / "out")
    assert result.exit_code == 0, result.output
    return folder / "out"


@pytest.fixture
def swept(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def lines(result: Result) -> list[str]:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_how_far_every_cell_is(swept: Path, invoke: Sweep) -> None:
    whole, first, second = lines(invoke("status", swept))
    assert whole.startswith("ffenergy sweep ")
    assert whole.endswith(": 2 of 2 cells done, complete")
    assert first.startswith("  untrained control, seed=0: test error ")
    assert second.startswith("  untrained control, seed=1: test error ")
    cell = list(json.loads((swept / "sweep.json").read_text())["cells"])[1]
    folder = swept / "cells" / cell
    (folder / "outcome.json").unlink()
    whole, same, waiting = lines(invoke("status", swept))
    assert whole.endswith(": 1 of 2 cells done, stopped; the same command goes on")
    assert (same, waiting) == (first, "  untrained control, seed=1: waiting")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "history.jsonl").write_text(json.dumps(EPOCH) + "\n")
    assert lines(invoke("status", swept))[2].endswith("seed=1: begun, 3 epochs of stage head saved")
    (folder / "checkpoints" / "history.jsonl").write_text("{}\n")
    assert lines(invoke("status", swept))[2].endswith("seed=1: waiting")
    (folder / "checkpoints" / "history.jsonl").write_text(json.dumps(EPOCH) + "\n")
    with held(swept / LOCK), held(folder / LOCK):
        whole, _, training = lines(invoke("status", swept))
    assert whole.endswith(": 1 of 2 cells done, running")
    assert training.endswith("seed=1: training, 3 epochs of stage head saved")


def test_a_folder_whose_cells_were_taken_away_tells_by_its_table(swept: Path, invoke: Sweep):
    before = lines(invoke("status", swept))
    shutil.rmtree(swept / "cells")
    assert lines(invoke("status", swept)) == before


def test_a_cell_that_cannot_be_read_is_named(swept: Path, invoke: Sweep) -> None:
    path = next(swept.glob("cells/*/outcome.json"))
    path.write_text("{")
    result = invoke("status", swept)
    assert result.exit_code == 4
    assert result.stderr.startswith(f"Error: {path} is not readable as a cell (")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["report", "figures", "transfer"])
def test_what_reads_a_run_says_that_this_is_a_sweep(swept: Path, invoke: Sweep, command: str):
    result = invoke(command, swept)
    assert result.exit_code == 4
    again = f"`ffenergy sweep {swept / 'sweep.toml'} --outdir {swept}`"
    assert f"{swept} holds a sweep, not a run; {again} goes on with it" in result.stderr


def test_cells_that_ended_badly_and_rules_of_others_are_told() -> None:
    settings = Settings.from_preset("quick")
    cells = {
        "a": Standing(None, settings, "waiting"),
        "b": Standing("ff", settings.replace(lr=0.5), "diverged", message="loss is inf"),
    }
    sweep = {"command": "ffenergy sweep a.toml", "swept": ["lr", "n_epochs"]}
    assert told_of_sweep(sweep, cells, is_training=False) == [
        "ffenergy sweep a.toml: 1 of 2 cells done, stopped; the same command goes on",
        "  a rule that is not here, lr=0.001, seed=0: waiting",
        "  Forward-Forward, lr=0.5, seed=0: diverged: loss is inf",
    ]
