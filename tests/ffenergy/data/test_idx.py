"""Damaged IDX files: each gives one line that names the file, the defect and the remedy."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from ffenergy.data import idx, idx_folder
from ffenergy.data.catalogue import CATALOGUE, IdxFile
from ffenergy.errors import DataError

LABELS = np.array([3, 1, 4, 1, 5], np.uint8)
PLAIN = struct.pack(">BBBBI", 0, 0, 8, 1, 5) + bytes([3, 1, 4, 1, 5])
FILE = IdxFile("train-labels-idx1-ubyte", (5,), hashlib.sha256(PLAIN).hexdigest())


def test_the_format_by_hand() -> None:
    assert idx.encode(LABELS) == PLAIN
    np.testing.assert_array_equal(idx.decode(PLAIN, "f", 1), LABELS)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5)))
def test_decode_undoes_encode(array: np.ndarray) -> None:
    back = idx.decode(idx.encode(array), "f", array.ndim)
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


DAMAGED = {
    "header cut off": (PLAIN[:6], "truncated, 6 bytes"),
    "empty": (b"", "truncated, 0 bytes"),
    "values cut off": (PLAIN[:-2], "truncated, 3 of the 5 values"),
    "more than announced": (PLAIN + b"\0\0", "2 trailing bytes"),
    "images under a label name": (
        struct.pack(">BBBBIII", 0, 0, 8, 3, 1, 1, 1) + b"\7",
        "magic number 0x00000803 where 0x00000801 belongs",
    ),
    "signed bytes": (b"\0\0\x09\x01" + PLAIN[4:], "magic number 0x00000901"),
    "a web page": (b"<!DOCTYPE html><html>404</html>", "magic number 0x3c21444f"),
    "another length": (idx.encode(LABELS[:4]), r"shape \(4,\), .* has \(5,\)"),
    "one value changed": (PLAIN[:-1] + b"\6", "wrong checksum"),
    "gzip cut off": (gzip.compress(PLAIN)[:-9], "gzip data ends early"),
    "gzip with a wrong CRC": (gzip.compress(PLAIN)[:-8] + bytes(8), "gzip data is corrupt"),
    "gzip with garbage": (gzip.compress(PLAIN)[:10] + b"\xff" * 20, "gzip data is corrupt"),
}


@pytest.mark.parametrize(("data", "defect"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damage_is_one_line_with_file_defect_and_remedy(
    tmp_path: Path, data: bytes, defect: str
) -> None:
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(DataError, match=defect) as caught:
        idx_folder.read(tmp_path, {"train_labels": FILE})
    message = caught.value.message
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "replace the file" in message


@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_both_name_styles_compressed_or_not(tmp_path: Path, dot: bool, compressed: bool) -> None:
    name = "train-labels.idx1-ubyte" if dot else "train-labels-idx1-ubyte"
    path = tmp_path / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(PLAIN) if compressed else PLAIN)
    arrays = idx_folder.read(tmp_path, {"train_labels": FILE})
    np.testing.assert_array_equal(arrays["train_labels"], LABELS)


def test_an_uncompressed_file_that_keeps_the_gz_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(PLAIN)
    np.testing.assert_array_equal(
        idx_folder.read(tmp_path, {"train_labels": FILE})["train_labels"], LABELS
    )


def test_missing_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        idx_folder.read(tmp_path / "nowhere", {"train_labels": FILE})
    (tmp_path / "labels.gz").write_bytes(PLAIN)
    with pytest.raises(DataError, match="a file, not a folder"):
        idx_folder.read(tmp_path / "labels.gz", {"train_labels": FILE})
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\[\.gz\] is missing"):
        idx_folder.read(tmp_path, {"train_labels": FILE})


def test_write_is_deterministic_and_leaves_no_other_files(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for place in (first, second):
        idx_folder.write(place, {"train_labels": FILE}, {"train_labels": LABELS})
        assert [path.name for path in place.iterdir()] == ["train-labels-idx1-ubyte.gz"]
    name = "train-labels-idx1-ubyte.gz"
    assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_catalogue_holds_the_published_shapes() -> None:
    files = CATALOGUE["mnist"].files
    assert list(files) == ["train_images", "train_labels", "test_images", "test_labels"]
    assert files["train_images"].shape == (60000, 28, 28)
    assert files["test_labels"].shape == (10000,)
    assert all(len(file.sha256) == 64 for file in files.values())


def test_no_values_in_dimensions_that_no_array_has_is_damage() -> None:
    """Found by scripts/fuzz.py: nothing is promised, and nothing is there."""
    with pytest.raises(DataError, match="cannot reshape"):
        idx.decode(bytes.fromhex("00000803" + "989781ff" + "fdd6ffff" + "00000000"), "x", 3)
