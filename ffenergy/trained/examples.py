"""Arrays that the pictures need beside weights and tables; computed once and kept with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ffenergy.data import Dataset
from ffenergy.network.negatives import HybridMaker
from ffenergy.settings import Settings
from ffenergy.trained.activities import activities
from instrumented import Untraced

COLUMNS = 6
CASES = 1000
PARTS = ("a", "b", "mask", "hybrid")
UNITS: Final = 8  # per layer, those of largest incoming weight norm
IMAGES: Final = 50  # of the test images, those that excite a unit most


def hybrids(data: Dataset, settings: Settings) -> dict[str, np.ndarray]:
    """Six test images a, their partners b, the masks and the hybrids, "hybrid/a" and so on.

    Each (6, 28, 28) float32 in [0, 1]; mask 1 takes the pixel from a.
    """
    mixed = _mixed(data, settings, COLUMNS)
    shape = (-1, *data.test_images.shape[1:])
    return {f"hybrid/{part}": mixed[part].reshape(shape) for part in PARTS}


def goodness(
    weights: Mapping[str, np.ndarray], settings: Settings, data: Dataset
) -> dict[str, np.ndarray]:
    """Goodness per neuron, mean(h²), of 1000 real and 1000 hybrid test images in every layer.

    `weights` as "layer1/W" (fan_in, width), "layer1/b" (width,). Returns "goodness/layer1/real"
    and "goodness/layer1/hybrid", each (cases,), on the scale of `Settings.threshold`.
    """
    mixed = _mixed(data, settings, CASES)
    found = {}
    for kind, x in (("real", mixed["a"]), ("hybrid", mixed["hybrid"])):
        for k, h in enumerate(activities(weights, settings, x), start=1):
            with np.errstate(over="ignore"):  # of a training about to diverge
                found[f"goodness/layer{k}/{kind}"] = np.vecdot(h, h) / h.shape[1]
    return found


def preferred_inputs(
    weights: Mapping[str, np.ndarray], settings: Settings, data: Dataset
) -> dict[str, np.ndarray]:
    """What units of every hidden layer respond to, as images.

    A weight of a deeper layer has no pixel, and a product of weight matrices would leave out every
    ReLU and normalisation between. So a unit is shown by what drives it: the mean of the test
    images that excite it most, less the mean of all. Red is ink that it wants, blue ink that it
    does not; a unit that prefers nothing in particular comes out blank.

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


def _mixed(data: Dataset, settings: Settings, count: int) -> dict[str, np.ndarray]:
    images = data.test_images.reshape(len(data.test_images), -1).astype(np.float32) / 255
    rng = np.random.default_rng([settings.seed, count])
    maker = HybridMaker(Untraced(), images, "independent", settings.n_blur, rng)
    a = images[:count]
    b = images[maker.draw(len(a))]
    mask = maker.masks(len(a))
    return {"a": a, "b": b, "mask": mask.astype(np.float32), "hybrid": np.where(mask, a, b)}
