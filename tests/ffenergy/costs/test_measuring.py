"""A measured step of every algorithm moves what a step of its training moves."""

from __future__ import annotations

import dataclasses

import pytest

from ffenergy.cli.measure import measurable
from ffenergy.costs.measuring import measure, random_dataset
from ffenergy.costs.run_costs import price_steps
from ffenergy.errors import SettingsError
from ffenergy.rules.registry import rules
from ffenergy.settings import Settings
from ffenergy.training import train

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,8", n_epochs=1, softmax_epochs=1, batch_size=50, n_train=200
)
DATA = random_dataset(SETTINGS, 200)
DATA = dataclasses.replace(DATA, test_images=DATA.train_images, test_labels=DATA.train_labels)
MOVED = ["bytes_read", "bytes_written"]


@pytest.mark.parametrize(
    ("algorithm", "way"),
    [(name, "recompute") for name, kind in rules().items() if measurable(kind)]
    + [("ff-greedy", "store")],
)
def test_measured_priced_and_trained_steps_agree(algorithm: str, way: str) -> None:
    settings = SETTINGS.replace(greedy_input=way)
    measured = measure(algorithm, settings, steps=3)
    moved = measured.traffic[MOVED].sum()
    trained = [
        s for s in train(algorithm, settings, DATA).signatures if str(s["name"]).startswith("train")
    ]
    assert len(trained) == (2 if algorithm == "ff-greedy" else 1)
    assert moved.tolist() == [3 * sum(int(s[name]) for s in trained) for name in MOVED]
    prices = price_steps([algorithm], settings, [])
    assert set(prices.steps["digest"]) == {s["digest"] for s in trained}
    reuse = prices.reuse[
        (prices.reuse["accounting"] == "eager") & (prices.reuse["grain"] == "operation")
    ]
    assert (3 * reuse[MOVED].sum()).tolist() == moved.tolist()


def test_every_algorithm_can_be_measured_and_no_other() -> None:
    assert [name for name, kind in rules().items() if not measurable(kind)] == ["random", "ridge"]
    assert measure("random", SETTINGS).traffic["phase"].eq("head").any()
    with pytest.raises(SettingsError, match="unknown algorithm 'none'; choose one of ff"):
        measure("none", SETTINGS)
