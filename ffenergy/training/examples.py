"""Labelled images inside the trace."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffenergy.network.arrays import Array, Tracer


@dataclass(frozen=True)
class Examples:
    """Images as traced rows (n, pixels) of pixels in [0, 1], with labels (n,) of 0 to 9.

    Pixels are converted once, before anything is counted: the images enter the trace preloaded.
    """

    images: Array
    labels: Array
    plain_labels: np.ndarray

    @classmethod
    def enter(cls, trace: Tracer, images: np.ndarray, labels: np.ndarray, dtype: str) -> Examples:
        """Bring uint8 ``images`` (n, height, width) and ``labels`` (n,) into the trace."""
        pixels = images.reshape(len(images), -1).astype(dtype)
        pixels /= 255
        numbers = labels.astype(np.int64)
        return cls(
            trace.array(pixels, role="data", name="images"),
            trace.array(numbers, role="data", name="labels"),
            numbers,
        )
