"""The validation split: the last training images in the place of the test set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from ffenergy.data import Dataset, held_out
from ffenergy.errors import DataError, SettingsError
from ffenergy.settings import Settings
from ffenergy.training import train

Invoke = Callable[..., Result]

SMALL = Settings.from_preset("quick").replace(
    layer_sizes="16,12,12", batch_size=5, head_batch_size=5, n_epochs=2, softmax_epochs=1
)
COUNTS = 30, 10  # training and test images


def data(test_level: int = 0) -> Dataset:
    """Random images of 4 x 4; every test image is uniform, of one grey level."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, size=(COUNTS[0], 4, 4), dtype=np.uint8)
    labels = rng.integers(0, 10, size=COUNTS[0], dtype=np.uint8)
    test = np.full((COUNTS[1], 4, 4), test_level, np.uint8)
    return Dataset("tiny", "made up", False, images, labels, test, labels[: COUNTS[1]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, -1], "a training label is none; use whole numbers, 0 to 9"),
        ([0, 1, 10], "a training label is none"),
        ([0, 1, 2.5], "a training label is none"),
        ([0, 1], "2 training labels for 3 images; give one each"),
        ([[0, 1, 2]], "1x3 training labels for 3 images"),
    ],
)
def test_labels_that_are_none_are_refused(labels: Any, message: str) -> None:
    images = np.zeros((3, 4, 4), np.uint8)
    with pytest.raises(DataError, match=message):
        Dataset("tiny", "made up", False, images, np.array(labels), images[:0], np.array([]))


def test_the_last_training_images_take_the_place_of_the_test_set() -> None:
    whole = data()
    split = held_out(whole, 8)
    assert (split.name, split.n_validation) == ("tiny-validation", 8)
    np.testing.assert_array_equal(split.train_images, whole.train_images[:22])
    np.testing.assert_array_equal(split.train_labels, whole.train_labels[:22])
    np.testing.assert_array_equal(split.test_images, whole.train_images[22:])
    np.testing.assert_array_equal(split.test_labels, whole.train_labels[22:])


def test_nothing_held_out_is_the_data_itself() -> None:
    whole = data()
    assert held_out(whole, 0) is whole
    split = held_out(whole, 8)
    assert held_out(split, 8) is split


@pytest.mark.parametrize(("count", "told"), [(30, "has 30 training images"), (31, "fewer")])
def test_holding_out_everything_is_refused(count: int, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        held_out(data(), count)


def test_a_split_is_not_split_again() -> None:
    with pytest.raises(SettingsError, match="8 are held out already"):
        held_out(held_out(data(), 8), 4)


def test_more_training_images_than_are_left_are_refused() -> None:
    settings = SMALL.replace(n_validation=10, n_train=21)
    with pytest.raises(SettingsError, match="20 training images beside 10 for validation"):
        train("ff", settings, data())


@pytest.mark.parametrize("algorithm", ["ff", "bp", "random"])
def test_training_honours_the_split_whatever_data_it_is_given(algorithm: str) -> None:
    settings = SMALL.replace(n_validation=10)
    results = [
        train(algorithm, settings, data(test_level=0)),
        train(algorithm, settings, data(test_level=200)),  # the test set makes no difference
        train(algorithm, settings, held_out(data(), 10)),
    ]
    assert results[0].samples + results[0].head_samples in (
        20 * 1,
        20 * 2,
        20 * 3,
    )  # 20 images left
    for other in results[1:]:
        assert other.test_error == results[0].test_error
        for name, weights in results[0].weights.items():
            np.testing.assert_array_equal(weights, other.weights[name])


def test_a_run_says_that_its_errors_are_validation_errors(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = "--layer-sizes 784,8 --n-epochs 1 --n-train 300 --validation 500 --offline --no-trace"
    where = tmp_path / "run"
    result = invoke("train", "bp", *flags.split(), "--outdir", str(where))
    assert result.exit_code == 0, result.output
    assert "Errors are on 500 held-out training images; no test set was touched." in result.output
    status = invoke("status", str(where)).output
    report, page = ((where / f"report.{kind}").read_text() for kind in ("md", "html"))
    assert "those on 500 images held out from the end of the training set" in report
    assert "done, validation error " in status
    assert "| algorithm | reading | validation error, %" in report
    for told in (result.output, status, report, page):
        assert "test error" not in told.lower()
        assert "validation" in told
    assert "mnist-validation, 300 training and 500 validation images" in report
    document = json.loads((where / "run.json").read_text())
    assert document["data"]["name"] == "mnist-validation"
    assert document["data"]["validation_images"] == document["data"]["test_images"] == 500
    assert document["settings"]["n_validation"] == 500


def test_test_images_of_another_size_are_refused() -> None:
    labels = np.zeros(2, np.uint8)
    images, larger = np.zeros((2, 4, 4), np.uint8), np.zeros((2, 5, 5), np.uint8)
    with pytest.raises(
        DataError, match="training images are 4x4, test images 5x5; make them alike"
    ):
        Dataset("mine", "made up", False, images, labels, larger, labels)
