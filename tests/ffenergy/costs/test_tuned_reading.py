"""Products tiled for each level of a profile, beside the one order of tiles."""

from __future__ import annotations

import numpy as np
import pytest

from ffenergy.costs.prices import Prices
from ffenergy.costs.run_costs import price_steps
from ffenergy.energy import choose_profiles
from ffenergy.report.book import Book
from ffenergy.report.cost_tables import _winners, tuned
from ffenergy.runs.run import Run
from ffenergy.settings import Settings

SETTINGS = Settings.from_preset("quick").replace(layer_sizes=(64, 48, 48), batch_size=20)
PROFILES = ("jouppi-7nm-hbm2", "eyeriss-relative")
KEYS = ["algorithm", "step", "accounting"]
MOVED = ["bytes_read", "bytes_written"]


@pytest.fixture(scope="module")
def prices() -> Prices:
    hardware = [chosen.profile for chosen in choose_profiles(PROFILES)]
    return price_steps(["ff", "bp"], SETTINGS, hardware, "scratchpad")


def test_every_level_but_the_last_has_both_orders(prices: Prices) -> None:
    table = prices.tuned
    assert set(table["profile"]) == set(PROFILES)
    assert set(table["algorithm"]) == {"ff", "bp"}
    jouppi = table[table["profile"] == PROFILES[0]]
    assert set(jouppi["capacity_bytes"]) == {2**13, 2**15, 2**20}
    one = jouppi[MOVED].sum(axis=1)
    best = jouppi[[f"tuned_{name}" for name in MOVED]].sum(axis=1)
    assert (best <= one).all()
    assert (best < 0.95 * one).any()
    assert (jouppi["energy_saved_joules"] >= 0).all()
    assert np.isnan(table.loc[table["profile"] == PROFILES[1], "energy_saved_joules"]).all()


def test_the_one_order_is_that_of_the_levels(prices: Prices) -> None:
    """Beyond the last capacity lies what the last level serves."""
    table = prices.tuned[prices.tuned["profile"] == PROFILES[0]]
    far = table[table["capacity_bytes"] == 2**20].set_index(KEYS)[MOVED].sort_index()
    levels = prices.levels[prices.levels["profile"] == PROFILES[0]]
    served = levels[levels["capacity_bytes"].isna()].groupby(KEYS)[MOVED].sum()
    assert far.reindex(served.index).astype(int).equals(served.astype(int))


def test_the_page_shows_both(prices: Prices) -> None:
    shown = tuned(Book(Run({}), prices))
    assert shown is not None
    assert "each tiled for that size" in shown.caption
    assert tuned(Book(Run({}))) is None


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ((1, 2, 1, 2), "backprop"),
        ((2, 1, 2, 1), "FF"),
        ((1, 2, 2, 1), "backprop; tuned FF"),
        ((1, 1, 1, 1), "as much"),
    ],
)
def test_who_moves_less_is_told_for_both_where_they_disagree(moved, told):
    assert _winners(*moved) == told


def test_another_memory_has_no_tuned_products() -> None:
    found = price_steps(["bp"], SETTINGS, [], "cache")
    assert found.tuned.empty
