"""The embedded sample: a stratified part of the real data set that ships inside the package."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ffenergy.data import idx
from ffenergy.data.catalogue import CatalogueEntry
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError
from ffenergy.files.contents import as_npz

N_TRAIN = 6000
N_TEST = 1000


def read(entry: CatalogueEntry) -> dict[str, Bytes]:
    """Return the embedded sample of `entry`, uint8 arrays, checked against the catalogue.

    Raises:
        DataError: the installed package has no such file, or a damaged one.
    """
    file_name = f"{entry.name}-sample.npz"
    resource = resources.files(__package__).joinpath(file_name)
    try:
        with np.load(io.BytesIO(resource.read_bytes()), allow_pickle=False) as archive:
            return {
                array: file.read(idx.encode(archive[array]), f"{file_name} ({array})")
                for array, file in entry.sample.items()
            }
    except (OSError, KeyError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file_name}: the embedded sample is missing or damaged ({error});"
            " install ffenergy again"
        ) from None


def spread(labels: Bytes, count: int) -> NDArray[np.intp]:
    """Choose `count` positions so that every class keeps its share, evenly spaced in its file.

    The shares are rounded by largest remainder. No random numbers, so that the choice is the same
    with every version of NumPy. Returns ascending positions, shape (count,).
    """
    classes, sizes = np.unique(labels, return_counts=True)
    exact = sizes * count / len(labels)
    quota = np.floor(exact).astype(np.intp)
    short = count - int(quota.sum())
    quota[np.argsort(quota - exact, kind="stable")[:short]] += 1
    chosen = [
        np.flatnonzero(labels == label)[np.arange(keep) * size // keep]
        for label, size, keep in zip(classes, sizes, quota, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def choose(
    arrays: Mapping[str, Bytes], n_train: int = N_TRAIN, n_test: int = N_TEST
) -> dict[str, Bytes]:
    """Return the stratified sample of a full data set, keyed alike."""
    train = spread(arrays["train_labels"], n_train)
    test = spread(arrays["test_labels"], n_test)
    return {
        "train_images": arrays["train_images"][train],
        "train_labels": arrays["train_labels"][train],
        "test_images": arrays["test_images"][test],
        "test_labels": arrays["test_labels"][test],
    }


def pack(arrays: Mapping[str, Bytes]) -> bytes:
    """Return the compressed `.npz` file of `arrays`, the same bytes every time."""
    return as_npz(arrays, zipfile.ZIP_DEFLATED)
