"""What any program must move, priced at every memory of a profile."""

from __future__ import annotations

import pytest

from ffenergy.costs import batch_energy, bounds
from ffenergy.costs.network import Network
from ffenergy.costs.run_costs import measured_kinds, measured_work
from ffenergy.costs.scenarios import SCENARIOS, Scenarios
from ffenergy.energy import load_profile
from ffenergy.energy.chip import factors
from ffenergy.settings import Settings

NETWORK = Network((784, 1000, 1000), 100)
MIB = 2**20


def test_levels_by_hand() -> None:
    profile = load_profile("tpuv4i")  # 1 MiB at 14 pJ a word of 64 bits, 128 MiB at 17.5, HBM2 350
    sizes = profile.capacities_bytes
    moved = [bounds.least("ff", NETWORK, size).nbytes for size in sizes]
    near, middle, far = (level.read_per_byte * 1e-12 for level in profile.levels)
    expected = near * moved[0] + (middle - near) * moved[0] + (far - middle) * moved[1]
    found = batch_energy.least_movement("ff", NETWORK, profile)
    assert found[0] == pytest.approx(expected, rel=1e-12)
    drawn = factors(profile)  # a write costs what a read does in every draw
    prices = [near, middle, far]
    near_, middle_, far_ = (
        price * drawn[f"levels.{level.name}.read"]
        for price, level in zip(prices, profile.levels, strict=True)
    )
    every = near_ * moved[0] + (middle_ - near_) * moved[0] + (far_ - middle_) * moved[1]
    assert found == pytest.approx(every, rel=1e-12)


@pytest.mark.parametrize("name", ["jouppi-7nm-hbm2", "dally-wire", "dally-grid"])
def test_backprop_must_spend_more_where_its_state_does_not_fit(name: str) -> None:
    profile = load_profile(name)
    ours, theirs = (batch_energy.least_movement(rule, NETWORK, profile)[0] for rule in ("ff", "bp"))
    assert 0 < ours < theirs


def test_a_data_set_on_the_chip_is_not_read_from_behind_it() -> None:
    """2000 images of 784 floats, 6.3 MB, fit into 8 MiB: three arrays of images a batch stay."""
    images = 3 * 100 * 784 * 4
    data = 2000 * 784 * 4
    for size, less in ((4 * MIB, 0), (8 * MIB, images)):
        whole = bounds.least("ff", NETWORK, size).nbytes
        assert bounds.least("ff", NETWORK, size, data).nbytes == whole - less


@pytest.mark.parametrize("name", ["tpuv4i", "dally-grid"])
@pytest.mark.parametrize("rule", ["ff", "bp", "ff-greedy"])
def test_a_small_data_set_is_trained_for_no_less_than_the_least(name: str, rule: str) -> None:
    small = Settings.from_preset("quick").replace(layer_sizes="64,8", batch_size=10, n_train=40)
    work = measured_work(small)
    kinds = measured_kinds([rule], work)
    ways = Scenarios(work, kinds, load_profile(name), whole_run=False)
    spent = [ways.row(rule, scenario)["energy_joules"] for scenario in SCENARIOS]
    assert spent[0] > spent[1] >= spent[2] > 0
