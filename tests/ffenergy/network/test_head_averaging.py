"""The mean of a head's parameters over its epochs: its weights, its bytes, and what it answers."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.rules.kit.head_stage import SoftmaxHead
from ffenergy.settings import Settings
from instrumented import Trace, Untraced

SETTINGS = Settings.from_preset("quick").replace(layer_sizes=(4, 3, 3), head_averaging=2.0)


def head(trace, settings=SETTINGS):
    rng = np.random.default_rng(0)
    features = trace.array(rng.random((6, 3), np.float32))
    targets = trace.array(np.eye(10, dtype=np.float32)[:6])
    return SoftmaxHead(trace, settings, features, targets, rng)


def test_the_mean_is_that_of_shamir_and_zhang():
    made = head(Untraced())
    seen, mean = [], None
    for epoch in range(1, 6):
        made.step(np.arange(6), 0.1)
        made.average()
        seen.append(made.layer.plain.copy())
        share = 3 / (epoch + 2)  # (η + 1) / (t + η), η = 2: 1, 3/4, 3/5, …
        mean = seen[0] if epoch == 1 else (1 - share) * mean + share * seen[-1]
    np.testing.assert_allclose(made.layer.plain_mean, mean, rtol=1e-5)
    x = np.random.default_rng(1).random((2, 3), np.float32)
    weights, bias = mean[:-10].reshape(3, 10), mean[-10:]
    np.testing.assert_allclose(made.scores(x), x @ weights + bias, rtol=1e-5)
    np.testing.assert_array_equal(
        made.layer.plain_parameters()["head/b"], made.layer.plain_mean[-10:]
    )


def test_without_averaging_the_last_parameters_answer():
    made = head(Untraced(), SETTINGS.replace(head_averaging=0.0))
    made.step(np.arange(6), 0.1)
    assert "head/mean" not in made.layer.state()
    np.testing.assert_array_equal(made.layer.plain_parameters()["head/b"], made.layer.plain[-10:])


def test_bytes_of_an_epochs_end_by_hand():
    trace = Trace(strict=True)
    head(trace).average()
    # (3 + 1) * 10 parameters of 4 bytes: values - mean, times a constant, mean += that
    n = 160
    assert (trace.traffic.bytes_read, trace.traffic.bytes_written) == (2 * n + n + 2 * n, n + n + n)


def test_the_mean_is_part_of_the_state():
    one, two = head(Untraced()), head(Untraced())
    for _ in range(2):
        one.step(np.arange(6), 0.1)
        one.average()
    two.layer.load(one.layer.state())
    for made in (one, two):
        made.step(np.arange(6), 0.1)
        made.average()
    np.testing.assert_array_equal(one.layer.plain_mean, two.layer.plain_mean)


@pytest.mark.parametrize("eta", [0.0, 2.0])
def test_it_is_rehearsed_once_an_epoch(eta):
    settings = SETTINGS.replace(head_averaging=eta, softmax_epochs=5, batch_size=10)
    kinds = rehearse("random", Workload(settings, 200, 50)).kinds
    found = {one.kind.label: one.steps for one in kinds}
    assert found.get("average") == (5 if eta else None)
