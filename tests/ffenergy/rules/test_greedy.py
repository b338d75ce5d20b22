"""Forward-Forward layer by layer: what learns when, what is stored, what it costs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ffenergy.costs.measuring import random_dataset
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import run_kinds
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.greedy import GreedyForwardForward
from ffenergy.rules.kit.host import chunks
from ffenergy.settings import Settings
from ffenergy.training import train
from instrumented import Trace, Untraced

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,10,8", n_epochs=3, softmax_epochs=1, batch_size=100
)
DATA = random_dataset(SETTINGS, 250)
DATA = dataclasses.replace(
    DATA, test_images=DATA.train_images[:50], test_labels=DATA.train_labels[:50]
)
WAYS = ["recompute", "store"]


def weights_after(algorithm, settings):
    """The parameters after every epoch, by stage and epoch."""
    seen = {}

    def look(stage, epoch, weights):
        seen[stage, epoch] = weights()

    train(algorithm, settings, DATA, traced=False, after_epoch=look)
    return seen


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("passes", ["joined", "separate"])
def test_one_layer_learns_at_a_time(way, passes):
    settings = SETTINGS.replace(greedy_input=way, passes=passes)
    seen = weights_after("ff-greedy", settings)
    stages = ["layer1", "layer2", "layer3"]
    before = ForwardForward(
        Untraced(),
        settings,
        np.zeros((250, 16), np.float32),
        np.random.default_rng(0),
        np.random.default_rng(0),
    )
    assert [layer.name for layer in before.layers] == stages
    for stage in stages:
        first, last = seen[stage, 1], seen[stage, 3]
        for name in stages:
            changed = not np.array_equal(first[f"{name}/W"], last[f"{name}/W"])
            assert changed == (name == stage), (stage, name)


@pytest.mark.parametrize("way", WAYS)
def test_the_first_layer_learns_as_if_in_parallel_with_the_others(way):
    """It sees the same batches and the same hybrids, and no layer tells it anything."""
    greedy = weights_after("ff-greedy", SETTINGS.replace(greedy_input=way))["layer1", 3]
    parallel = weights_after("ff", SETTINGS)["layers", 3]
    np.testing.assert_array_equal(greedy["layer1/W"], parallel["layer1/W"])
    np.testing.assert_array_equal(greedy["layer1/b"], parallel["layer1/b"])


def all_rows(*passing):
    return chunks(250)


def test_stored_inputs_are_the_activities_of_the_layers_below():
    images = np.random.default_rng(1).random((250, 16)).astype(np.float32)
    settings = SETTINGS.replace(greedy_input="store")
    rngs = [np.random.default_rng(k) for k in (2, 3, 4)]
    network = GreedyForwardForward(Untraced(), settings, images, *rngs)
    network.learn(2, all_rows)
    activities = images.astype(np.float64)
    for layer in network.layers[:2]:  # each input at mean square 1, then ReLU
        scaled = activities / np.sqrt((activities**2).mean(axis=1, keepdims=True))
        activities = np.maximum(scaled @ layer.weights + layer.bias, 0)
    stored: Any = network.stored
    real, hybrid = stored
    np.testing.assert_allclose(real, activities, rtol=1e-4, atol=1e-5)
    assert hybrid.shape == real.shape == (250, 10)
    assert not np.allclose(hybrid, real)


def traffic_of_a_step(way, k):
    """Bytes (read, written) by layer and phase of one step in which layer ``k`` learns."""
    settings = SETTINGS.replace(greedy_input=way)
    trace = Trace(strict=True)
    images = trace.array(np.random.default_rng(1).random((250, 16)).astype(np.float32))
    rngs = [np.random.default_rng(n) for n in (2, 3, 4)]
    network = GreedyForwardForward(trace, settings, images, *rngs)
    network.learn(k, all_rows)
    network.step(trace.array(np.arange(100)), 1e-3)
    frame = trace.to_frame(by_step=True)
    step = frame[frame["step"] == frame["step"].max()]
    sums = step.groupby(["layer", "phase"])[["bytes_read", "bytes_written"]].sum()
    return {key: tuple(row) for key, row in zip(sums.index, sums.to_numpy().tolist(), strict=True)}


def test_a_step_on_stored_inputs_touches_one_layer_and_gathers_what_is_below():
    moved = traffic_of_a_step("store", 1)
    assert {layer for layer, _ in moved} == {"layer1", "layer2"}
    # Twice (real, hybrid): 100 rows of 12 float32 and 100 int64 row numbers read, the rows written.
    assert moved["layer1", "forward"] == (2 * (100 * 12 * 4 + 100 * 8), 2 * 100 * 12 * 4)
    assert [phase for layer, phase in moved if layer == "layer1"] == ["forward"]


def test_a_step_on_recomputed_inputs_passes_through_the_frozen_layers():
    moved = traffic_of_a_step("recompute", 1)
    # 200 rows, 16 -> 12, float32. Product: x, W read, h written; bias: h and b read, h written;
    # ReLU: h read and written.
    h = 200 * 12 * 4
    assert moved["layer1", "forward"] == (200 * 16 * 4 + 16 * 12 * 4 + (h + 12 * 4) + h, 3 * h)
    assert {phase for layer, phase in moved if layer == "layer1"} == {"normalize", "forward"}
    assert ("input", "negatives") in moved
    assert ("layer3", "forward") not in moved


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_step_of_a_run_is_priced(way):
    settings = SETTINGS.replace(greedy_input=way)
    result = train("ff-greedy", settings, DATA)
    warned = []
    results = {"ff-greedy": {"signatures": result.signatures}}
    kinds = run_kinds(results, Workload(settings, 250, 50), warned.append)
    assert not warned
    assert sum(kind.steps for kind in kinds) == sum(int(s["steps"]) for s in result.signatures)
    assert result.steps == 3 * 3 * 3  # layers, epochs, batches (two full, one short)
    assert result.samples == 3 * 250  # an image counts once an epoch, however many layers there are
