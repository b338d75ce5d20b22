"""Orders of computation: the same numbers bit for bit, priced and resumable like any run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ffenergy.network.dense
import ffenergy.network.optimizers
from ffenergy.costs.measuring import random_dataset
from ffenergy.costs.prices import PRICED_GRAIN
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.run_costs import price_steps
from ffenergy.costs.step_costs import reading_costs
from ffenergy.errors import SettingsError
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.greedy import GreedyForwardForward
from ffenergy.rules.hybrid_backprop import HybridBackprop
from ffenergy.rules.kit.host import chunks
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.settings import Settings
from ffenergy.training import Checkpoints, Interrupted, train
from instrumented import Untraced, analyse_live

BATCH, IMAGES = 10, 75  # eight batches, the last of them of five images
SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,10,8", batch_size=BATCH, head_batch_size=BATCH, n_epochs=2, softmax_epochs=1
)
WAYS: dict[str, dict[str, Any]] = {
    "adam": {},
    "momentum": {"optimizer": "momentum"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.3, "bp_weight_decay": 0.3},
    "sgd with decay": {"optimizer": "sgd", "weight_decay": 0.01, "bp_weight_decay": 0.01},
    "peers, separate passes": {"peer_strength": 0.1, "passes": "separate"},
    "independent halves": {"negative_pairs": "independent"},
    "local fields": {"local_fields": "2x2/2x3,1x1/1x3", "layer_sizes": "16,12,12"},
}
ORDERS: dict[str, dict[str, Any]] = {
    "two in flight": {"in_flight": 2},
    "three in flight, short last group": {"in_flight": 3},
    "all in flight": {"in_flight": 8},
}
RULES = ("ff", "ff-greedy recompute", "ff-greedy store", "mono-forward")


def network(rule: str, settings: Settings) -> Any:
    rng = np.random.default_rng(1)
    images = rng.random((IMAGES, 16)).astype(settings.dtype)
    labels = rng.integers(0, 10, IMAGES)
    streams = [np.random.default_rng(k) for k in (2, 3, 4)]
    if rule in ("ff", "bp-hybrid"):
        one = ForwardForward if rule == "ff" else HybridBackprop
        return one(Untraced(), settings, images, *streams[:2])
    if rule.startswith("ff-greedy"):
        settings = settings.replace(greedy_input=rule.split()[1])
        greedy = GreedyForwardForward(Untraced(), settings, images, *streams)
        greedy.learn(1, lambda *passing: chunks(IMAGES))
        return greedy
    kind = {"mono-forward": MonoForward, "bp": Backprop}[rule]
    return kind(Untraced(), settings, images, np.eye(10, dtype=np.float32)[labels], labels, rng)


def learned(rule: str, settings: Settings) -> tuple[dict[str, np.ndarray], Any]:
    """State and meters after one epoch, a learning rate a batch."""
    trained = network(rule, settings)
    index = np.random.default_rng(5).permutation(IMAGES)
    rates = [1e-2 / (1 + k) for k in range(8)]
    k = settings.batches_in_flight
    for first in range(0, 8, k):
        own = index[first * BATCH : (first + k) * BATCH]
        if settings.order == "step-major":
            trained.step(own, rates[first])
        else:
            trained.together(own, rates[first : first + k])
    parts = [layer.state() for layer in (*trained.layers, *getattr(trained, "projections", ()))]
    parts += [trained.means()] if rule.startswith("ff") else []
    return {key: value for part in parts for key, value in part.items()}, trained.read_meters()


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("rule", RULES)
def test_layer_major_order_learns_the_same_bits(
    rule: str, way: dict[str, Any], order: dict[str, Any]
) -> None:
    settings = SETTINGS.replace(**way)
    expected, meters = learned(rule, settings)
    for groups in ("", "2,1") if settings.n_layers == 3 else ("",):
        changed = settings.replace(order="layer-major", layer_groups=groups, **order)
        found, read = learned(rule, changed)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert read == meters


@pytest.mark.parametrize("way", [w for n, w in WAYS.items() if "peers" not in n])
@pytest.mark.parametrize("rule", ["bp", "bp-hybrid", *RULES])
def test_a_gradient_consumed_at_once_is_the_stored_one(
    rule: str, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONSUMED", "VISITED"):  # several blocks a layer
        monkeypatch.setattr(ffenergy.network.dense, name, 50)
    monkeypatch.setattr(ffenergy.network.optimizers, "BLOCK", 50)
    settings = SETTINGS.replace(**way)
    expected, meters = learned(rule, settings)
    groups = "1,1" if "local_fields" in way else "1,2"
    major = {"order": "layer-major", "in_flight": 5, "layer_groups": groups}
    tried = [{"gradient": "at-once"}, {"gradient": "one-visit"}]
    tried += [] if rule.startswith("bp") else [{"gradient": "one-visit", **major}]
    for changes in tried:
        found, read = learned(rule, settings.replace(**changes))
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            got, want = by_unit_or_input(name, found[name]), by_unit_or_input(name, value)
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=1e-6, err_msg=f"{name} {changes}")
        np.testing.assert_allclose(np.hstack(read), np.hstack(meters), rtol=1e-5)


def by_unit_or_input(name: str, value: np.ndarray) -> np.ndarray:
    """A part of a state; moments, which lie unit by unit or input by input, in order of size."""
    return np.sort(value) if name.endswith(("first", "second", "smooth")) else value


@pytest.mark.parametrize(("rule", "batches"), [("bp", 1), ("ff", 4), ("mono-forward", 4)])
def test_one_visit_saves_a_read_of_weights(rule: str, batches: int) -> None:
    """Two layers of 1 MiB each, no state, beyond a scratchpad of 224 KiB: what one visit saves.

    Backprop reads the weights of its second layer once less, local rules those of both once less
    in each of four batches but the first. What is on the chip at a turn, 224 KiB of each MiB
    at most, is read there by either; 5 % are rows, 8 KiB a batch, and backprop's head.
    """
    weights = 512 * 512 * 4
    settings = SETTINGS.replace(
        layer_sizes="512,512,512", batch_size=4, optimizer="sgd", normalize_as="deferred"
    )
    if batches > 1:
        settings = settings.replace(order="layer-major", in_flight=batches)
    moved = {}
    for gradient in ("at-once", "one-visit"):
        work = Workload(settings.replace(gradient=gradient), 64, 0)
        rehearsal = rehearse(rule, work, lambda kind: int(kind.trains_layers))
        found = next(one for one in rehearsal.kinds if one.kind.trains_layers)
        costs = reading_costs(rehearsal.record(found, 3), "fused", "scratchpad")
        missed = costs.analyses["fused", "scratchpad", PRICED_GRAIN].misses([224 * 1024])
        moved[gradient] = int(missed.sum())
    saved = weights if rule == "bp" else 3 * 2 * weights
    found_saved = moved["at-once"] - moved["one-visit"]
    assert (1 - 224 / 1024) * saved <= found_saved <= 1.05 * saved


def test_recomputed_activations_are_the_stored_ones() -> None:
    for way in (WAYS["adam"], WAYS["local fields"]):
        settings = SETTINGS.replace(**way)
        expected, meters = learned("bp", settings)
        found, read = learned("bp", settings.replace(bp_activations="recomputed"))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert read == meters


MAJOR = SETTINGS.replace(order="layer-major", in_flight=3)


@pytest.mark.parametrize("gradient", ["stored", "one-visit"])
@pytest.mark.parametrize("rule", ["ff", "ff-greedy", "mono-forward"])
def test_a_run_in_layer_major_order_ends_as_the_usual_one(
    rule: str, gradient: str, tmp_path: Path
) -> None:
    """Bit for bit; to rounding where products are cut into blocks, and still so when resumed."""
    data = random_dataset(SETTINGS, IMAGES)
    data = dataclasses.replace(data, test_images=data.train_images, test_labels=data.train_labels)
    changed = MAJOR.replace(gradient=gradient)
    usual, major = (train(rule, settings, data) for settings in (SETTINGS, changed))
    near = {"rtol": 0, "atol": 0} if gradient == "stored" else {"rtol": 2e-5, "atol": 1e-6}
    for name, value in usual.weights.items():
        np.testing.assert_allclose(major.weights[name], value, err_msg=name, **near)
    assert major.test_error == usual.test_error
    assert (major.samples, major.steps) == (usual.samples, usual.steps * 3 // 8)
    np.testing.assert_allclose(major.history["loss"], usual.history["loss"], rtol=1e-5)
    kept = Checkpoints(tmp_path, "orders")

    def stop(stage: str, epoch: int, weights: Any) -> None:
        if kept.found():
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        train(rule, changed, data, after_epoch=stop, checkpoints=kept)
    resumed = train(rule, changed, data, checkpoints=kept)
    for name, value in major.weights.items():
        np.testing.assert_array_equal(resumed.weights[name], value, err_msg=name)
    assert resumed.traffic is not None
    assert major.traffic is not None
    moved = ["bytes_read", "bytes_written"]
    assert resumed.traffic[moved].sum().tolist() == major.traffic[moved].sum().tolist()
    # the rehearsal knows a step of three batches, and the last one, of a full and a short batch
    rehearsal = rehearse(rule, Workload(changed, IMAGES, IMAGES))
    digests = {str(row["digest"]): row["steps"] for row in major.signatures}
    assert {one.signature.digest: one.steps for one in rehearsal.kinds} == digests
    sizes = {one.kind.samples for one in rehearsal.kinds if one.kind.trains_layers}
    assert sizes == {30, 15}


def test_a_batch_in_flight_costs_its_activities_between_groups() -> None:
    """Of the two boundaries between three layers one is crossed at a time: 12 or 10 floats a row.

    When the first layer has passed three batches, all three have 2 x 10 rows of 12 floats alive.
    """
    peaks = []
    for k in (1, 3):
        settings = SETTINGS.replace(order="layer-major", in_flight=k, batch_size=100)
        rehearsal = rehearse("ff", Workload(settings, 900, 0), lambda kind: int(not kind.short))
        recording = rehearsal.record(next(r for r in rehearsal.kinds if r.kind.trains_layers))
        peaks.append(analyse_live(recording.events, recording.buffers).peak_activation_bytes)
    assert peaks[1] - peaks[0] == 2 * (200 * 12 * 4)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"in_flight": 4}, "order is step-major, with in_flight 4"),
        ({"order": "layer-major", "layer_groups": "2,2"}, "layer_groups is '2,2'; .* 3 in all"),
        ({"order": "layer-major", "layer_groups": "3,0"}, "layer_groups is '3,0'"),
        ({"order": "zigzag"}, "choose one of step-major, layer-major"),
        ({"gradient": "at-once", "passes": "separate"}, "choose passes joined"),
    ],
)
def test_what_cannot_be_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        SETTINGS.replace(**changes)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("rule", RULES[:3])
def test_deferred_normalisation_is_the_eager_one_to_rounding(
    rule: str, way: dict[str, Any]
) -> None:
    settings = SETTINGS.replace(dtype="float64", **way)
    expected, meters = learned(rule, settings)
    deferred = settings.replace(normalize_as="deferred")
    for changed in (
        deferred,
        deferred.replace(order="layer-major", in_flight=3),
        *([] if "passes" in way else [deferred.replace(gradient="at-once")]),
    ):
        found, read = learned(rule, changed)
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(read, meters, rtol=1e-9)


def test_of_a_step_of_several_batches_one_is_set_against_one_of_backprop() -> None:
    """Three batches in flight: a third of what they move."""
    found = {}
    for name, settings in (("usual", SETTINGS), ("major", MAJOR)):
        small = settings.replace(n_train=90, layer_sizes="16,12")
        parts = price_steps(["ff", "bp"], small, []).decomposition
        eager = (parts["accounting"] == "eager") & (parts["grain"] == "operation")
        table = parts[eager & (parts["measure"] == "bytes_read")].set_index("part")
        found[name] = table.loc["total", ["backprop", "forward_forward"]].tolist()
    assert found["major"] == found["usual"]
