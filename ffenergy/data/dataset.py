"""The data set that every trainer reads: four unsigned-byte arrays and where they came from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffenergy.errors import SettingsError

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of 28 x 28 grey levels 0..255 with labels 0..9; read-only arrays.

    `source` is one line for the report. `is_sample` marks the small embedded sample, whose
    accuracies do not compare with published ones.
    """

    name: str
    source: str
    is_sample: bool
    train_images: Bytes  # (n, 28, 28)
    train_labels: Bytes  # (n,)
    test_images: Bytes  # (m, 28, 28)
    test_labels: Bytes  # (m,)

    def __post_init__(self) -> None:
        for array in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            array.flags.writeable = False

    def subset(self, n_train: int | None, seed: int = 0) -> Dataset:
        """Keep `n_train` training images drawn by `seed` without replacement, in their old order.

        `None` keeps all. The test set stays whole.

        Raises:
            SettingsError: `n_train` is not between 1 and the number of training images.
        """
        available = len(self.train_images)
        if n_train is None or n_train == available:
            return self
        if not 1 <= n_train <= available:
            raise SettingsError(
                f"n_train {n_train} does not fit {self.name} ({self.source}):"
                f" choose between 1 and {available}"
            )
        drawn = np.random.default_rng(seed).permutation(available)[:n_train]
        kept = np.sort(drawn)
        return replace(
            self,
            source=f"{self.source}, {n_train} of {available} training images",
            train_images=self.train_images[kept],
            train_labels=self.train_labels[kept],
        )
