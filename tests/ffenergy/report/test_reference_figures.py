"""The reference's pictures: what they show, on runs small enough to know the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ffenergy.data import Dataset
from ffenergy.files.locks import LOCK
from ffenergy.report.book import Book
from ffenergy.report.pictures import learning
from ffenergy.report.pictures.drawing import render
from ffenergy.report.pictures.report import REFERENCE
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.occupied import PICTURES_FILE
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.trained.examples import IMAGES, UNITS, preferred_inputs

Invoke = Callable[..., Result]

NAMES = "hybrid-examples goodness-histograms training-curves receptive-fields preferred-inputs"


def a_run() -> Run:
    rng = np.random.default_rng(0)
    history = pd.DataFrame(
        {
            "algorithm": "ff",
            "stage": ["layers", "layers", "head", "head"],
            "epoch": [1, 2, 1, 2],
            "loss": 0.5,
            "loss_layer1": [0.4, 0.3, np.nan, np.nan],
            "train_error": [np.nan, np.nan, 3.0, 2.0],
            "test_error": [np.nan, np.nan, 4.0, 2.5],
        }
    )
    examples: dict[str, Any] = {
        f"goodness/layer1/{kind}": rng.random(50) for kind in ("real", "hybrid")
    }
    examples |= {f"hybrid/{p}": rng.random((6, 28, 28)) for p in ("a", "b", "mask", "hybrid")}
    examples["preferred/layer1/images"] = rng.standard_normal((3, 28, 28))
    examples["preferred/layer1/units"] = np.arange(3)
    return Run(
        configuration={"settings": {"threshold": 2.0, "n_blur": 6}},
        results={"ff": {}},
        history=history,
        weights={"ff/layer1/W": rng.standard_normal((784, 20))},
        examples=examples,
    )


def files_of(run: Run) -> dict[str, bytes]:
    return {
        f"{picture.name}.{kind}": content
        for picture, files in render(Book(run), REFERENCE)
        for kind, content in files.items()
    }


@pytest.mark.slow
def test_all_pictures_in_both_formats_and_the_same_every_time() -> None:
    first = files_of(a_run())
    assert list(first) == [f"{name}.{kind}" for name in NAMES.split() for kind in ("png", "svg")]
    again = files_of(replace(a_run(), examples={}))  # the two quick ones
    assert len(again) == 4
    assert {name: first[name] for name in again} == again
    assert all(data.startswith(b"\x89PNG") for name, data in first.items() if ".png" in name)
    assert all(b"<svg" in data for name, data in first.items() if ".svg" in name)


def test_what_a_run_lacks_is_left_out() -> None:
    bare = replace(a_run(), weights={}, examples={})
    assert set(files_of(bare)) == {
        "training-curves.png",
        "training-curves.svg",
    }


def test_a_history_without_errors_has_its_losses_drawn() -> None:
    run = a_run()
    figure = learning.classifier_curves(
        Book(replace(run, history=run.history.drop(columns=["train_error", "test_error"])))
    )
    assert figure is not None
    assert figure.axes[0].get_legend_handles_labels()[1] == ["layer1"]


def test_a_folder_that_cannot_be_written_is_told_before_any_work(
    invoke: Invoke, tmp_path: Path
) -> None:
    run = a_run()
    data = {"name": "mnist", "source": "", "is_sample": True, "train_images": 1, "test_images": 1}
    head = {"format": 1, "status": "complete", "accounting": "eager", "seed": 0, "versions": {}}
    head |= {"command": "ffenergy compare", "preset": "quick", "data": data, "settings": {}}
    RunDirectory(tmp_path).write(replace(run, configuration=head, results={}, weights={}))
    (tmp_path / "file").touch()
    flags = ["--outdir", str(tmp_path / "file" / "x"), "--data-dir", str(tmp_path / "nowhere")]
    done = invoke("figures", str(tmp_path), *flags)
    assert done.exit_code == 4  # and not 3, that of the data
    assert "cannot write to" in done.output


def test_the_papers_line_is_of_mnist_alone() -> None:
    run = a_run()
    fashion = {**run.configuration, "data": {"name": "fashion-mnist-validation"}}
    figure = learning.classifier_curves(Book(replace(run, configuration=fashion)))
    assert figure is not None
    labels = figure.axes[1].get_legend_handles_labels()[1]
    assert labels == ["train", "test"]


def test_a_locally_connected_network_has_the_papers_own_figure() -> None:
    run = a_run()
    local = {**run.configuration, "settings": {"local_fields": "10x10/6x128"}}
    figure = learning.classifier_curves(Book(replace(run, configuration=local)))
    assert figure is not None
    assert figure.axes[1].get_legend_handles_labels()[1][-1] == "1.16 %: Hinton 2022"


def test_curves_have_the_loss_of_the_reference_and_the_line_of_the_paper() -> None:
    figure = learning.classifier_curves(Book(a_run()))
    assert figure is not None
    losses, errors = figure.axes
    # softplus(θ − g⁺) + softplus(g⁻ − θ) is twice the mean over the two cases
    assert losses.lines[0].get_ydata().tolist() == pytest.approx([0.8, 0.6])
    drawn = {str(line.get_label()): list(line.get_ydata()) for line in errors.lines}
    assert drawn == {
        "train": [3.0, 2.0],
        "test": [4.0, 2.5],
        "1.37 %: Hinton 2022": [1.37, 1.37],
    }


def test_losses_are_drawn_where_no_head_was_trained() -> None:
    history = a_run().history
    bare = history[history["stage"] == "layers"].drop(columns=["train_error", "test_error"])
    figure = learning.classifier_curves(Book(replace(a_run(), history=bare)))
    assert figure is not None
    assert len(figure.axes[0].lines) == 1


def test_a_unit_prefers_the_images_that_excite_it() -> None:
    """Two kinds of images, ink on the left or on the right; unit 0 of layer 2 wants the left."""
    images = np.zeros((4 * IMAGES, 2, 2), np.uint8)
    images[::2, :, 0] = 255
    images[1::2, :, 1] = 255
    labels = np.zeros(len(images), np.uint8)
    data = Dataset("two", "test", False, images[:0], labels[:0], images, labels)
    settings = Settings.from_preset("quick").replace(layer_sizes="4,2,2")
    left_right = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    weights = {
        "layer1/W": left_right,
        "layer1/b": np.zeros(2, np.float32),
        "layer2/W": np.array([[3, 0], [0, 1]], np.float32),  # unit 0 has the larger norm
        "layer2/b": np.zeros(2, np.float32),
    }
    found = preferred_inputs(weights, settings, data)
    assert found["preferred/layer2/units"].tolist() == [0, 1]
    # the mean image is 0.5 everywhere
    left = [[0.5, -0.5], [0.5, -0.5]]
    np.testing.assert_allclose(found["preferred/layer2/images"][0], left)
    np.testing.assert_allclose(found["preferred/layer2/images"][1], -np.array(left))
    assert UNITS >= 2


@pytest.fixture
def run(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tiny = "--layer-sizes 784,16,16 --n-epochs 1 --softmax-epochs 1 --n-train 400 --offline -q"
    done = invoke("train", "ff", "--no-trace", *tiny.split(), "--outdir", tmp_path / "run")
    assert done.exit_code == 0, done.output
    return tmp_path / "run"


def test_the_command_draws_them_all_or_says_what_is_missing(invoke: Invoke, run: Path) -> None:
    done = invoke("figures", run, "--offline")
    assert done.exit_code == 0, done.output
    expected = {f"{name}.{kind}" for name in NAMES.split() for kind in ("png", "svg")}
    written = {p.name for p in (run / "figures").iterdir()}
    assert written == {*expected, PICTURES_FILE, LOCK}
    (run / "weights.npz").unlink()
    (run / "examples.npz").unlink()
    done = invoke("figures", run, "--offline", "--outdir", run / "again")
    assert "Left out, for RUN lacks Forward-Forward, weights.npz" in done.output
    assert "goodness-histograms, receptive-fields, preferred-inputs" in done.output
    assert sorted(p.name for p in (run / "again").glob("*.png")) == ["training-curves.png"]


def test_other_data_than_the_run_had_is_refused(
    invoke: Invoke, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = RunDirectory(run).read()
    data = {**saved.configuration["data"], "is_sample": False}
    changed = {**saved.configuration, "data": data}
    RunDirectory(run).write(replace(saved, configuration=changed))
    done = invoke("figures", run, "--offline")
    assert done.exit_code == 3
    assert "the run is of mnist; found" in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("goodness", [np.inf, 1e30, 1 + 1e-7, 0.0])
def test_goodness_that_leaves_no_room_for_bins_is_drawn(goodness: float) -> None:
    """Infinite, far too large, all but the same in float32, and all the same."""
    run = a_run()
    names = [f"goodness/layer1/{kind}" for kind in ("real", "hybrid")]
    cases = np.array([goodness, goodness, min(goodness, 1.0)], np.float32)
    drawn = files_of(run.with_examples({**run.examples, **dict.fromkeys(names, cases)}))
    assert "goodness-histograms.png" in drawn
