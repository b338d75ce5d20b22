"""Arrays that the pictures need beside weights and tables; computed once and kept with the run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ffenergy.data import Dataset
from ffenergy.network.negatives import HybridMaker
from ffenergy.settings import Settings
from ffenergy.trained.activities import activities
from instrumented import Untraced

COLUMNS = 6
CASES = 1000
PARTS = ("a", "b", "mask", "hybrid")


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
            found[f"goodness/layer{k}/{kind}"] = np.vecdot(h, h) / h.shape[1]
    return found


def _mixed(data: Dataset, settings: Settings, count: int) -> dict[str, np.ndarray]:
    images = data.test_images.reshape(len(data.test_images), -1).astype(np.float32) / 255
    rng = np.random.default_rng([settings.seed, count])
    maker = HybridMaker(Untraced(), images, "independent", settings.n_blur, rng)
    a = images[:count]
    b = images[maker.draw(len(a))]
    mask = maker.masks(len(a))
    return {"a": a, "b": b, "mask": mask.astype(np.float32), "hybrid": np.where(mask, a, b)}
