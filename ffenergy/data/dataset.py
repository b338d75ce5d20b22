"""The data set that every trainer reads, four unsigned-byte arrays; and its validation split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffenergy.errors import DataError, SettingsError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of 28 x 28 grey levels 0..255 with labels 0..9; read-only arrays.

    `source` is one line for the report. `is_sample` marks the small embedded sample, whose
    accuracies do not compare with published ones. `n_validation` counts training images that
    stand in for the test images; see `held_out`.

    Raises DataError where images have no labels, labels are none, or test images another size.
    """

    name: str
    source: str
    is_sample: bool
    train_images: Bytes  # (n, 28, 28)
    train_labels: Bytes  # (n,)
    test_images: Bytes  # (m, 28, 28)
    test_labels: Bytes  # (m,)
    n_validation: int = 0

    def __post_init__(self) -> None:
        for part, images, labels in (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if labels.shape != images.shape[:1]:
                shape = "x".join(map(str, labels.shape))
                raise DataError(
                    f"{self.name}: {shape} {part} labels for {len(images)} images; give one each"
                )
            if not np.isin(labels, range(10)).all():
                raise DataError(f"{self.name}: a {part} label is none; use whole numbers, 0 to 9")
            images.flags.writeable = labels.flags.writeable = False
        sizes = [images.shape[1:] for images in (self.train_images, self.test_images)]
        if len(self.test_images) and sizes[0] != sizes[1]:
            train, test = ("x".join(map(str, size)) for size in sizes)
            raise DataError(
                f"{self.name}: training images are {train}, test images {test}; make them alike"
            )


def held_out(data: Dataset, count: int) -> Dataset:
    """Return `data` with its last `count` training images in the place of its test images.

    What is chosen by the error of a validation split never saw the test set.
    The test images are gone from the result. Data whose last `count` images are held out already
    are returned as they are.

    Raises:
        SettingsError: no training image would be left, or another number is held out already.
    """
    if count == data.n_validation:
        return data
    if data.n_validation:
        raise SettingsError(
            f"{count} images are to be held out, but {data.n_validation} are held out already"
        )
    left = len(data.train_images) - count
    if left < 1:
        raise SettingsError(
            f"{count} images are to be held out, but the data has {len(data.train_images)} "
            "training images; hold out fewer"
        )
    return replace(
        data,
        name=f"{data.name}-validation",
        n_validation=count,
        train_images=data.train_images[:left],
        train_labels=data.train_labels[:left],
        test_images=data.train_images[left:],
        test_labels=data.train_labels[left:],
    )
