"""What units of deeper layers respond to, as images.

A weight of a deeper layer has no pixel, and a product of weight matrices would leave out every
ReLU and normalisation between. So a unit is shown by what drives it: the mean of the test images
that excite it most, less the mean of all test images. Red is ink that it wants, blue ink that it
does not; a unit that prefers nothing in particular comes out blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ffenergy.data import Dataset
from ffenergy.settings import Settings
from ffenergy.trained.activities import activities

UNITS: Final = 8  # per layer, those of largest incoming weight norm
IMAGES: Final = 50  # of the test images, those that excite a unit most


def preferred_inputs(
    weights: Mapping[str, np.ndarray], settings: Settings, data: Dataset
) -> dict[str, np.ndarray]:
    """Preferred inputs of units of every hidden layer.

    `weights` as "layer1/W" (fan_in, width), "layer1/b" (width,). Returns per layer
    "preferred/layer1/images" (units, height, width), in pixels of [0, 1] above or below the mean
    image, and "preferred/layer1/units" (units,), their numbers.
    """
    shape = data.test_images.shape
    pixels = data.test_images.reshape(shape[0], -1).astype(settings.dtype) / 255
    mean = pixels.mean(axis=0)
    found = {}
    for k, h in enumerate(activities(weights, settings, pixels), start=1):
        layer = f"layer{k}"
        units = np.argsort(-np.linalg.norm(weights[f"{layer}/W"], axis=0), kind="stable")[:UNITS]
        strongest = np.argsort(-h[:, units], axis=0, kind="stable")[:IMAGES]
        images = pixels[strongest].mean(axis=0) - mean
        found[f"preferred/{layer}/images"] = images.reshape(-1, *shape[1:])
        found[f"preferred/{layer}/units"] = units
    return found
