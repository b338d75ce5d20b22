"""The example of docs/metric.md §11 "Fused accounting": normalisation in the product after it.

Two rows x of three float32 (24 bytes) are normalised into xn (24) and go through W 3x2 (24), b (8)
and ReLU to h (16).
"""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import step_costs
from ffenergy.costs.step_kinds import StepKind
from ffenergy.network.dense import DenseLayer
from instrumented import Trace


def moved(*, trains: bool) -> dict[str, tuple[int, int]]:
    """Bytes (read, written) of normalisation and forward pass at operation grain."""
    trace = Trace(strict=True, record=True)
    rng = np.random.default_rng(0)
    layer = DenseLayer(trace, "layer1", 3, 2, 1.0, "float32", rng)
    x = trace.array(rng.random((2, 3), np.float32), role="activation", name="x")
    xn = trace.array(np.zeros((2, 3), np.float32), role="activation", name="xn")
    h = trace.array(np.zeros((2, 2), np.float32), role="activation", name="h")
    if trains:
        layer.prepare_training("sgd", 0.0)
    for _ in range(3):
        with trace.step("train"):
            with layer.fuse_folded:
                layer.normalized(x, 1.0, xn)
                with layer.scope["forward"]:
                    layer.relu(xn, h)
            if trains:
                layer.find_gradient(xn, h)
            with layer.scope["evaluate"]:
                np.sum(h)  # h is used afterwards
    recording = Recording(StepKind("train", samples=2), "digest", 0, trace.events, trace.buffers)
    costs = step_costs(recording)
    found = {}
    for accounting in ("eager", "fused", "fused-folded"):
        traffic = costs.analyses[accounting, "scratchpad", "operation"].traffic
        own = traffic[traffic["phase"].isin(["normalize", "forward"])]
        found[accounting] = (int(own["bytes_read"].sum()), int(own["bytes_written"].sum()))
    return found


@pytest.mark.parametrize("trains", [False, True])
def test_by_hand(trains: bool) -> None:
    normalize_read = (24 + 24) + 8 + 8 + 8 + (24 + 8)  # x.x, sqrt, + epsilon, length /, x * scale
    forward_read = (24 + 24) + (16 + 8) + 16  # xn @ W, + b, ReLU
    assert moved(trains=trains) == {
        "eager": (normalize_read + forward_read, 4 * 8 + 24 + 3 * 16),
        # two kernels: x in, xn out; xn, W and b in, h out
        "fused": (24 + (24 + 24 + 8), 24 + 16),
        # one kernel: xn is not fetched again, and leaves it only where the gradient needs it
        "fused-folded": (24 + 24 + 8, (24 if trains else 0) + 16),
    }
