"""Subnormal numbers are zero while training, and only then; what is learned does not change."""

from __future__ import annotations

import contextlib
import dataclasses
import platform

import numpy as np
import pytest

from ffenergy.data import load
from ffenergy.settings import Settings
from ffenergy.training import driver, train
from ffenergy.training.bits import flushed

CAN_FLUSH = (platform.system(), platform.machine()) == ("Linux", "x86_64")
TINY = np.float32(1e-40)


def kept() -> bool:
    """Whether the product of a subnormal number, and one that becomes subnormal, are kept."""
    operand = np.full(8, TINY) * np.float32(0.5)
    result = np.full(8, 1e-30, np.float32) * np.float32(1e-10)
    assert (operand != 0).all() == (result != 0).all()
    return bool(operand[0] != 0)


def test_they_are_zero_within_the_block_alone() -> None:
    assert kept()
    with flushed():
        assert kept() is not CAN_FLUSH
        with flushed():
            pass
        assert kept() is not CAN_FLUSH
    assert kept()
    with pytest.raises(ValueError, match="stop"), flushed():
        raise ValueError("stop")
    assert kept()


def test_normal_numbers_are_as_ever() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.uniform(0.5, 2, 10_000).astype(np.float32) * np.float32(1e-20)
    expected = np.sqrt(numbers) * numbers[::-1] / np.float32(3e-20)
    with flushed():
        found = np.sqrt(numbers) * numbers[::-1] / np.float32(3e-20)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("algorithm", ["ff", "bp"])
def test_training_ends_alike(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,600 steps with decay: weights of pixels that no image has lit become subnormal."""
    settings = Settings.from_preset("quick").replace(
        layer_sizes="784,8,8", n_train=200, batch_size=10, weight_decay=0.01, n_epochs=80,
        softmax_epochs=1, temperature=1.0,
    )  # fmt: skip
    data = load(offline=True, progress=False)
    few = data.test_images[:100], data.test_labels[:100]  # looked at after every epoch
    data = dataclasses.replace(data, test_images=few[0], test_labels=few[1])
    found = train(algorithm, settings, data, traced=False)
    monkeypatch.setattr(driver, "flushed", contextlib.nullcontext)
    expected = train(algorithm, settings, data, traced=False)
    assert found.test_error == expected.test_error
    small = np.finfo(np.float32).smallest_normal
    weights = [abs(w) for key, w in expected.weights.items() if key.endswith("/W")]
    assert any(((w > 0) & (w < small)).any() for w in weights)
    for key, weight in expected.weights.items():
        np.testing.assert_allclose(found.weights[key], weight, rtol=1e-5, atol=1e-7)
