"""What any program must move, priced at every memory of a profile."""

from __future__ import annotations

import pytest

from ffenergy.costs import batch_energy, bounds
from ffenergy.costs.network import Network
from ffenergy.energy import load_profile

NETWORK = Network((784, 1000, 1000), 100)
MIB = 2**20


def test_levels_by_hand() -> None:
    profile = load_profile("tpuv4i")  # 1 MiB at 14 pJ a word of 64 bits, 128 MiB at 17.5, HBM2 350
    sizes = profile.capacities_bytes
    moved = [bounds.least("ff", NETWORK, size).nbytes for size in sizes]
    near, middle, far = (level.read_per_byte * 1e-12 for level in profile.levels)
    expected = near * moved[0] + (middle - near) * moved[0] + (far - middle) * moved[1]
    assert batch_energy.least_movement("ff", NETWORK, profile) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["jouppi-7nm-hbm2", "dally-wire", "dally-grid"])
def test_backprop_must_spend_more_where_its_state_does_not_fit(name: str) -> None:
    profile = load_profile(name)
    ours, theirs = (batch_energy.least_movement(rule, NETWORK, profile) for rule in ("ff", "bp"))
    assert 0 < ours < theirs
