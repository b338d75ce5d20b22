"""Hybrid images: two digits mixed through a random mask with large coherent regions.

They keep the short-range correlations of digits and destroy the long-range ones (Hinton 2022,
arXiv 2212.13345, section 3.2). The mask is a random bit image, blurred ``n_blur`` times with
[1/4, 1/2, 1/4] along both axes with repeated edges, thresholded at one half.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffenergy.network import Array, Tracer

NEGATIVE_PAIRS: Final = ("independent", "shared")
EXACT_IN_FLOAT32: Final = 6  # blurs: every value is a multiple of 4^-12 = 2^-24


def image_shape(pixels: int) -> tuple[int, int]:
    """Return the most square (height, width) with ``pixels`` pixels; 784 gives (28, 28)."""
    height = next(h for h in range(math.isqrt(pixels), 0, -1) if pixels % h == 0)
    return height, pixels // height


def blur_matrix(size: int, n_blur: int) -> np.ndarray:
    """Return the (size, size) float64 matrix of ``n_blur`` blurs of one axis with padded edges.

    The blur is linear, so blurring n times is one multiplication by the n-th power of the
    tridiagonal matrix of one blur; it is symmetric, so it serves rows and columns alike.
    """
    once = np.eye(size) / 2 + (np.eye(size, k=1) + np.eye(size, k=-1)) / 4
    once[0, 0] += 0.25  # the padding repeats the edge pixel
    once[-1, -1] += 0.25
    return np.linalg.matrix_power(once, n_blur)


class HybridMaker:
    """Draws a batch of hybrids from ``images`` (n, pixels); layer ``input``, phase ``negatives``.

    ``pairs`` is ``independent`` (both halves from randomly drawn images, as in the reference) or
    ``shared`` (one half is the positive image of the same row). The mask is computed in float32
    up to 6 blurs and in float64 beyond, where the products stay exact up to 13 blurs: the mask
    then does not depend on the order in which a BLAS sums.
    """

    def __init__(
        self, trace: Tracer, images: Array, pairs: str, n_blur: int, rng: np.random.Generator
    ) -> None:
        self.trace = trace
        self.images = images
        self.pairs = pairs
        self.rng = rng
        self.shape = height, width = image_shape(images.shape[1])
        dtype = np.float32 if n_blur <= EXACT_IN_FLOAT32 else np.float64
        self.blur_columns = trace.array(
            blur_matrix(height, n_blur).astype(dtype), role="data", name="blur columns"
        )
        self.blur_rows = trace.array(
            blur_matrix(width, n_blur).astype(dtype), role="data", name="blur rows"
        )
        self.scope = trace.scope(layer="input", phase="negatives", makes="temporary")

    def masks(self, count: int) -> Array:
        """Return ``count`` random masks, bool, shape (count, pixels)."""
        bits = self.trace.made(
            self.rng.integers(0, 2, size=(count, *self.shape), dtype=np.bool_),
            operation="random_bits",
        )
        smooth = self.blur_columns @ (bits.astype(self.blur_rows.dtype) @ self.blur_rows)
        mask: Array = np.greater(smooth, 0.5)
        return mask.reshape(count, -1)

    def draw(self, count: int) -> Array:
        """Return ``count`` row numbers of ``images``, int64, with replacement."""
        return self.trace.made(
            self.rng.integers(0, self.images.shape[0], size=count), operation="random_index"
        )

    def fill(self, hybrids: Array, positives: Array) -> None:
        """Fill ``hybrids`` with mask * a + (1 - mask) * b; both arrays are (rows, pixels)."""
        with self.scope:
            count = hybrids.shape[0]
            mask = self.masks(count)
            a = positives
            if self.pairs == "independent":
                a = np.take(self.images, self.draw(count), axis=0)
            np.take(self.images, self.draw(count), axis=0, out=hybrids, mode="clip")
            np.copyto(hybrids, a, where=mask)
