"""Schedules, momentum and peer normalisation by hand; blurs beyond float32; settings refused."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.errors import SettingsError
from ffenergy.network.negatives import HybridMaker
from ffenergy.network.optimizers import learning_rate, make_optimizer
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Untraced


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("linear_second_half", [1.0, 1.0, 1.0, 0.5]),  # 2 * (4 - t) / 4, at most 1
        ("linear", [1.0, 0.75, 0.5, 0.25]),  # (4 - t) / 4
    ],
)
def test_schedules_over_four_steps(schedule, rates):
    assert [learning_rate(schedule, 1.0, t, 4) for t in range(4)] == rates


def test_an_unknown_schedule_is_refused():
    with pytest.raises(SettingsError, match="schedule is 'lineer'; choose one of constant"):
        learning_rate("lineer", 1.0, 0, 4)


def test_momentum_smooths_the_gradient():
    w, g = np.zeros(1), np.empty(1)
    momentum = make_optimizer("momentum", Untraced(), w, g)
    smooth = expected = 0.0
    for gradient in (1.0, -2.0, 0.5):
        g[:] = gradient
        momentum.update(0.1)
        smooth = 0.9 * smooth + 0.1 * gradient
        expected -= 0.1 * smooth
        np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_peer_normalisation_pulls_every_positive_case_towards_its_peers():
    images = np.random.default_rng(3).random((9, 6))
    deltas = []
    for strength in (0.0, 0.5):
        settings = Settings.from_preset("quick").replace(
            layer_sizes=(6, 4), batch_size=3, dtype="float64", peer_strength=strength,
            goodness="sum", temperature=2.0,
        )  # fmt: skip
        ff = ForwardForward(
            Untraced(), settings, images, np.random.default_rng(0), np.random.default_rng(1)
        )
        ff.step(np.array([0, 4, 7]), 0.0)
        deltas.append(ff.room(3).passes[0].delta[0].copy())
    # m = 0.9 * 0.5 + 0.1 * mean activity of the 3 positives
    means = 0.45 + 0.1 * ff.room(3).passes[0].h[0][:3].mean(axis=0)
    # descent adds strength * (mean(m) - m), scaled by d logit / d h = 2 h / temperature and 2 B = 6
    pull = -2 / 2.0 / 6 * 0.5 * (means.mean() - means)
    np.testing.assert_allclose(deltas[1][:3] - deltas[0][:3], np.tile(pull, (3, 1)), atol=1e-15)
    np.testing.assert_array_equal(deltas[1][3:], deltas[0][3:])


def test_ten_blurs_agree_with_the_sequential_blur_in_float64():
    maker = HybridMaker(
        Untraced(), np.zeros((2, 784), np.float32), "shared", 10, np.random.default_rng(5)
    )
    masks = maker.masks(20)
    for image, mask in zip(
        np.random.default_rng(5).integers(0, 2, size=(20, 28, 28), dtype=np.bool_),
        masks,
        strict=True,
    ):
        smooth = image.astype(np.float64)
        for _ in range(10):
            for axis in (0, 1):
                around = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
                padded = np.pad(smooth, around, mode="edge")
                left, here, right = (np.take(padded, np.arange(k, k + 28), axis) for k in range(3))
                smooth = 0.25 * left + 0.5 * here + 0.25 * right
        np.testing.assert_array_equal(mask.reshape(28, 28), smooth > 0.5)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"layer_sizes": "784,x"}, "'x'"),
        ({"goodness": "median"}, "goodness"),
        ({"optimizer": "lion"}, "optimizer"),
        ({"batch_size": 0}, "batch_size"),
        ({"lr": -1.0}, "lr"),
        ({"lr": float("nan")}, "lr"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_in_one_line(overrides, message):
    with pytest.raises(SettingsError, match=message) as refusal:
        Settings.from_preset("quick").replace(**overrides)
    assert "\n" not in refusal.value.message


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(SettingsError, match="quick"):
        Settings.from_preset("fast")
