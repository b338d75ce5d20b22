"""The model of a cache against the committed figures of a simulated one; needs no valgrind."""

from __future__ import annotations

import pytest

from validation.cache_model import committed, compared, over_backprop, phases_apart

POINTS = [point for point in committed() if point.layer_sizes == "784-500-500-500"]
OTHERS = [point for point in committed() if point.layer_sizes != "784-500-500-500"]


@pytest.fixture(scope="module")
def found():
    return list(compared(POINTS))


def test_what_a_step_moves_is_within_5_percent_from_1_to_16_mib_and_8_below(found):
    for here in found:
        goal = 0.05 if here.point.capacity_kib >= 1024 else 0.08
        assert here.ratio == pytest.approx(1, abs=goal), here.point


def test_fills_and_write_backs_apart_are_within_7_percent_from_1_mib(found):
    for here in found:
        if here.point.capacity_kib >= 1024:
            assert here.moved == pytest.approx(here.point.moved, rel=0.07), here.point


def test_forward_forward_over_backprop_is_within_3_percent_up_to_8_mib(found):
    # At 16 MiB backprop's step only just does not fit (18.6 MiB): 4.4 % there.
    errors = {pair.point.capacity_kib: abs(pair.error) for pair in over_backprop(found)}
    assert len(errors) == 6
    assert max(error for size, error in errors.items() if size <= 8192) <= 0.03
    assert errors[16384] <= 0.05


@pytest.fixture(scope="module")
def others():
    """Points of the other networks, whether a footprint is near the capacity or not."""
    return list(compared(OTHERS))


NEAR = {
    ("784-400-400-400-400", 64, 1, 16384): 1.15,
    ("784-400-400-400-400", 64, 3, 4096): 0.83,
    ("784-400-400-400-400", 64, 3, 8192): 0.82,  # layer 1, its batches and hybrids: 7.5 MiB
    ("784-600-600-600", 50, 3, 8192): 0.93,
}
"""Model over simulator where the step, or a layer with its batches, only just fits."""


def place(point):
    return point.layer_sizes, point.batch_size, point.in_flight, point.capacity_kib


@pytest.mark.slow
def test_networks_batches_optimisers_and_orders_not_seen_before_are_within_8_percent(others):
    for here in others:
        if sum(here.moved) < 1:
            assert 1 < sum(here.point.moved) < 2.5  # all fits: only conflict misses
        elif not here.conflicts:
            assert here.ratio == pytest.approx(1, abs=0.08), here.point
    assert len(others) == 44


@pytest.mark.slow
def test_what_is_near_is_known_by_one_rule(others):
    near = {place(here.point): here.ratio for here in others if here.conflicts}
    assert near == pytest.approx(NEAR, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "most"),
    [("error", 0.035), ("error_beside_interpreter", 0.025)],
    ids=["whole", "less"],
)
def test_forward_forward_over_backprop_of_networks_not_seen_before(others, error, most):
    # Room for the interpreter decides at 784-400x4 and 1 MiB: 3.2 % without it.
    pairs = [pair for pair in over_backprop(others) if pair.point.in_flight == 1]
    errors = [abs(getattr(pair, error)) for pair in pairs if not pair.conflicts]
    assert (len(pairs), len(errors)) == (16, 15)
    assert max(errors) <= most


@pytest.mark.slow
def test_layer_major_over_backprop_is_what_the_readme_says_of_every_point(others):
    """In percent; where the layer only just fits the model makes it too cheap."""
    pairs = [pair for pair in over_backprop(others) if pair.point.in_flight > 1]
    assert {place(pair.point): 100 * pair.error for pair in pairs} == pytest.approx(
        {
            ("784-600-600-600", 50, 3, 4096): -0.1,
            ("784-600-600-600", 50, 3, 8192): -5.8,  # near
            ("784-800-800", 32, 3, 4096): 0.1,
            ("784-800-800", 32, 3, 8192): -4.3,
            ("784-400-400-400-400", 32, 3, 2048): -0.4,
            ("784-400-400-400-400", 32, 3, 4096): -4.0,
            ("784-400-400-400-400", 32, 3, 8192): 0.6,
            ("784-400-400-400-400", 64, 3, 4096): -14.7,  # near
            ("784-400-400-400-400", 64, 3, 8192): -17.0,  # near
        },
        abs=0.1,
    )
    assert [pair.model < 1 for pair in pairs] == [pair.simulated < 1 for pair in pairs]


@pytest.mark.slow
def test_fills_of_layers_and_phases_are_within_13_percent_at_nine_of_ten():
    phases = phases_apart()
    assert set(phases.loc[phases["conflicts"], "capacity_kib"]) == {16384}  # 14.9 MiB of backprop
    phases = phases[~phases["conflicts"]]
    errors = (phases["model_mb"] / phases["fills_mb"] - 1).abs()
    assert len(errors) == 63
    assert errors.median() <= 0.04
    assert errors.quantile(0.9) <= 0.13
