"""A step priced in a managed memory: both estimates, and the bounds of its products."""

from __future__ import annotations

import pandas as pd
import pytest

from ffenergy.costs.further import SMALLEST
from ffenergy.costs.prices import Prices
from ffenergy.costs.run_costs import price_steps
from ffenergy.energy import choose_profiles
from ffenergy.report.book import Book
from ffenergy.report.cost_tables import least
from ffenergy.runs.run import Run
from ffenergy.settings import Settings

SETTINGS = Settings.from_preset("quick").replace(layer_sizes=(64, 48, 48), batch_size=20)
KEYS = ["algorithm", "step", "accounting", "capacity_bytes"]


@pytest.fixture(scope="module")
def prices() -> Prices:
    return price_steps(
        ["ff", "bp"], SETTINGS, [choose_profiles(("jouppi-7nm-hbm2",))[0].profile], "managed"
    )


def test_the_lower_estimate_stands_beside_the_upper_at_every_size(prices: Prices) -> None:
    managed = prices.misses[prices.misses["memory"] == "managed"]
    assert set(managed["algorithm"]) == {"ff", "bp"}
    assert set(managed["accounting"]) >= {"eager", "fused"}
    assert managed["capacity_bytes"].min() == SMALLEST
    upper = managed["bytes_read"] + managed["bytes_written"]
    assert (managed["bytes_least"] <= upper).all()
    assert (managed["bytes_least"] >= 0.6 * upper).all()  # 0.66 where they are farthest apart
    others = prices.misses[prices.misses["memory"] != "managed"]
    assert others["bytes_least"].isna().all()


def test_it_moves_no_more_than_a_scratchpad(prices: Prices) -> None:
    """The least does; the schedule that exists is an estimate from above.

    At 32 KiB it is one of bad luck: a band of 16 rows of Adam's five arrays takes half of that.
    """
    table = prices.misses[(prices.misses["grain"] == "tile") & (prices.misses["memory"] != "cache")]
    table = table[table["capacity_bytes"] >= SMALLEST]
    table = table.assign(moved=table["bytes_read"] + table["bytes_written"])
    both = table.pivot_table(index=KEYS, columns="memory", values="moved")
    both["least"] = table.dropna(subset="bytes_least").set_index(KEYS)["bytes_least"]
    both = both.dropna()
    assert len(both) > 40
    assert (both["managed"] <= both["scratchpad"]).mean() > 0.95
    assert (both["least"] <= both["scratchpad"]).all()
    assert (both["managed"] < 0.8 * both["scratchpad"]).any()


def test_levels_and_energies_are_those_of_the_upper_estimate(prices: Prices) -> None:
    assert set(prices.levels["memory"]) == set(prices.energy["memory"]) == {"managed"}
    keys = ["algorithm", "step", "accounting"]
    served = prices.levels.assign(moved=prices.levels["bytes_read"])
    last = served[served["capacity_bytes"].isna()].groupby(keys)["moved"].sum()
    size = int(served["capacity_bytes"].max())
    managed = prices.misses[prices.misses["memory"] == "managed"]
    beyond = managed[managed["capacity_bytes"] <= size].sort_values("capacity_bytes")
    expected = beyond.groupby(keys)["bytes_read"].last()
    pd.testing.assert_series_equal(last, expected.reindex(last.index), check_names=False)


def test_the_page_shows_the_lower_estimate_in_a_table_of_its_own(prices: Prices) -> None:
    shown = least(Book(Run({}), prices))
    assert shown is not None
    assert "lower estimate" in shown.caption
    assert least(Book(Run({}))) is None
