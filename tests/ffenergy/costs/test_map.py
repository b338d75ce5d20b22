"""Who wins, and the table of the map."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ffenergy.costs import batch_energy, bounds, schedules
from ffenergy.costs import map as whole_map
from ffenergy.costs.network import Network
from ffenergy.costs.verdicts import (
    SCALE,
    Energies,
    OffChip,
    Verdict,
    by_bytes,
    by_energy,
    with_measurement,
)
from ffenergy.energy import load_profile, profiles
from ffenergy.energy.chip import Chip

MIB = 2**20
NETWORK = Network((784, 1000, 1000, 1000, 1000), 100)
JOUPPI = load_profile("jouppi-7nm-hbm2")


@pytest.mark.parametrize(
    ("rule", "backprop", "verdict"),
    [  # best, sure, bound
        ((90, 90, 50), (120, 120, 100), Verdict.RULE_PROVEN),  # below what any backprop must
        ((120, 120, 100), (90, 90, 50), Verdict.BP_PROVEN),
        ((110, 110, 50), (120, 120, 100), Verdict.RULE_KNOWN),  # 110 < 0.95 · 120
        ((90, 110, 50), (120, 120, 100), Verdict.RULE_KNOWN),  # an estimate proves nothing
        ((120, 120, 50), (110, 110, 100), Verdict.BP_KNOWN),
        ((115, 115, 50), (120, 120, 100), Verdict.UNDECIDED),  # within 5 %
        ((110, 110, 50), (112, 120, 100), Verdict.UNDECIDED),
        ((100, 100, 50), (100, 100, 100), Verdict.UNDECIDED),  # at the bound is not below it
    ],
)
def test_winner_by_bytes(rule, backprop, verdict):
    assert by_bytes(OffChip(*rule), OffChip(*backprop)) is verdict


def test_winner_by_energy_holds_in_the_draws():
    # a row a place, 20 draws: 19 of 20 make 95 %
    ones = np.ones((1, 20))
    most = np.where(np.arange(20) < 19, 1.0, 3.0)[None]
    some = np.where(np.arange(20) < 18, 1.0, 3.0)[None]

    def verdict(best, bound, bp_best, bp_bound, sure=None, bp_sure=None):
        rule = Energies(best, best if sure is None else sure, bound, best, best)
        bp = Energies(bp_best, bp_best if bp_sure is None else bp_sure, bp_bound, bp_best, bp_best)
        return SCALE[by_energy(rule, bp)[0]]

    assert verdict(ones, ones, 3 * ones, 2 * ones) is Verdict.RULE_PROVEN
    assert verdict(most, ones, 2.5 * ones, 2 * ones) is Verdict.RULE_PROVEN
    assert verdict(some, ones, 2.5 * ones, 2 * ones) is Verdict.UNDECIDED
    assert verdict(ones, ones, 2 * ones, 0.5 * ones) is Verdict.RULE_KNOWN
    assert verdict(2 * ones, 0.5 * ones, ones, ones) is Verdict.BP_KNOWN
    assert verdict(3 * ones, 2 * ones, ones, ones) is Verdict.BP_PROVEN
    assert verdict(0.99 * ones, ones, ones, ones) is Verdict.UNDECIDED  # 1 % is no difference
    # what is only an estimate, the best order in an LRU, proves nothing
    assert verdict(ones, ones, 3 * ones, 2 * ones, sure=2 * ones) is Verdict.RULE_KNOWN
    assert verdict(3 * ones, 2 * ones, ones, ones, bp_sure=2 * ones) is Verdict.BP_KNOWN


def test_a_measurement_decides_what_no_bound_does():
    assert with_measurement(Verdict.BP_KNOWN, 0.8) is Verdict.RULE_MEASURED
    assert with_measurement(Verdict.UNDECIDED, 1.2) is Verdict.BP_MEASURED
    assert with_measurement(Verdict.RULE_KNOWN, 1.01) is Verdict.UNDECIDED
    assert with_measurement(Verdict.RULE_PROVEN, 1.2) is Verdict.RULE_PROVEN
    assert with_measurement(Verdict.RULE_KNOWN, float("nan")) is Verdict.RULE_KNOWN


@pytest.fixture(scope="module")
def table():
    found = whole_map.networks((1000,), 4, (100,), ("adam",))
    return whole_map.rows(
        found, [4 * MIB, 16 * MIB, 64 * MIB], list(profiles().values()), whole_map.local_rules()
    )


def test_every_bundled_profile_answers(table):
    assert list(table.columns) == list(whole_map.COLUMNS)
    assert set(table["profile"]) == set(profiles())
    assert len(table) == 3 * len(profiles()) * (len(whole_map.local_rules()) + 1)
    assert not table.drop(columns=["bytes_winner", "energy_winner"]).isna().any(axis=None)


def test_a_row_is_the_closed_forms(table):
    row = table[
        (table["profile"] == JOUPPI.name)
        & (table["rule"] == "ff")
        & (table["on_chip_bytes"] == 16 * MIB)
    ].iloc[0]
    order = schedules.best_order("ff", NETWORK, 16 * MIB)
    assert row["groups"] == "1|2|3|4"
    assert (row["in_flight"], row["bytes_best_order"]) == (order.in_flight, order.nbytes)
    assert row["bytes_bound"] == bounds.least("ff", NETWORK, 16 * MIB).nbytes
    price = Chip(JOUPPI).prices(16 * MIB)
    ff = batch_energy.energy(batch_energy.work_of("ff", NETWORK), order.nbytes, price)
    bp = batch_energy.energy(
        batch_energy.work_of("bp", NETWORK), schedules.best("bp", NETWORK, 16 * MIB).nbytes, price
    )
    assert row["energy_best_order"] == pytest.approx(ff[0])
    assert row["ratio_to_backprop"] == pytest.approx(ff[0] / bp[0])
    assert (row["bytes_winner"], row["energy_winner"]) == ("rule, proven", "rule, proven")


def test_a_managed_memory_is_never_worse_than_an_lru():
    found = whole_map.networks((1000,), 4, (1, 100, 1000), ("sgd", "adam"))
    sizes = whole_map.on_chip_sizes(2**16, 64 * MIB, 4)
    rules = whole_map.local_rules()
    table = whole_map.rows(found, sizes, [JOUPPI, load_profile("edge-7nm-lpddr4")], rules)
    known = table[table["bytes_lru"].notna()]
    assert (known["bytes_best_order"] <= known["bytes_lru"]).all()
    assert (known["energy_best_order"] <= known["energy_lru"]).all()
    # where the rows of a boundary, 100 · 1000 floats, and a tile have no room, none is known
    tight = table["on_chip_bytes"] < 100 * 1000 * 4 + 2**16
    assert (
        table[tight & (table["rule"] == "bp") & (table["batch_size"] == 100)]["bytes_lru"]
        .isna()
        .all()
    )
    # 784-1000x4, Adam, batch 100, 2 MiB: backprop in tiles would move 137 MB, streamed 112
    row = table[
        (table["rule"] == "bp")
        & (table["on_chip_bytes"] == 2 * MIB)
        & (table["optimizer"] == "adam")
        & (table["batch_size"] == 100)
    ].iloc[0]
    assert schedules.best_order("bp", NETWORK, 2 * MIB).nbytes == 136_707_880
    assert row["bytes_best_order"] == row["bytes_lru"] == 112_045_040


def test_a_win_holds_against_replays_only_where_it_is_proven(table):
    assert table["holds_if_replayed"].any()
    held = table[table["holds_if_replayed"]]
    assert set(held["bytes_winner"]) == {"rule, proven"}  # BP-2 is never above BP-1
    for row in table[table["rule"] == "ff"].itertuples():
        replay = bounds.backprop_replay(NETWORK, row.on_chip_bytes).nbytes
        assert row.holds_if_replayed == (row.bytes_best_order < replay)
    assert not table.loc[table["rule"] == "bp", "holds_if_replayed"].any()


def test_intervals_hold_their_ratio_and_relative_profiles_are_in_macs(table):
    assert (table["ratio_low"] <= table["ratio_to_backprop"]).all()
    assert (table["ratio_to_backprop"] <= table["ratio_high"]).all()
    units = table.groupby("profile")["energy_unit"].first()
    assert units["eyeriss-relative"] == "macs"
    assert set(units.drop("eyeriss-relative")) == {"joules"}
    own = table[table["rule"] == "bp"]
    assert (own["ratio_to_backprop"] == 1).all()
    assert (own["energy_winner"] == "").all()


def test_regimes_are_one_layer_and_all():
    # 12 bytes a weight: 1001 · 1000, and 785 · 1000 + 3 · 1001 · 1000
    assert whole_map.regimes(NETWORK) == (12_012_000, 45_456_000)


def test_measured_ratios_stand_beside_the_closed_forms():
    found = [NETWORK, NETWORK.replace(batch_size=10)]
    measured = pd.DataFrame(
        {
            "layer_sizes": ["784-1000-1000-1000-1000"] * 2,
            "optimizer": "adam",
            "batch_size": [100, 100],
            "on_chip_bytes": [4 * MIB, 16 * MIB],
            "rule": "ff",
            "profile": JOUPPI.name,
            "ratio_managed": [np.nan, 1.2],
            "ratio_scratchpad": [1.2, 1.3],
        }
    )
    table = whole_map.rows(found, [4 * MIB, 16 * MIB], [JOUPPI], ["ff"])
    table = whole_map.with_measured(table, measured)
    ff = table[table["rule"] == "ff"].set_index(["batch_size", "on_chip_bytes"])
    assert ff.loc[(100, 4 * MIB), "energy_winner"] == "backprop, measured"
    assert ff.loc[(100, 16 * MIB), "energy_winner"] == "rule, proven"
    assert np.isnan(ff.loc[(10, 4 * MIB), "ratio_scratchpad"])
    assert "measured" not in ff.loc[(10, 4 * MIB), "energy_winner"]


def test_contests_are_those_of_the_table():
    found = whole_map.networks((1000,), 4, (10, 1000), ("sgd",))
    sizes = whole_map.on_chip_sizes(MIB, 64 * MIB, 1)
    chips = [JOUPPI, load_profile("tpuv4i")]
    table = whole_map.rows(found, sizes, chips, ["ff"])
    table = table[table["rule"] == "ff"]
    for chip, contest in zip(chips, whole_map.contests(found, sizes, chips), strict=True):
        shape = {"index": "batch_size", "columns": "on_chip_bytes", "aggfunc": "first"}
        own = table[table["profile"] == chip.name]
        expected = own.pivot_table(values="energy_winner", **shape)
        names = [[str(SCALE[place]) for place in row] for row in contest.winner]
        assert names == expected.to_numpy().tolist()
        for column, values in (
            ("ratio_to_backprop", contest.ratio),
            ("ratio_low", contest.low),
            ("ratio_high", contest.high),
        ):
            assert (values == own.pivot_table(values=column, **shape).to_numpy()).all()


def test_sizes_are_doubled_through():
    assert whole_map.on_chip_sizes(1024, 8192) == [1024, 2048, 4096, 8192]
    assert whole_map.on_chip_sizes(1024, 3000) == [1024, 2048]
    assert len(whole_map.on_chip_sizes(1024, 2048, 4)) == 5
