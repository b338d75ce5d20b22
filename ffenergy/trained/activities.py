"""What trained dense layers answer to images, in plain arrays: for pictures, not for counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ffenergy.network.normalization import normalize, target_length
from ffenergy.settings import Settings


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
