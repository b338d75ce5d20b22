"""Sweeps from end to end on tiny networks: tables, going on, failures, Ctrl-C, dead workers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ffenergy.data import load
from ffenergy.errors import OutputError
from ffenergy.files.documents import sealed
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings
from ffenergy.sweeps import cells as cells_module
from ffenergy.sweeps.cells import Cell, CellFolder, DataLabel
from ffenergy.sweeps.pool import Workers
from ffenergy.training import train

Sweep = Callable[..., Result]
HEAD = """
preset = "quick"
algorithms = ["ff", "bp"]
seeds = [0, 1]
trace = true
[fixed]
layer_sizes = [784, 8, 8]
n_train = 300
n_epochs = 1
softmax_epochs = 1
"""
pytestmark = pytest.mark.usefixtures("only_the_sample")
UNTRACED = HEAD.replace("trace = true\n", "")
GRID = HEAD + "[grid]\nlr = [1e-3, 3e-3]\n"
OWN_PROFILE = '[profiles.own]\nbased_on = "jouppi-7nm-hbm2"\ntitle = "Own"\n'


def table(folder: Path, name: str = "cells.csv") -> pd.DataFrame:
    return pd.read_csv(folder / "out" / name)


def test_a_sweep_that_goes_on_keeps_its_profile(sweep: Sweep, tmp_path: Path) -> None:
    """Without the flag energies would be gone, and old tables of them stay."""
    own = tmp_path / "own.toml"
    own.write_text(OWN_PROFILE)
    assert sweep(UNTRACED, tmp_path, "--profile", str(own)).exit_code == 0
    own.unlink()
    more = UNTRACED.replace("seeds = [0, 1]", "seeds = [0, 1, 2]")
    assert sweep(more, tmp_path).exit_code == 0
    cells = table(tmp_path)
    assert (len(cells), set(cells["profile"])) == (6, {"own"})
    assert (cells["energy_joules"] > 0).all()
    assert set(table(tmp_path, "targets.csv")["n"]) == {3}
    priced_anew = sweep(more, tmp_path, "--profile", "dally-wire")
    assert priced_anew.exit_code == 0
    assert set(table(tmp_path)["profile"]) == {"dally-wire"}


def test_tables_pictures_and_settings(sweep: Sweep, tmp_path: Path) -> None:
    result = sweep(GRID, tmp_path, "--profile", "jouppi-7nm-hbm2")
    assert result.exit_code == 0, result.output
    assert "SAMPLE" in result.stdout
    cells = table(tmp_path)
    assert len(cells) == 8
    assert cells["cell"].is_unique
    assert set(cells["status"]) == {"complete"}
    assert set(cells["accounting"]) == {"eager"}
    row = cells.iloc[5]  # four cells at 1e-3, then ff at 3e-3 with seeds 0 and 1
    assert (row["algorithm"], row["lr"], row["seed"]) == ("ff", 3e-3, 1)
    settings = Settings.from_preset("quick").replace(
        layer_sizes="784,8,8", n_train=300, n_epochs=1, softmax_epochs=1, lr=3e-3, seed=1
    )
    alone = train("ff", settings, load(offline=True, progress=False))
    assert alone.traffic is not None
    assert row["test_error"] == alone.test_error
    for name in ("bytes_read", "bytes_written", "flops"):
        assert row[name] == alone.traffic[name].sum()
    assert (cells["energy_joules"] > 0).all()
    summary = table(tmp_path, "summary.csv")
    for priced in (cells, summary, table(tmp_path, "targets.csv")):
        assert set(priced["memory"]) == {"cache"}
    assert list(summary["algorithm"]) == ["ff", "bp", "ff", "bp"]
    assert list(summary["n"]) == [2] * 4
    assert list(summary["seeds"]) == ["0 1"] * 4
    own = cells[(cells["algorithm"] == "ff") & (cells["lr"] == 3e-3)]["test_error"]
    assert summary.loc[2, "test_error_mean"] == pytest.approx(own.mean())
    # of two values, the sample standard deviation is their distance over the root of two
    assert summary.loc[2, "test_error_std"] == pytest.approx(abs(np.diff(own)[0]) / np.sqrt(2))
    assert set(table(tmp_path, "history.csv")["cell"]) == set(cells["cell"])
    assert {p.name for p in (tmp_path / "out").glob("sweep.*")} == {
        *("sweep.json", "sweep.toml", "sweep.png", "sweep.svg")
    }
    features = table(tmp_path, "features.csv")
    assert len(features) == 8 * 2  # cells, hidden layers
    assert features["active_percent"].between(0, 100).all()
    learned = features[features["algorithm"] == "ff"]
    assert learned["separation_percent"].between(0, 100).all()
    history = table(tmp_path, "history.csv").set_index(["cell", "stage"])
    told = history.loc[(row["cell"], "layers"), "separation_layer2"]
    own = learned[(learned["cell"] == row["cell"]) & (learned["layer"] == "layer2")]
    assert own["separation_percent"].tolist() == [told]  # the one epoch
    assert features[features["algorithm"] == "bp"]["separation_percent"].isna().all()
    assert (tmp_path / "out" / "costs.png").exists()
    assert set(table(tmp_path, "targets.csv")["algorithm"]) == {"ff", "bp"}
    assert not (tmp_path / "out" / "masks.png").exists()


def test_a_sweep_of_blurs_shows_its_masks(sweep: Sweep, tmp_path: Path) -> None:
    text = HEAD.replace('["ff", "bp"]', '["ff"]') + "[grid]\nn_blur = [0, 6]\n"
    assert sweep(text, tmp_path, "-q").exit_code == 0
    assert (tmp_path / "out" / "masks.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "out" / "costs.png").exists()  # nothing was priced
    assert not (tmp_path / "out" / "targets.csv").exists()


def test_a_sweep_goes_on_where_it_was(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sweep(GRID, tmp_path, "-q").exit_code == 0
    before = table(tmp_path)
    gone = before["cell"][2]
    (tmp_path / "out" / "cells" / gone / "outcome.json").unlink()
    trained: list[str] = []

    def counting(algorithm: str, settings: Settings, *args: object, **kwargs: object) -> object:
        trained.append(f"{algorithm} {settings.lr} {settings.seed}")
        return train(algorithm, settings, *args, **kwargs)

    monkeypatch.setattr(cells_module, "train", counting)
    more = GRID.replace("[1e-3, 3e-3]", "[1e-3, 3e-3, 9e-3]")
    assert sweep(more, tmp_path, "-q").exit_code == 0
    assert len(trained) == 1 + 4  # the lost cell, and two algorithms x two seeds at the new rate
    after = table(tmp_path)
    assert len(after) == 12
    kept = ["cell", "test_error", "bytes_read"]
    pd.testing.assert_frame_equal(after[kept][:8], before[kept])


def test_another_sweep_leaves_the_tables_that_are_there(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep(UNTRACED, tmp_path, "-q").exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("out/**/*") if path.is_file()}
    result = sweep(UNTRACED.replace("seeds = [0, 1]", "seeds = [1, 2]"), tmp_path)
    assert result.exit_code == 4
    assert "would lose 2 finished cells that" in result.stderr
    assert "choose another --outdir" in result.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert sweep(UNTRACED, tmp_path, "-q").exit_code == 0  # the same command goes on


def test_a_cell_that_diverges_is_recorded_and_the_sweep_goes_on(
    sweep: Sweep, tmp_path: Path
) -> None:
    text = (
        UNTRACED.replace("[fixed]", '[fixed]\noptimizer = "sgd"') + "[grid]\nbp_lr = [1e30, 1e-2]\n"
    )
    result = sweep(text, tmp_path)
    assert result.exit_code == 0, result.output
    cells = table(tmp_path)
    lost = (cells["algorithm"] == "bp") & (cells["bp_lr"] == 1e30)
    assert set(cells[lost]["status"]) == {"diverged"}
    assert cells[lost]["test_error"].isna().all()
    assert set(cells[~lost]["status"]) == {"complete"}
    assert "lower the learning rate" in " ".join(result.stdout.split())
    summary = table(tmp_path, "summary.csv")
    assert list(summary["n_diverged"]) == [0, 2, 0, 0]
    assert list(summary["n"]) == [2, 0, 2, 2]


def test_a_cell_that_fails_is_recorded_and_tried_again(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(algorithm: str, settings: Settings, *args: object, **kwargs: object) -> object:
        if algorithm == "bp" and settings.seed == 1:
            raise MemoryError("too large")
        return train(algorithm, settings, *args, **kwargs)

    monkeypatch.setattr(cells_module, "train", fail)
    result = sweep(UNTRACED, tmp_path)
    assert result.exit_code == 0, result.output
    assert list(table(tmp_path)["status"]) == ["complete", "complete", "complete", "failed"]
    assert "MemoryError: too large" in result.stdout
    assert re.search(r"^4 cells; 1 worker, \d+ BLAS threads? a worker\. ", result.stderr, re.M)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert sweep(UNTRACED, tmp_path, "-q").exit_code == 0
    assert set(table(tmp_path)["status"]) == {"complete"}


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (HEAD + "[grid]\nlr = 3", 2, "it must be a list"),
        (HEAD.replace("784", "100"), 2, "spec.toml: layer_sizes starts at 100"),
        (HEAD.replace("300", "7000"), 2, "spec.toml: n_train is 7000"),
        (HEAD.replace("trace", "validation = 6000\ntrace"), 2, "spec.toml: "),
    ],
)
def test_a_bad_file_is_one_line(
    sweep: Sweep, tmp_path: Path, text: str, code: int, told: str
) -> None:
    result = sweep(text, tmp_path)
    assert result.exit_code == code, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert told in line
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    result = sweep(HEAD, tmp_path)
    assert result.exit_code == 4
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    assert "choose another --outdir" in result.stderr
    assert "--force" not in result.stderr


def test_two_sweeps_never_share_a_folder(sweep: Sweep, tmp_path: Path) -> None:
    with RunDirectory(tmp_path / "out").locked():
        result = sweep(UNTRACED, tmp_path)
    assert result.exit_code != 0
    assert "another process is training into" in result.stderr
    assert not (tmp_path / "out" / "cells").exists()
    assert sweep(UNTRACED, tmp_path).exit_code == 0


def test_a_damaged_cell_is_named(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep(UNTRACED, tmp_path, "-q").exit_code == 0
    path = tmp_path / "out" / "cells" / table(tmp_path)["cell"][0] / "outcome.json"
    path.write_text(path.read_text()[:100])
    result = sweep(UNTRACED, tmp_path)
    assert result.exit_code == 4
    assert str(path) in result.stderr


DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "a score as text": ({"scores": {"test_error": "low"}}, "scores.test_error is 'low'"),
    "features as text": ({"features": "abc"}, "features is 'abc', not a list"),
    "settings as a list": ({"settings": []}, "settings is [], not a table of keys"),
    "no counts": ({"counts": None}, "counts is None, not a table of keys"),
    "a count as text": ({"counts": {"flops": "many"}}, "counts.flops is 'many'"),
    "a signature without steps": (
        {"signatures": [{"name": "a", "digest": "b"}]},
        "steps is missing",
    ),
    "an epoch without a stage": ({"history": [{"epoch": 1, "loss": 1}]}, "stage is missing"),
    "another algorithm": ({"algorithm": "bp"}, "holds the outcome of another cell"),
    "another name": ({"cell": "0" * 16}, "holds the outcome of another cell"),
    "other data": ({"data": {}}, "holds the outcome of another cell"),
}


@pytest.mark.parametrize(("change", "says"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_cell_that_is_valid_json_but_damaged_is_named(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    cell = Cell("ff", Settings.from_preset("quick"), False, DataLabel("mnist", True, 6000, 1000))
    folder = CellFolder(tmp_path)
    folder.keep(cell, cells_module._outcome(cell, "failed", 1, "why"))
    path = folder.file(cell)
    document = json.loads(path.read_text())
    for key, value in change.items():
        old = document[key]
        document[key] = old | value if isinstance(old, dict) and value else value
    path.write_text(sealed(document))
    with pytest.raises(OutputError) as caught:
        folder.find(cell)
    assert str(path) in caught.value.message
    assert says in caught.value.message
    assert caught.value.message.endswith("delete it")


def test_the_name_of_a_cell_stands_for_all_that_decides_it() -> None:
    settings = Settings.from_preset("quick")
    label = DataLabel("mnist", False, 60000, 10000)
    cell = Cell("ff", settings, True, label)
    others = [
        Cell("bp", settings, True, label),
        Cell("ff", settings.replace(lr=0.5), True, label),
        Cell("ff", settings.replace(seed=1), True, label),
        Cell("ff", settings, False, label),
        Cell("ff", settings, True, DataLabel("mnist", True, 6000, 1000)),
    ]
    assert len({cell.name, *(other.name for other in others)}) == 6
    assert Cell("ff", Settings.from_preset("quick"), True, label).name == cell.name


def test_cores_are_not_oversubscribed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    assert Workers.choose(None, None) == Workers(8, 1)
    assert Workers.choose(3, None) == Workers(3, 2)
    assert Workers.choose(1, None) == Workers(1, 8)
    assert Workers.choose(20, None) == Workers(20, 1)
    assert Workers.choose(None, "tcp://there:1").threads == 1


def test_a_cell_is_claimed_by_one_at_a_time_and_a_dead_claim_is_taken_over(tmp_path: Path) -> None:
    settings = Settings.from_preset("quick").replace(
        layer_sizes="784,8", n_train=200, n_epochs=1, softmax_epochs=1
    )
    place = cells_module.DataPlace(None, True)
    cell = Cell("ff", settings, False, DataLabel.of(place.load(settings)))
    folder = CellFolder(tmp_path)
    task = cells_module.CellTask(cell, [], place, tmp_path, 1)
    looked = 0

    class FreeError(Exception):
        pass

    def watch() -> None:
        nonlocal looked
        looked += 1
        raise FreeError

    with folder.claimed(cell, watch), pytest.raises(FreeError):  # ours, and nobody else's
        cells_module.run_cell(task, watch)
    assert looked == 1
    assert not folder.file(cell).exists()
    outcome = cells_module.run_cell(task)
    assert outcome.status == "complete"
    # done meanwhile: whoever waited for the claim finds it done
    assert cells_module.run_cell(task, watch).to_json() == outcome.to_json()


def test_cells_found_by_another_presets_settings_are_refused(sweep: Sweep, tmp_path: Path) -> None:
    assert sweep(UNTRACED, tmp_path, "-q").exit_code == 0
    path = tmp_path / "out" / "cells" / table(tmp_path)["cell"][0] / "outcome.json"
    document = json.loads(path.read_text())
    document["settings"]["batch_size"] = 50
    path.write_text(sealed(document))
    result = sweep(UNTRACED, tmp_path)
    assert result.exit_code == 4
    assert "another batch_size" in result.stderr


def test_an_outcome_survives_its_file(tmp_path: Path) -> None:
    settings = Settings.from_preset("quick")
    cell = Cell("ff", settings, False, DataLabel("mnist", True, 6000, 1000))
    outcome = cells_module._outcome(cell, "failed", 1, "why")
    folder = CellFolder(tmp_path)
    folder.keep(cell, outcome)
    found = folder.find(cell)
    assert found is not None
    assert found.to_json() == outcome.to_json()
    assert np.isnan(found.scores["test_error"])
    assert folder.finished(cell) is None  # tried again
