"""What trained dense layers answer to images, in plain arrays: for pictures, not for counts.

Their activities; the test error that is read out of these linearly, in a second; and what a sweep
says of them: how active they are, how alike their fields, how well they tell real from hybrid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from ffenergy.data import Dataset
from ffenergy.network.head import CLASSES
from ffenergy.network.normalization import normalize, target_length
from ffenergy.rules import registry
from ffenergy.settings import Settings

IMAGES: Final = 1000  # the first test images, of which a sweep keeps what layers answer
READ_OUT_IMAGES: Final = 10_000  # the first training images
RIDGE: Final = 1e-3  # of the mean square of a feature; found on training images 50,001 to 60,000


def activities(
    weights: Mapping[str, np.ndarray],
    settings: Settings,
    pixels: np.ndarray,
    *,
    normalized: bool = True,
) -> Iterator[np.ndarray]:
    """Activities (n, width) of every hidden layer for ``pixels`` (n, pixels) in [0, 1].

    ``weights`` as "layer1/W" (fan_in, width), "layer1/b" (width,). Inputs are normalised as in
    training; ``normalized=False`` is for layers that take the activities below as they are.
    """
    below = pixels.astype(settings.dtype)
    for k in range(1, settings.n_layers + 1):
        with np.errstate(all="ignore"):  # as in training
            if normalized:
                length = target_length(settings.normalization, below.shape[1])
                below = normalize(below, length, np.empty_like(below))
            below = np.maximum(below @ weights[f"layer{k}/W"] + weights[f"layer{k}/b"], 0)
        yield below


def features(
    weights: Mapping[str, np.ndarray], settings: Settings, pixels: np.ndarray
) -> np.ndarray:
    """What the softmax head sees: the last hidden layers, scaled and side by side."""
    seen = list(activities(weights, settings, pixels))[-settings.head_layers :]
    lengths = [target_length(settings.head_feature_scale, h.shape[1]) for h in seen]
    return np.hstack(
        [normalize(h, length, np.empty_like(h)) for h, length in zip(seen, lengths, strict=True)]
    )


def images_used(settings: Settings, data: Dataset) -> int:
    """How many training images the regression sees."""
    return min(READ_OUT_IMAGES, settings.n_train or READ_OUT_IMAGES, len(data.train_images))


def readout_name(settings: Settings, data: Dataset) -> str:
    """How the error was found, in words."""
    return f"ridge regression on {images_used(settings, data):,} images"


def readout_error(weights: Mapping[str, np.ndarray], settings: Settings, data: Dataset) -> float:
    """Percent of test images that a ridge regression on the head's features gets wrong.

    For films, not for tables: a softmax head after every snapshot would cost as much as the
    training that is shown. Ridge regression onto the labels has one solution and no learning rate.
    Its error is not the head's, and may lie on either side of it.
    """
    count = images_used(settings, data)
    seen, unseen = (
        features(weights, settings, images.reshape(len(images), -1) / 255).astype(np.float64)
        for images in (data.train_images[:count], data.test_images)
    )
    gram = seen.T @ seen
    strength = RIDGE * np.trace(gram) / len(gram)
    gram += (strength or 1.0) * np.eye(len(gram))  # 0: no unit answers to anything
    targets = np.eye(CLASSES)[data.train_labels[:count]] - 1 / CLASSES
    guesses = unseen @ np.linalg.solve(gram, seen.T @ targets)
    return 100 * float(np.mean(guesses.argmax(axis=1) != data.test_labels))


def learned(
    algorithm: str,
    settings: Settings,
    weights: Mapping[str, np.ndarray],
    history: Sequence[Mapping[str, Any]],
    data: Dataset,
) -> list[dict[str, Any]]:
    """Return a row per hidden layer; ``weights`` has ``layer1/W`` (fan_in, width) and so on.

    active_percent: activities above 0, over all units and the first 1000 test images.
    dead_percent: units that are 0 for all of these images.
    field_cosine: mean absolute cosine between the incoming weights of two different units.
    separation_percent: cases told right, real from hybrid, in the last epoch; None where the
    algorithm learns from something else.
    """
    pixels = data.test_images[:IMAGES].reshape(-1, settings.layer_sizes[0]) / np.float32(255)
    normalized = registry.find(algorithm).normalizes_inputs
    layers = activities(weights, settings, pixels, normalized=normalized)
    rows = []
    for k, h in enumerate(layers, start=1):
        active = h > 0
        told = [float(row.get(f"separation_layer{k}") or math.nan) for row in history]
        told = [value for value in told if not math.isnan(value)]
        rows.append(
            {
                "layer": f"layer{k}",
                "active_percent": 100 * float(active.mean()),
                "dead_percent": 100 * float((~active.any(axis=0)).mean()),
                "field_cosine": likeness(weights[f"layer{k}/W"]),
                "separation_percent": told[-1] if told else None,
            }
        )
    return rows


def likeness(weights: np.ndarray) -> float:
    """Mean absolute cosine between two different columns of ``weights`` (fan_in, width).

    Columns of zeros are left out; NaN where fewer than two are left.
    """
    columns = weights.astype(np.float64)
    lengths = np.linalg.norm(columns, axis=0)
    columns = columns[:, lengths > 0] / lengths[lengths > 0]
    count = columns.shape[1]
    if count < 2:
        return float("nan")
    total = np.abs(columns.T @ columns).sum() - count  # the diagonal is every column with itself
    return float(total / (count * (count - 1)))
