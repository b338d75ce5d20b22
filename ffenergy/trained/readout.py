"""The test error of frozen features, read out linearly in a second: for films, not for tables.

A softmax head after every snapshot would cost as much as the training that is shown. Ridge
regression onto the labels has one solution and no learning rate. Its error is not the head's, and
may lie on either side of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from ffenergy.data import Dataset
from ffenergy.network.head import CLASSES
from ffenergy.settings import Settings
from ffenergy.trained.activities import features

IMAGES: Final = 10_000  # the first training images
RIDGE: Final = 1e-3  # of the mean square of a feature; found on training images 50,001 to 60,000


def images_used(settings: Settings, data: Dataset) -> int:
    """How many training images the regression sees."""
    return min(IMAGES, settings.n_train or IMAGES, len(data.train_images))


def name(settings: Settings, data: Dataset) -> str:
    """How the error was found, in words."""
    return f"ridge regression on {images_used(settings, data):,} images"


def readout_error(weights: Mapping[str, np.ndarray], settings: Settings, data: Dataset) -> float:
    """Percent of test images that a ridge regression on the head's features gets wrong."""
    count = images_used(settings, data)
    seen, unseen = (
        features(weights, settings, images.reshape(len(images), -1) / 255).astype(np.float64)
        for images in (data.train_images[:count], data.test_images)
    )
    gram = seen.T @ seen
    gram += RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    targets = np.eye(CLASSES)[data.train_labels[:count]] - 1 / CLASSES
    guesses = unseen @ np.linalg.solve(gram, seen.T @ targets)
    return 100 * float(np.mean(guesses.argmax(axis=1) != data.test_labels))
