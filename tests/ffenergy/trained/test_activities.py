"""What is said of the features of trained layers, on cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ffenergy.data import Dataset
from ffenergy.settings import Settings
from ffenergy.trained.activities import learned, likeness


def test_likeness_of_fields() -> None:
    # columns along x, along y, and at 45 degrees to both: |cos| of the pairs 0, √½ and √½
    weights = np.array([[2.0, 0.0, -1.0], [0.0, 3.0, 1.0]])
    assert likeness(weights) == pytest.approx(2 * math.sqrt(0.5) / 3)
    assert likeness(np.ones((4, 7), np.float32)) == pytest.approx(1)
    assert likeness(np.array([[1.0, 0.0, 1.0]])) == pytest.approx(1)  # the zero is left out
    assert math.isnan(likeness(np.array([[1.0, 0.0]])))


def test_activity_of_layers() -> None:
    """Two pixels, three units: one that always answers, one never, one to the first image."""
    images = np.array([[255, 0], [0, 255]], np.uint8).reshape(2, 1, 2)
    labels = np.zeros(2, np.uint8)
    data = Dataset("mnist", "two images", True, images, labels, images, labels)
    settings = Settings.from_preset("quick").replace(layer_sizes="2,3")
    weights = {
        "layer1/W": np.array([[1, -1, 1], [1, -1, -1]], np.float32),
        "layer1/b": np.zeros(3, np.float32),
    }
    history = [{"stage": "layers", "separation_layer1": s} for s in (60.0, 75.0)]
    history += [{"stage": "head", "separation_layer1": math.nan}]
    (row,) = learned("ff", settings, weights, history, data)
    assert row["active_percent"] == pytest.approx(100 * 3 / 6)
    assert row["dead_percent"] == pytest.approx(100 / 3)
    assert row["separation_percent"] == 75.0
    (plain,) = learned("bp", settings, weights, [], data)
    assert plain["active_percent"] == row["active_percent"]  # ReLU does not mind the scale
    assert plain["separation_percent"] is None
