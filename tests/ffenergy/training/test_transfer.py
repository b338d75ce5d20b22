"""`ffenergy transfer`: fresh heads on saved layers, by hand on one task, as a user on others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ffenergy.data import Dataset
from ffenergy.data import sample as embedded
from ffenergy.data.catalogue import entry
from ffenergy.errors import SettingsError
from ffenergy.files.contents import as_npz
from ffenergy.report.pictures.task_errors import render
from ffenergy.rules.kit.host import chunks
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.runs.run_document import FORMAT
from ffenergy.settings import Settings
from ffenergy.training import train
from ffenergy.training.transfer import PlainNetwork, Task, train_head
from instrumented import Untraced

Invoke = Callable[..., Result]
SMALL = {"layer_sizes": "784,24,16", "n_epochs": 1, "softmax_epochs": 2, "n_train": 400}


@pytest.fixture(scope="module")
def offline(invoke: Invoke) -> Invoke:
    return lambda *arguments: invoke(*arguments, "--offline")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs ``seed0`` and ``seed1``, and ``other`` with another rate."""
    path = tmp_path_factory.mktemp("transfer")
    save(path / "seed0", seed=0)
    save(path / "seed1", seed=1)
    save(path / "other", seed=2, lr=0.01)
    return path


def sample() -> Dataset:
    """The embedded sample, whatever else is on this machine."""
    return Dataset("mnist", "embedded sample", True, **embedded.read(entry("mnist")))


def save(path: Path, **changes: object) -> None:
    """Train on the sample, untraced, and save as `ffenergy compare` does."""
    settings = Settings.from_preset("quick").replace(**SMALL, **changes)
    data = sample()
    run = Run(
        {
            "format": FORMAT,
            "command": "ffenergy compare",
            "status": "complete",
            "accounting": "eager",
            "data": {
                "name": data.name,
                "source": data.source,
                "is_sample": data.is_sample,
                "train_images": len(data.train_images),
                "test_images": len(data.test_images),
            },
            "preset": "quick",
            "seed": settings.seed,
            "versions": {},
            "settings": settings.to_dict(),
        }
    )
    for algorithm in ("ff", "bp", "random"):
        run = run.with_result(train(algorithm, settings, data, traced=False))
    path.mkdir()
    RunDirectory(path).write(run)


@pytest.mark.parametrize(
    ("text", "name", "classes"),
    [
        ("mnist", "mnist", range(10)),
        ("mnist:5-9", "mnist:5-9", range(5, 10)),
        ("fashion-mnist:0,2,4", "fashion-mnist:0,2,4", (0, 2, 4)),
        ("mnist:7,1-3", "mnist:1,2,3,7", (1, 2, 3, 7)),
        ("mnist:0-9", "mnist", range(10)),
    ],
)
def test_tasks_are_read(text: str, name: str, classes: range) -> None:
    task = Task.parse(text)
    assert (task.name, task.classes) == (name, tuple(classes))
    assert Task.parse(task.name) == task


@pytest.mark.parametrize(
    "text", ["", "cifar", "mnist:", "mnist:4", "mnist:5-", "mnist:5-10", "mnist:x", "mnist:9-5"]
)
def test_tasks_that_are_none_are_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="task"):
        Task.parse(text)


def test_a_task_keeps_its_classes_of_the_first_images() -> None:
    data = sample()
    kept = Task.parse("mnist:5-9").of(data, 100)
    mask = data.train_labels[:100] >= 5
    assert np.array_equal(kept.train_images, data.train_images[:100][mask])
    assert set(kept.train_labels) == set(kept.test_labels) == {5, 6, 7, 8, 9}
    assert len(kept.test_images) == (data.test_labels >= 5).sum()


def test_features_of_backprop_are_its_activities_without_normalisation() -> None:
    settings = Settings.from_preset("quick").replace(layer_sizes="6,5,4,3", head_layers=2)
    rng = np.random.default_rng(3)
    network = PlainNetwork(Untraced(), settings, rng)
    x = rng.random((7, 6), dtype=np.float32)
    below, seen = x, []
    for layer in network.layers:
        own = layer.plain_parameters()
        below = np.maximum(below @ own[f"{layer.name}/W"] + own[f"{layer.name}/b"], 0)
        seen.append(below)
    wanted = [h / np.sqrt(np.mean(h * h, axis=1, keepdims=True) + 1e-20) for h in seen[1:]]
    np.testing.assert_allclose(
        network.features(x, chunks(7)), np.hstack(wanted), rtol=1e-4, atol=1e-6
    )


def test_on_its_own_task_the_fresh_head_is_the_one_that_the_run_trained(
    offline: Invoke, base: Path
) -> None:
    """Same layers, same features, same random streams of the head: the same error."""
    told = offline("transfer", base / "seed0", "--to", "mnist", "--outdir", base / "own", "-q")
    assert told.exit_code == 0, told.output
    rows = pd.read_csv(base / "own" / "transfer.csv").set_index("algorithm")
    results = json.loads((base / "seed0" / "run.json").read_text())["results"]
    for algorithm in ("ff", "random"):
        for error in ("test_error", "train_error"):
            assert rows.loc[algorithm, error] == results[algorithm][error]
    assert rows.loc["random", "is_sample"]


def test_forward_forward_layers_come_from_the_weights(base: Path) -> None:
    """Against a network whose weights are 0, which has nothing to tell the classes by."""
    with np.load(base / "seed0" / "weights.npz") as archive:
        weights = {k.removeprefix("ff/"): archive[k] for k in archive if k.startswith("ff/layer")}
    document = json.loads((base / "seed0" / "run.json").read_text())
    settings = Settings.from_dict(document["settings"])
    data, task = sample(), Task.parse("mnist:0-4")
    right = train_head("ff", settings, weights, task, data)
    wrong = train_head("ff", settings, {k: 0 * w for k, w in weights.items()}, task, data)
    assert right.test_error < wrong.test_error
    del weights["layer1/W"]
    with pytest.raises(SettingsError, match="weights of ff do not fit: layer1/W is missing"):
        train_head("ff", settings, weights, task, data)


@pytest.mark.parametrize("again", ["mnist:5-9", "mnist:5,6-9", "mnist:9,5-8"])
def test_a_task_written_twice_is_refused(offline: Invoke, base: Path, again: str) -> None:
    tasks = ["--to", "mnist:5-9", "--to", again]
    told = offline("transfer", base / "seed0", *tasks, "--outdir", base / "twice", "-q")
    assert told.exit_code == 2, told.output
    assert "Error: --to has mnist:5-9 twice; name each task once" in told.output
    assert not (base / "twice").exists()


def test_seeds_become_mean_and_spread(offline: Invoke, base: Path) -> None:
    out = base / "both"
    told = offline("transfer", base / "seed0", base / "seed1", "--outdir", out)
    assert told.exit_code == 0, told.output
    assert "SAMPLE" in told.output
    rows, summary = pd.read_csv(out / "transfer.csv"), pd.read_csv(out / "summary.csv")
    assert len(rows) == 2 * 3 * 2  # runs, algorithms, tasks
    for row in summary.to_dict("records"):
        own = rows[(rows["algorithm"] == row["algorithm"]) & (rows["task"] == row["task"])]
        assert row["n"] == 2
        assert row["test_error_mean"] == pytest.approx(own["test_error"].mean())
        assert row["test_error_std"] == pytest.approx(own["test_error"].std())
    assert set(rows["task"]) == {"mnist", "mnist:5-9"}
    assert [
        run["settings"]["seed"] for run in json.loads((out / "transfer.json").read_text())["runs"]
    ] == [0, 1]
    assert render(summary) == render(summary)
    assert (out / "transfer.png").read_bytes().startswith(b"\x89PNG")
    again = offline("transfer", base / "seed0", "--outdir", out)
    assert again.exit_code == 4
    assert "already holds" in again.output
    forced = offline("transfer", base / "seed0", "--outdir", out, "--force", "-q")
    assert forced.exit_code == 0, forced.output
    (out / "run.json").write_text("{}")
    before = {path: path.read_bytes() for path in out.iterdir()}
    refused = offline("transfer", base / "seed0", "--outdir", out, "--force", "-q")
    assert refused.exit_code == 4
    assert "holds a run (run.json); choose another" in refused.output
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_force_leaves_what_another_process_is_writing(offline: Invoke, base: Path) -> None:
    out = base / "busy"
    with RunDirectory(out).locked():
        (out / "transfer.csv").write_text("of the other process")
        told = offline("transfer", base / "seed0", "--outdir", out, "--force", "-q")
        assert told.exit_code == 4
        assert "another process" in told.output
        assert (out / "transfer.csv").read_text() == "of the other process"


def test_runs_that_cannot_be_used_are_one_line(
    offline: Invoke, base: Path, without_checksums: Callable[[Path], None]
) -> None:
    twice = offline("transfer", base / "seed0", base / "seed0", "--outdir", base / "x")
    assert twice.exit_code == 2
    assert "every seed once" in twice.output
    unlike = offline("transfer", base / "seed0", base / "other", "--outdir", base / "x")
    assert unlike.exit_code == 2
    assert "differs" in unlike.output
    assert unlike.output.count("lr") == 1
    path = base / "other" / "weights.npz"
    with np.load(path) as archive:
        fewer = {k: archive[k] for k in archive if k != "ff/layer1/W"}
    path.write_bytes(as_npz(fewer))
    without_checksums(base / "other")
    for command in (("transfer", "--outdir", base / "x"), ("figures",)):
        partial = offline(*command, base / "other")
        assert partial.exit_code == 4
        assert "weights.npz: ff/layer1/W is missing; train the run again" in partial.output
    path.unlink()
    bare = offline("transfer", base / "other", "--outdir", base / "x")
    assert bare.exit_code == 4
    assert "weights" in bare.output
    nothing = offline("transfer", base / "nowhere", "--outdir", base / "x")
    assert nothing.exit_code == 4
    task = offline("transfer", base / "seed0", "--to", "cifar", "--outdir", base / "x")
    assert task.exit_code == 2
    few = offline("transfer", base / "seed0", "--to", "mnist:0-1", "--outdir", base / "y")
    assert few.exit_code == 2
    assert "task mnist:0-1 has" in few.output
    assert not list((base / "y").iterdir())
    assert not (base / "x").exists()
