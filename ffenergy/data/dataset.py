"""The data set that every trainer reads: four unsigned-byte arrays and where they came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of 28 x 28 grey levels 0..255 with labels 0..9; read-only arrays.

    `source` is one line for the report. `is_sample` marks the small embedded sample, whose
    accuracies do not compare with published ones. `n_validation` counts training images that
    stand in for the test images; see `validation.py`.
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
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array.flags.writeable = False
