"""Negatives and Adam against slow obvious twins; traced against untraced; steps against totals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ffenergy.data import Dataset
from ffenergy.errors import SettingsError
from ffenergy.network.negatives import HybridMaker
from ffenergy.network.optimizers import make_optimizer
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.settings import Settings
from ffenergy.training import Diverged, train
from instrumented import Untraced


def slow_blur(image):
    """One blur with [1/4, 1/2, 1/4] along both axes, edges repeated, in float32."""
    for axis in (1, 0):
        padded = np.pad(image, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        n = image.shape[axis]
        parts = [np.take(padded, np.arange(k, k + n), axis=axis) for k in range(3)]
        quarter, half = np.float32(0.25), np.float32(0.5)
        image = quarter * parts[0] + half * parts[1] + quarter * parts[2]
    return image


@pytest.mark.parametrize("n_blur", [0, 1, 2, 6])
def test_masks_equal_the_sequential_blur(n_blur):
    images = np.zeros((3, 784), np.float32)
    fast = HybridMaker(Untraced(), images, "shared", n_blur, np.random.default_rng(5)).masks(8)
    bits = np.random.default_rng(5).integers(0, 2, size=(8, 28, 28), dtype=np.bool_)
    for bit, mask in zip(bits, fast, strict=True):
        smooth = bit.astype(np.float32)
        for _ in range(n_blur):
            smooth = slow_blur(smooth)
        np.testing.assert_array_equal(mask.reshape(28, 28), smooth > 0.5)


@pytest.mark.parametrize("pairs", ["shared", "independent"])
def test_hybrids_take_every_pixel_from_one_of_two_images(pairs):
    images = np.repeat(np.arange(1, 6, dtype=np.float32)[:, None], 784, axis=1)
    maker = HybridMaker(Untraced(), images, pairs, 6, np.random.default_rng(0))
    hybrids, positives = np.empty((4, 784), np.float32), images[:4].copy()
    maker.fill(hybrids, positives)
    for row, positive in zip(hybrids, positives, strict=True):
        values = set(np.unique(row))
        assert len(values) <= 2
        if pairs == "shared" and len(values) == 2:
            assert positive[0] in values


@pytest.mark.parametrize(("kind", "decayed"), [("adam", 0), ("adamw", 40)])
def test_adam_and_adamw_equal_their_textbook_forms(kind, decayed):
    """Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2; no bias decays."""
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=50), np.empty(50)
    optimizer = make_optimizer(kind, Untraced(), w, g, decay=0.3, biases=10)
    expected, m, v = w.copy(), np.zeros(50), np.zeros(50)
    for t in range(1, 21):
        gradient = rng.normal(size=50)
        g[:] = gradient
        optimizer.update(0.01)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        step[:decayed] += 0.3 * expected[:decayed]
        expected -= 0.01 * step
    np.testing.assert_allclose(w, expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [ForwardForward, Backprop, MonoForward])
def test_without_decay_adamw_takes_the_steps_of_adam(kind):
    found = []
    for optimizer in ("adam", "adamw"):
        for decay in (0.0, 0.3):
            settings = Settings.from_preset("quick").replace(
                layer_sizes=(6, 5, 4), batch_size=3, optimizer=optimizer, weight_decay=decay,
                bp_weight_decay=decay,
            )  # fmt: skip
            rng = np.random.default_rng(0)
            images = rng.random((9, 6), np.float32)
            targets = (
                (rng,) if kind is ForwardForward else (np.eye(10, dtype="f4")[:9], np.arange(9))
            )
            network = kind(Untraced(), settings, images, *targets, np.random.default_rng(1))
            network.step(np.array([0, 4, 7]), 0.01)
            found.append(np.concatenate([layer.plain for layer in network.layers]))
    adam, adam_l2, adamw, adamw_decayed = found
    np.testing.assert_array_equal(adam, adamw)
    assert not np.array_equal(adam_l2, adamw_decayed)
    assert not np.array_equal(adamw, adamw_decayed)


@pytest.fixture
def digits():
    rng = np.random.default_rng(0)
    return Dataset(
        name="mnist", source="made for a test", is_sample=True,
        train_images=rng.integers(0, 256, (50, 28, 28), dtype=np.uint8),
        train_labels=rng.integers(0, 10, 50, dtype=np.uint8),
        test_images=rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        test_labels=rng.integers(0, 10, 20, dtype=np.uint8),
    )  # fmt: skip


TINY = Settings.from_preset("quick").replace(
    layer_sizes=(784, 12, 10), batch_size=16, head_batch_size=16, n_epochs=2, softmax_epochs=2
)


@pytest.mark.parametrize("algorithm", ["ff", "bp", "random"])
def test_traced_and_untraced_give_the_same_bits(algorithm, digits):
    traced, untraced = (train(algorithm, TINY, digits, traced=t) for t in (True, False))
    assert untraced.traffic is None
    assert traced.weights.keys() == untraced.weights.keys()
    for name, weights in traced.weights.items():
        np.testing.assert_array_equal(weights, untraced.weights[name], strict=True)
    assert (traced.test_error, traced.train_error) == (untraced.test_error, untraced.train_error)


@pytest.mark.parametrize("algorithm", ["ff", "bp"])
def test_steps_times_signatures_are_the_totals(algorithm, digits):
    result: Any = train(algorithm, TINY, digits)
    training = [s for s in result.signatures if s["name"] == "train"]
    # 50 images in batches of 16: three full ones and one of 2, for 2 epochs
    assert sorted(s["steps"] for s in training) == [2, 6]
    assert len({s["digest"] for s in training}) == 2
    for column in ("bytes_read", "bytes_written", "flops"):
        inside = sum(s["steps"] * s[column] for s in result.signatures)
        assert inside == result.traffic[column].sum()


def test_counts_do_not_depend_on_the_seed(digits):
    first, second = (train("ff", TINY.replace(seed=seed), digits) for seed in (0, 1))
    assert first.traffic.equals(second.traffic)


def weights(algorithm, settings, digits):
    return train(algorithm, settings, digits, traced=False).weights


@pytest.mark.parametrize("algorithm", ["bp", "mono-forward"])
def test_supervised_rules_may_have_a_decay_of_their_own(algorithm, digits):
    """0.3 with a decay of its own of 0.1 is 0.1; without one (-1) it is 0.3; and FF's is 0.3."""
    shared, own = TINY.replace(weight_decay=0.3), TINY.replace(weight_decay=0.1)
    both = TINY.replace(weight_decay=0.3, bp_weight_decay=0.1)
    expected, found = weights(algorithm, own, digits), weights(algorithm, both, digits)
    other = weights(algorithm, shared, digits)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert any((other[name] != value).any() for name, value in expected.items())
    for name, value in weights("ff", shared, digits).items():
        np.testing.assert_array_equal(weights("ff", both, digits)[name], value)


def test_settings_of_earlier_versions_have_what_came_later():
    saved = TINY.replace(weight_decay=0.2).to_dict()
    del saved["bp_weight_decay"]
    assert Settings.from_saved(saved) == TINY.replace(weight_decay=0.2)
    assert Settings.from_saved(saved).supervised_decay == 0.2
    with pytest.raises(
        SettingsError, match=r"bp_weight_decay is -0\.5; it must be at least 0, or -1"
    ):
        TINY.replace(bp_weight_decay=-0.5)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_what_it_has(digits):
    with pytest.raises(Diverged, match="epoch") as stop:
        train("bp", TINY.replace(bp_lr=1e30, schedule="constant", n_epochs=5), digits)
    assert stop.value.partial.traffic is not None
    assert "\n" not in stop.value.message


@pytest.mark.parametrize("algorithm", ["ff", "bp", "mono-forward"])
def test_weights_that_the_last_step_made_no_numbers_are_no_result(algorithm, digits):
    """The one step's loss, of the weights before it, is finite; 1e39 is beyond float32."""
    one_step = {"n_epochs": 1, "batch_size": 10, "head_batch_size": 10, "n_train": 10}
    rates = {"lr": 1e39, "bp_lr": 1e39, "schedule": "constant", "softmax_epochs": 0}
    with pytest.raises(Diverged, match=f"{algorithm}: layer1/. has values that are not finite"):
        train(algorithm, TINY.replace(**one_step, **rates), digits, traced=False)
