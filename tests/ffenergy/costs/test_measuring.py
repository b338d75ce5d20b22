"""A measured step of every algorithm moves what a step of its training moves."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from ffenergy import machine_memory
from ffenergy.cli.measure import measurable
from ffenergy.costs import rehearsal
from ffenergy.costs.measuring import check_memory, measure, random_dataset
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.run_costs import price_steps
from ffenergy.errors import SettingsError
from ffenergy.network import Array
from ffenergy.network.dense import DenseLayer
from ffenergy.rules.registry import rules
from ffenergy.settings import Settings
from ffenergy.training import train

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,8", n_epochs=1, softmax_epochs=1, batch_size=50, n_train=200
)
DATA = random_dataset(SETTINGS, 200)
DATA = dataclasses.replace(DATA, test_images=DATA.train_images, test_labels=DATA.train_labels)
MOVED = ["bytes_read", "bytes_written"]


def test_labels_that_an_image_has_no_room_for_are_refused() -> None:
    with pytest.raises(SettingsError, match="starts at 9, but ff-label writes the label into 10"):
        measure("ff-label", SETTINGS.replace(layer_sizes="9,12"))


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


NETWORKS = {
    "dense": {},
    "plain gradient descent, stored inputs": {"optimizer": "sgd", "greedy_input": "store"},
    "local fields": {"layer_sizes": "64,32,12", "local_fields": "4x4/4x8,2x2/1x12"},
    "decay and peers": {"weight_decay": 0.01, "peer_strength": 0.01},
}


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("algorithm", rules())
def test_steps_are_the_same_where_no_values_are_computed(
    algorithm: str, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Workload(SETTINGS.replace(**changes), 120, 30)
    found = []
    for most in (None, 0):
        monkeypatch.setattr(rehearsal, "COMPUTED", most)
        found.append(rehearse(algorithm, work))
    told = [[(k.kind.label, k.steps, k.signature.digest) for k in one.kinds] for one in found]
    assert told[1] == told[0]
    # a closed form needs values: zeros cannot be solved for
    assert found[1].computed == (None if algorithm == "ridge" else 0)


def test_a_rule_whose_training_looks_at_values_has_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It leaves a layer alone whose gradient is nil, which uncomputed ones may seem to be."""
    learn = DenseLayer.learn

    def looks(layer: DenseLayer, below: Array, delta: Array, rate: float, **others: Any) -> None:
        if np.any(layer.trace.escape(delta)):
            learn(layer, below, delta, rate, **others)

    monkeypatch.setattr(DenseLayer, "learn", looks)
    monkeypatch.setattr(rehearsal, "COMPUTED", 0)
    found = rehearse("bp", Workload(SETTINGS, 120, 30))
    assert found.computed is None
    assert any(found.counts((kind, 1) for kind in found.kinds)["phase"] == "optimizer")


GROWTH = """
import resource
from ffenergy.costs.measuring import measure
from ffenergy.settings import Settings

settings = Settings.from_preset("quick").replace(layer_sizes="784,8000,8000", batch_size=10)
measure("bp", settings.replace(layer_sizes="784,80,80"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure("bp", settings)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_arrays_that_are_large_take_no_memory() -> None:
    """The second layer has 256 MB of weights, and as much of gradient and of each moment."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) * 1024 < 128e6


def test_room_for_the_features_of_a_head_is_asked_for_first() -> None:
    wide = SETTINGS.replace(layer_sizes="784,50000")
    with machine_memory.limited(3 * 10**9):
        check_memory(wide, ["bp"], 60_000)
        with pytest.raises(SettingsError, match="12 GB of memory"):
            check_memory(wide, ["bp", "ff"], 60_000)


def test_every_algorithm_can_be_measured_and_no_other() -> None:
    assert [name for name, kind in rules().items() if not measurable(kind)] == ["random", "ridge"]
    assert measure("random", SETTINGS).traffic["phase"].eq("head").any()
    with pytest.raises(SettingsError, match="unknown algorithm 'none'; choose one of ff"):
        measure("none", SETTINGS)
    with pytest.raises(SettingsError, match="or name one of your own with --rule module:Class"):
        measure("none", SETTINGS)
