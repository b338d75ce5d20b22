"""Labelled images inside the trace."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np

from ffenergy.network.arrays import Array, Tracer
from ffenergy.network.head import one_hot

Which = Literal["train", "test"]


class Examples:
    """Images as traced rows (n, pixels) of pixels in [0, 1], with labels (n,) of 0 to 9.

    Each array enters the trace, preloaded, when somebody first asks for it.
    """

    def __init__(self, trace: Tracer, which: Which, pixels: np.ndarray, labels: np.ndarray) -> None:
        self.trace, self.which = trace, which
        self.plain_pixels, self.plain_labels = pixels, labels

    @classmethod
    def of_images(
        cls, trace: Tracer, which: Which, images: np.ndarray, labels: np.ndarray, dtype: str
    ) -> Examples:
        """Convert uint8 ``images`` (n, height, width) and ``labels`` (n,), once and uncounted."""
        pixels = images.reshape(len(images), -1).astype(dtype)
        pixels /= 255
        return cls(trace, which, pixels, labels.astype(np.int64))

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.plain_labels)

    @cached_property
    def images(self) -> Array:
        """The pixels (n, pixels)."""
        return self.trace.array(self.plain_pixels, role="data", name="images")

    @cached_property
    def targets(self) -> Array:
        """The labels one-hot: (n, 10), in the dtype of the pixels."""
        targets = one_hot(self.plain_labels, str(self.plain_pixels.dtype))
        return self.trace.array(targets, role="data", name="targets")

    @cached_property
    def labels(self) -> Array:
        """The labels (n,), int64."""
        return self.trace.array(self.plain_labels, role="data", name="labels")
