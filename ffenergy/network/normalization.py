"""Length normalisation: what Forward-Forward puts between layers so that goodness cannot pass.

A layer must not tell real from negative by the length of its input, because that length is the
goodness the layer below was trained on (Hinton 2022, arXiv 2212.13345, section 2).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from ffenergy.network import Array

DEFERRED: Final = "deferred"
WAYS: Final = ("eager", DEFERRED)
"""Normalised activities are made (eager), or their scale is applied to the product instead."""
NORMALIZATIONS: Final = ("unit_length", "mean_square")
EPSILON: Final = 1e-8  # a row of zeros stays a row of zeros instead of becoming NaN


def target_length(normalization: str, width: int) -> float:
    """Return the Euclidean length of a normalised row of ``width`` elements.

    ``unit_length`` gives 1 (the reference project), ``mean_square`` gives sqrt(width), so that
    the mean of the squares is 1 (Hinton's released code).
    """
    return {"unit_length": 1.0, "mean_square": math.sqrt(width)}[normalization]


def normalize(x: Array, length: float, out: Array) -> Array:
    """Scale every row of ``x`` (rows, width) to ``length``, into ``out`` of the same shape."""
    np.multiply(x, row_scales(x, length)[:, None], out=out)
    return out


def row_scales(x: Array, length: float) -> Array:
    """Return what each row of ``x`` (rows, width) is multiplied by to have ``length``: (rows,)."""
    squares: Array = np.vecdot(x, x)
    return scales_of(squares, length, squares)


def scales_of(squares: Array, length: float, out: Array) -> Array:
    """As :func:`row_scales`, from the rows' sums of squares (rows,), into ``out`` (rows,)."""
    np.sqrt(squares, out=out)
    out += EPSILON
    np.divide(length, out, out=out)
    return out
