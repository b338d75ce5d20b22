"""The model of a cache against the committed figures of a simulated one; needs no valgrind."""

from __future__ import annotations

import pytest

from validation.callgrind import committed, compared, phases_apart

POINTS = [point for point in committed() if point.layer_sizes == "784-500-500-500"]


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
    ratios = {(here.point.algorithm, here.point.capacity_kib): here.ratio for here in found}
    errors = {size: abs(ratios["ff", size] / ratios["bp", size] - 1) for _, size in ratios}
    assert len(errors) == 6
    assert max(error for size, error in errors.items() if size <= 8192) <= 0.03
    assert errors[16384] <= 0.05


OTHERS = [point for point in committed() if point.layer_sizes != "784-500-500-500"]


@pytest.fixture(scope="module")
def others():
    """Points of the other networks, but where the whole step, or a layer, only just fits."""
    return [
        here
        for here in compared(OTHERS)
        if not here.conflicts and (here.point.batch_size, here.point.in_flight) != (64, 3)
    ]


@pytest.mark.slow
def test_networks_batches_optimisers_and_orders_not_seen_before_are_within_8_percent(others):
    for here in others:
        if sum(here.moved) < 1:
            assert 1 < sum(here.point.moved) < 2.5  # all fits: only conflict misses
        else:
            assert here.ratio == pytest.approx(1, abs=0.08), here.point
    assert len(others) == 38


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ratio", "most"),
    [("ratio", 0.035), ("ratio_beside_interpreter", 0.025)],
    ids=["whole", "less"],
)
def test_forward_forward_over_backprop_of_networks_not_seen_before(others, ratio, most):
    # Room for the interpreter decides at 784-400x4 and 1 MiB: 3.2 % without it.
    ratios = {
        (here.point.network, here.point.capacity_kib): getattr(here, ratio) for here in others
    }
    errors = [
        abs(mine / theirs - 1)
        for (network, size), mine in ratios.items()
        if network[0] == "ff" and (theirs := ratios.get((("bp", *network[1:]), size)))
    ]
    assert len(errors) == 15
    assert max(errors) <= most


@pytest.mark.slow
def test_a_layer_that_only_just_fits_with_its_batches_is_a_fifth_dearer_than_the_model_says():
    # Layers of 400: 160,400 parameters, 16 bytes each, 2.6 MB, and 3 batches of 128 rows, read and
    # made, 1.6 MB, in 4.2 MB; layer 1 has 5.0 MB and 1.2 + 0.6 MB of batches in 8.4 MB.
    tight = [point for point in OTHERS if (point.batch_size, point.in_flight) == (64, 3)]
    assert [here.ratio for here in compared(tight)] == pytest.approx([0.83, 0.82], abs=0.01)


@pytest.mark.slow
def test_fills_of_layers_and_phases_are_within_13_percent_at_nine_of_ten():
    phases = phases_apart()
    assert set(phases.loc[phases["conflicts"], "capacity_kib"]) == {16384}  # 14.9 MiB of backprop
    phases = phases[~phases["conflicts"]]
    errors = (phases["model_mb"] / phases["fills_mb"] - 1).abs()
    assert len(errors) == 63
    assert errors.median() <= 0.04
    assert errors.quantile(0.9) <= 0.13
