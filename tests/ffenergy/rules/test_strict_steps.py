"""No trainer operation runs on a bare array while it is traced.

A strict trace refuses a bare operand beside a traced one, but cannot see an operation on bare
arrays alone. So NumPy itself is watched here: within a step, the modules of the trainers may call
nothing with a plain array and get none back. Draws of random numbers go straight into
``trace.made``, which counts them.
"""

from __future__ import annotations

import numpy as np
import pytest

import ffenergy.network.head
import ffenergy.network.negatives
import ffenergy.network.normalization
import ffenergy.network.optimizers
import ffenergy.rules.backprop
import ffenergy.rules.forward_forward
import ffenergy.rules.kit.head_stage
import ffenergy.rules.kit.networks
import ffenergy.rules.kit.passes
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.kit.head_stage import SoftmaxHead
from ffenergy.settings import Settings
from instrumented import Trace

MODULES = [
    ffenergy.rules.backprop,
    ffenergy.rules.forward_forward,
    ffenergy.network.negatives,
    ffenergy.network.normalization,
    ffenergy.network.optimizers,
    ffenergy.network.head,
    ffenergy.rules.kit.head_stage,
    ffenergy.rules.kit.networks,
    ffenergy.rules.kit.passes,
]


class Watch:
    """Stands in for the module numpy and refuses calls that touch plain arrays."""

    def __init__(self):
        self.calls = 0

    def __getattr__(self, name):
        found = getattr(np, name)
        if isinstance(found, type) or not callable(found):
            return found

        def watched(*args, **kwargs):
            self.calls += 1
            result = found(*args, **kwargs)
            for value in (*args, *kwargs.values(), result):
                assert not isinstance(value, np.ndarray), f"np.{name} touched a bare array"
            return result

        return watched


def trainer(kind, trace, settings):
    rng = np.random.default_rng(0)
    images = trace.array(rng.random((9, 6), np.float32))
    targets = trace.array(np.eye(10, dtype=np.float32)[:9])
    if kind == "ff":
        return ForwardForward(trace, settings, images, rng, np.random.default_rng(1))
    if kind == "bp":
        return Backprop(trace, settings, images, targets, trace.array(np.arange(9)), rng)
    return SoftmaxHead(trace, settings, images, targets, rng)


@pytest.mark.parametrize("passes", ["joined", "separate"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "momentum"])
@pytest.mark.parametrize("kind", ["ff", "bp", "head"])
def test_steps_touch_traced_arrays_only(kind, optimizer, passes, monkeypatch):
    settings = Settings.from_preset("quick").replace(
        layer_sizes=(6, 5, 4), batch_size=3, head_batch_size=3, optimizer=optimizer,
        passes=passes, weight_decay=0.1, peer_strength=0.03, negative_pairs="independent",
    )  # fmt: skip
    trace = Trace(strict=True)
    learner = trainer(kind, trace, settings)
    index = trace.array(np.array([0, 4, 7]))
    learner.step(index, 0.01)  # the first step makes the workspaces, which enter preloaded
    watch = Watch()
    for module in MODULES:
        monkeypatch.setattr(module, "np", watch)
    learner.step(index, 0.01)
    assert watch.calls > 5
    assert [s.steps for s in trace.signatures if s.name in ("train", "head")] == [2]


def test_the_watch_sees_a_bare_array():
    with pytest.raises(AssertionError, match="bare array"):
        Watch().square(np.ones(3))
