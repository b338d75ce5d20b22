"""Forward-Forward ÷ backprop under every bundled profile, from one analysis."""

from __future__ import annotations

import pytest

from ffenergy.costs import every_profile
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import measured_kinds, tabulate
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.scenarios import Scenarios
from ffenergy.energy import load_profile, profiles
from ffenergy.settings import Settings

SETTINGS = Settings.from_preset("quick").replace(layer_sizes="16,8,8", batch_size=20)
WORK = Workload(SETTINGS, 60, 0)


@pytest.mark.slow
def test_every_profile_has_the_ratio_of_its_own_pricing() -> None:
    kinds = measured_kinds(["ff", "bp"], WORK)
    ways = Scenarios(WORK, kinds, load_profile("jouppi-7nm-hbm2"), whole_run=False)
    found = every_profile.ratios(ways, profiles().values())
    assert found["profile"].tolist() == list(profiles())
    assert list(found.columns) == list(every_profile.COLUMNS)
    for name in ("horowitz-45nm", "eyeriss-relative", "dally-wire", "dally-grid"):
        totals = RunTotals(tabulate(kinds, [profiles()[name]], whole_run=False))
        ours, theirs = (
            totals.added(totals.places(one, "eager"))[f"energy_{totals.unit}"]
            for one in ("ff", "bp")
        )
        row = found.set_index("profile").loc[name]
        assert row["ratio_as_it_runs"] == pytest.approx(ours / theirs, rel=1e-9)
        low, value, high = (row[f"ratio_as_it_runs{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high


def test_without_backprop_there_is_no_ratio() -> None:
    ways = Scenarios(WORK, measured_kinds(["ff"], WORK), load_profile("jouppi-7nm-hbm2"))
    assert every_profile.ratios(ways, profiles().values()).empty
