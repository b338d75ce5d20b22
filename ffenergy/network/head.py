"""Softmax with cross-entropy: the output of backprop and the linear head on frozen features.

Targets are rows of the identity matrix (one-hot), gathered like images, so that every count
depends on shapes alone.
"""

from __future__ import annotations

import numpy as np

from ffenergy.network import Array

CLASSES = 10


def one_hot(labels: np.ndarray, dtype: str) -> np.ndarray:
    """Return the targets (n, 10) of ``labels`` (n,) of 0 to 9."""
    targets: np.ndarray = np.eye(CLASSES, dtype=dtype)[labels]
    return targets


def cross_entropy(scores: Array, targets: Array) -> tuple[Array, Array]:
    """Return every case's loss (rows,) and d mean(loss) / d scores (rows, classes).

    ``scores`` (rows, classes) are overwritten; ``targets`` has their shape. Each row's largest
    score is subtracted first, so that no exponential overflows.
    """
    scores -= np.max(scores, axis=1, keepdims=True)
    right: Array = np.vecdot(scores, targets)
    delta = np.exp(scores)
    total = np.sum(delta, axis=1)
    loss: Array = np.log(total)
    loss -= right
    delta /= total[:, None]
    delta -= targets
    delta *= 1 / scores.shape[0]
    return loss, delta


def wrong_answers(scores: Array, labels: Array) -> Array:
    """Return how many rows of ``scores`` (rows, classes) are not largest at their label, 0-d."""
    wrong: Array = np.sum(np.not_equal(np.argmax(scores, axis=1), labels))
    return wrong
