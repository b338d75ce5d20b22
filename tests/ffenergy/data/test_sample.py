"""The embedded sample is real, stratified, small and the same on every build."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ffenergy.data
from ffenergy.data import Dataset, catalogue, idx_folder, sample
from ffenergy.errors import DataError

ENTRY = catalogue.entry("mnist")


@pytest.fixture(scope="module")
def embedded() -> Dataset:
    return Dataset("mnist", "embedded sample", True, **sample.read(ENTRY))


def test_shapes_types_and_size_of_the_file(embedded: Dataset) -> None:
    assert embedded.train_images.shape == (6000, 28, 28)
    assert embedded.train_labels.shape == (6000,)
    assert embedded.test_images.shape == (1000, 28, 28)
    assert embedded.test_labels.shape == (1000,)
    for name in ENTRY.sample:
        array = getattr(embedded, name)
        assert array.dtype == np.uint8
        assert not array.flags.writeable
    packed = resources.files(ffenergy.data).joinpath("mnist-sample.npz").read_bytes()
    assert len(packed) < 2 * 2**20


def test_classes_keep_their_published_shares(embedded: Dataset) -> None:
    # MNIST has 5923 6742 5958 6131 5842 5421 5918 6265 5851 5949 training digits 0..9 and
    # 980 1135 1032 1010 982 892 958 1028 974 1009 test digits; a tenth of each, to the unit.
    train = np.bincount(embedded.train_labels)
    assert train.tolist() == [592, 674, 596, 613, 584, 542, 592, 627, 585, 595]
    test = np.bincount(embedded.test_labels)
    assert test.tolist() == [98, 114, 103, 101, 98, 89, 96, 103, 97, 101]


def test_packing_twice_gives_the_same_bytes(embedded: Dataset) -> None:
    arrays = {name: getattr(embedded, name)[:50] for name in ENTRY.sample}
    assert sample.pack(arrays) == sample.pack(arrays)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.data())
def test_spread_keeps_shares_within_one(labels: list[int], data: st.DataObject) -> None:
    array = np.array(labels, np.uint8)
    count = data.draw(st.integers(1, len(labels)))
    chosen = sample.spread(array, count)
    assert len(chosen) == count
    assert (np.diff(chosen) > 0).all()
    for label in set(labels):
        exact = labels.count(label) * count / len(labels)
        assert abs((array[chosen] == label).sum() - exact) < 1


@pytest.mark.skipif(
    "FFENERGY_DATA_DIR" not in os.environ, reason="needs the full MNIST in FFENERGY_DATA_DIR"
)
def test_the_sample_is_the_documented_part_of_the_full_set(embedded: Dataset) -> None:
    full = idx_folder.read(Path(os.environ["FFENERGY_DATA_DIR"]), ENTRY.files)
    rebuilt = sample.choose(full)
    for name in ENTRY.files:
        np.testing.assert_array_equal(rebuilt[name], getattr(embedded, name))


def test_a_damaged_sample_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    with pytest.raises(DataError, match="missing or damaged"):
        sample.read(ENTRY)
    (tmp_path / "mnist-sample.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DataError, match="missing or damaged"):
        sample.read(ENTRY)
    arrays = {name: np.zeros(file.shape, np.uint8) for name, file in ENTRY.sample.items()}
    (tmp_path / "mnist-sample.npz").write_bytes(sample.pack(arrays))
    with pytest.raises(DataError, match="wrong checksum"):
        sample.read(ENTRY)
    objects = {name: np.array([{}], dtype=object) for name in ENTRY.sample}
    np.savez(tmp_path / "mnist-sample.npz", **objects)
    with pytest.raises(DataError, match="missing or damaged"):
        sample.read(ENTRY)
