"""What the hidden layers of a cell have learned: activity, likeness of fields, separation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ffenergy.data import Dataset
from ffenergy.rules import registry
from ffenergy.settings import Settings
from ffenergy.trained.activities import activities

IMAGES: Final = 1000


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
