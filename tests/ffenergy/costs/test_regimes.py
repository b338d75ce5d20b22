"""Forward-Forward and backprop where no layer fits on the chip, one does, all do."""

from __future__ import annotations

import pandas as pd
import pytest

from ffenergy.costs import further, regimes
from ffenergy.costs import map as whole_map
from ffenergy.costs.network import Network, network_of
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import measured_kinds, tabulate
from ffenergy.energy import load_profile
from ffenergy.settings import Settings

JOUPPI = load_profile("jouppi-7nm-hbm2")
SETTINGS = Settings.from_preset("quick").replace(layer_sizes="64,96,96,96", batch_size=10)
KIB = 2**10


def measured(settings: Settings = SETTINGS) -> pd.DataFrame:
    work = Workload(settings, 4000, 0)  # 1 MB of images: more than any of these chips keeps
    network = network_of(settings)
    assert network is not None
    kinds = measured_kinds(regimes.RULES, work, regimes.managed_analysis(network))
    usual = tabulate(kinds, [JOUPPI], whole_run=False)
    return regimes.table(usual, work, network, JOUPPI)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Without managed memories, which take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(further, "MOST_BYTES", 1)
        return measured()


def of(table: pd.DataFrame, regime: str, scenario: str) -> pd.DataFrame:
    rows = table[(table["regime"] == regime) & (table["scenario"] == scenario)]
    return rows.set_index("algorithm")


def test_sizes_lie_below_between_and_above() -> None:
    # Adam: a layer of 1000 has 11.5 MiB with its state, all four 43.5
    found = regimes.sizes(Network((784, 1000, 1000, 1000, 1000), 100))
    assert [size // 2**20 for size in found.values()] == [4, 16, 64]


@pytest.mark.parametrize(
    ("layer_sizes", "found"),
    [
        ((784, 1), {"all fit": 64 * KIB}),  # 9 KiB with its state: no memory is too small for it
        # 184 KiB, and 5 in the second layer: where one fits, both do
        ((784, 20, 20), {"no layer fits": 64 * KIB, "all fit": 512 * KIB}),
    ],
)
def test_a_regime_that_a_small_network_has_not_is_left_out(
    layer_sizes: tuple[int, ...], found: dict[str, int]
) -> None:
    assert regimes.sizes(Network(layer_sizes, 100 if len(layer_sizes) > 2 else 1)) == found


def test_a_network_that_fits_into_the_inner_buffer_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(further, "MOST_BYTES", 1)
    table = measured(SETTINGS.replace(layer_sizes="64,1", batch_size=1))
    assert set(table["regime"]) == {"all fit"}
    assert (table["energy"] > 0).all()


def test_every_regime_has_every_scenario(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(regimes.COLUMNS)
    assert table["on_chip_bytes"].drop_duplicates().tolist() == [64 * KIB, 256 * KIB, 512 * KIB]
    assert len(table) == 3 * 3 * 2
    base = table[table["algorithm"] == "bp"]
    assert (base["ratio_to_backprop"] == 1).all()


def test_several_batches_in_flight_win_between_one_layer_and_all(table: pd.DataFrame) -> None:
    usual, best = (of(table, "one layer fits", name) for name in ("as it runs", "well built"))
    assert (best.loc["ff", "order"], best.loc["ff", "in_flight"]) == ("layer-major", 8)
    assert best.loc["ff", "off_chip_bytes"] < 0.5 * best.loc["bp", "off_chip_bytes"]
    assert best.loc["ff", "ratio_to_backprop"] < usual.loc["ff", "ratio_to_backprop"]
    assert of(table, "all fit", "well built").loc["ff", "order"] == "step-major"


def test_well_built_ratios_decide_in_the_map_what_no_bound_does(table: pd.DataFrame) -> None:
    network = network_of(SETTINGS)
    assert network is not None
    sizes = table["on_chip_bytes"].drop_duplicates().tolist()
    found = whole_map.rows([network], [*sizes, 2**30], [JOUPPI], ["ff"])
    known = whole_map.with_measured(found, regimes.ratios(table, network))
    ours = known[known["rule"] == "ff"].set_index("on_chip_bytes")
    built = table[(table["scenario"] == "well built") & (table["algorithm"] == "ff")]
    assert ours.loc[sizes, "ratio_scratchpad"].tolist() == built["ratio_to_backprop"].tolist()
    assert ours["ratio_managed"].isna().all()
    before = found[found["rule"] == "ff"].set_index("on_chip_bytes")["energy_winner"]
    assert "proven" not in before.loc[64 * KIB]
    ratio = ours.loc[64 * KIB, "ratio_scratchpad"]
    assert ratio < 0.95  # well built Forward-Forward is cheaper, by more than 5 %
    assert ours.loc[64 * KIB, "energy_winner"] == "rule, measured"
    assert ours.loc[2**30, "energy_winner"] == before.loc[2**30]


def test_nothing_is_below_the_least(table: pd.DataFrame) -> None:
    for regime in regimes.sizes(Network((64, 96, 96, 96), 10)):
        least = of(table, regime, "the least")["off_chip_bytes"]
        assert (least <= of(table, regime, "well built")["off_chip_bytes"]).all()


@pytest.mark.slow
def test_managed_memory_moves_no_more_than_lru_and_no_less_than_its_own_least() -> None:
    table = measured()
    ran = table[table["scenario"] != "the least"]
    assert ran["managed_energy"].notna().all()
    assert (ran["managed_least_bytes"] <= ran["managed_off_chip_bytes"]).all()
    assert (ran["managed_off_chip_bytes"] < 1.02 * ran["off_chip_bytes"]).all()
    well = ran[ran["scenario"] == "well built"]
    least = table[table["scenario"] == "the least"]
    bound = least.set_index(["regime", "algorithm"])["off_chip_bytes"]
    own = well.set_index(["regime", "algorithm"])["managed_off_chip_bytes"]
    assert (bound <= own).all()
    assert least["managed_energy"].isna().all()


def test_a_program_with_too_many_accesses_is_not_managed(monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(SETTINGS)
    assert network is not None
    monkeypatch.setattr(further, "MOST_BYTES", 1)
    work = Workload(SETTINGS, 4000, 0)
    (kind,) = measured_kinds(["ff"], work, regimes.managed_analysis(network))
    assert {memory for _, memory, _ in kind.costs.analyses} == {"cache", "scratchpad"}
