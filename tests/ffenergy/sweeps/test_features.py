"""What is said of a cell's features, and of what its error cost, on cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ffenergy.data import Dataset
from ffenergy.report.pictures.sweep_costs import render, unbeaten
from ffenergy.settings import Settings
from ffenergy.sweeps.features import learned, likeness
from ffenergy.sweeps.targets import targets_table


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


def summary() -> pd.DataFrame:
    """Three trainings of FF, the cheapest not the worst; one of backprop."""
    table = pd.DataFrame(
        [("ff", 2, 4.0, 10.0), ("ff", 4, 2.5, 30.0), ("ff", 8, 2.8, 20.0), ("bp", 2, 1.4, 15.0)],
        columns=["algorithm", "n_epochs", "test_error_mean", "energy_joules"],
    )
    return table.assign(
        test_error_std=0.1,
        n=3,
        dataset="mnist",
        is_sample=False,
        error_on="test",
        accounting="eager",
        profile="jouppi-7nm-hbm2",
        bytes_read=[3, 5, 4, 6],
        bytes_written=[1, 1, 1, 1],
    )


def test_the_cheapest_way_to_a_target() -> None:
    found = targets_table(summary(), ["n_epochs", "seed"], "energy_joules")
    found = found.set_index(["algorithm", "target_error"])
    assert found.loc[("ff", 5.0), "training"] == "n_epochs=2"
    assert found.loc[("ff", 3.0), "training"] == "n_epochs=8"  # 20 J; 4 epochs cost 30 J
    assert found.loc[("ff", 3.0), "bytes_total"] == 4 + 1
    assert not found.loc[("ff", 2.0), "reached"]
    assert found.loc[("ff", 2.0), "test_error_mean"] == 2.5  # the least there is
    assert found.loc[("ff", 2.0), ["bytes_total", "energy_joules"]].isna().all()
    assert found.loc[("bp", 1.5), "energy_joules"] == 15.0


def test_the_line_joins_what_nothing_beats() -> None:
    cost, error = np.array([3.0, 1.0, 2.0, 2.0]), np.array([1.0, 5.0, 6.0, 2.0])
    assert unbeaten(cost, error).tolist() == [1, 3, 0]


def test_the_picture_of_costs_is_the_same_every_time() -> None:
    files = render(summary(), "energy_joules")
    assert set(files) == {"png", "svg"}
    assert files == render(summary(), "energy_joules")
    assert files["png"].startswith(b"\x89PNG")
