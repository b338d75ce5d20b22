"""ByteDMD of an update: phases, histogram, cost to a criterion; the field's published figures."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import instrumented
from instrumented import bytedmd, phase, update_cost

ROOT = Path(__file__).parents[3]


def step(x, w):
    with phase("forward"):
        y = x * w
    with phase("update"):
        return w - y


def test_phases_in_one_trace():
    # x on top, w below: x * w reads 1 and 2, then x is dead: [y, w]; w - y reads 2 and 1
    cost = update_cost(step, (2.0, 3.0))
    assert cost.by_phase.to_numpy().tolist() == [["forward", 2, 1 + 2], ["update", 2, 2 + 1]]
    assert cost.total == bytedmd(step, (2.0, 3.0)) == 6
    assert cost.escapes == 0


def test_unmeasured_programs_run_as_ever():
    assert step(2.0, 3.0) == -3.0


def test_histogram_adds_up():
    cost = update_cost(lambda a, b: a @ b, (np.ones((4, 4)), np.ones((4, 4))))
    bins = cost.histogram
    assert bins["bytedmd"].sum() == cost.total
    assert bins["reads"].sum() == cost.reads["reads"].sum()
    assert (bins["distance_from"] < bins["distance_to"]).all()


@pytest.mark.parametrize(
    ("count", "low", "high", "hops"),
    [(1, 0, 1, 1), (2, 1, 2, 2), (3, 2, 4, 2), (4, 2, 4, 2), (5, 4, 8, 3), (17, 16, 32, 5)],
)
def test_bins_end_at_powers_of_two(count, low, high, hops):
    # each of n numbers is read at the bottom of n: those above it, or what was made of them
    bins = update_cost(lambda a: -a, (np.ones(count),)).histogram
    assert bins.to_numpy().tolist() == [["", low, high, count, count * hops]]


def test_criterion_takes_the_median_of_the_seeds_that_met_it():
    cost = update_cost(step, (2.0, 3.0))
    met = cost.to_criterion([10, None, 30, 20, 40])
    assert (met.solved, met.seeds, met.updates, met.bytedmd) == (4, 5, 30, 30 * 6)
    with pytest.raises(instrumented.InstrumentError, match="missed"):
        cost.to_criterion([None, None])


def test_float_is_refused_unless_recorded():
    with pytest.raises(instrumented.EscapeError):
        update_cost(lambda a: float(a) + 1, (2.0,))
    cost = update_cost(lambda a: float(a) + 1, (2.0,), records_escapes=True)
    assert (cost.total, cost.escapes) == (1, 1)  # the read is paid, the sum looks free


def test_the_published_encoder_figures():
    """hinton-problems #50: 18,327, 24,641 and 67,581 per full-batch update."""
    spec = importlib.util.spec_from_file_location("encoder", ROOT / "examples/encoder_8_3_8.py")
    encoder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(encoder)
    found = {name: cost.total for name, cost in encoder.costs().items()}
    assert found == {"backprop": 18_327, "CD-1": 24_641, "CD-5": 67_581}
