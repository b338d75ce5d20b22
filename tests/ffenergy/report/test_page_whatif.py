"""Another on-chip size, priced from bins, against the distances themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from ffenergy.costs import on_chip
from ffenergy.costs.map import rows
from ffenergy.costs.network import Network
from ffenergy.costs.prices import Prices
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import run_kinds, tabulate
from ffenergy.costs.verdicts import Verdict
from ffenergy.energy import PricingError, Profile, load_profile, profiles
from ffenergy.report.book import Book
from ffenergy.report.map_table import LEGEND
from ffenergy.report.page import whatif, who_wins

KIB, MIB = 2**10, 2**20
EVEN = ("jouppi-7nm-hbm2", "horowitz-45nm")
KEYS = ["scope", "algorithm", "accounting", "phase", "component"]


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("jouppi-7nm-hbm2", MIB, (8 * KIB, 32 * KIB, MIB)),  # its own sizes
        ("jouppi-7nm-hbm2", 16 * MIB, (8 * KIB, 32 * KIB, 16 * MIB)),
        ("jouppi-7nm-hbm2", 16 * KIB, (8 * KIB, 16 * KIB, 16 * KIB)),  # no level is larger
        ("jouppi-7nm-hbm2", KIB, (KIB, KIB, KIB)),
        ("eyeriss-relative", 64 * KIB, (512, 64 * KIB, 64 * KIB)),  # 84 KiB counts as 64
        ("a100-measured", 32 * MIB, (128 * KIB, 32 * MIB)),  # 192 KiB counts as 128
    ],
)
def test_capacities(name: str, size: int, expected: tuple[int, ...]) -> None:
    assert on_chip.capacities(profiles()[name], size) == expected


def test_own_sizes() -> None:
    assert on_chip.own_size(profiles()["jouppi-7nm-hbm2"]) == MIB
    assert on_chip.uneven(profiles()["jouppi-7nm-hbm2"]) == []
    assert on_chip.own_size(profiles()["a100-measured"]) == 32 * MIB
    assert on_chip.uneven(profiles()["a100-measured"]) == [192 * KIB, 40 * MIB]


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("jouppi-7nm-hbm2", 3 * KIB, "power of two"),
        ("jouppi-7nm-hbm2", 512, "at least 1024"),
        ("dally-wire", MIB, "no on-chip level"),
    ],
)
def test_what_cannot_be_priced_is_refused(name: str, size: int, says: str) -> None:
    with pytest.raises(PricingError, match=says):
        on_chip.capacities(profiles()[name], size)


def test_movement_by_hand() -> None:
    # (0, 4 KiB] is in reach of 8 KiB; (8, 16] KiB is not; -1 comes from the last level;
    # 0, written and never read again, stays in the first
    reuse = pd.DataFrame(
        {
            "distance_to_bytes": [4 * KIB, 16 * KIB, -1, 0],
            "bytes_read": [100, 100, 100, 0],
            "bytes_written": [10, 0, 0, 10],
        }
    )
    profile = profiles()["jouppi-7nm-hbm2"]
    found = on_chip.movement(profile, reuse, 16 * KIB)
    names = profile.level_names
    assert list(found["level"]) == [names[0], names[1], names[-1], names[0]]
    last = profile.levels[-1]
    assert found["energy_read_joules"][2] == pytest.approx(100 * last.read_per_byte * 1e-12)
    assert on_chip.movement(profile, reuse, 8 * KIB)["level"][1] == names[-1]


def by_place(costs: pd.DataFrame) -> Any:
    table = costs.groupby(KEYS)["energy"].sum()
    return table[table != 0]


def from_energy_csv(prices: Prices, profile: Profile) -> Any:
    """The same table, from energies that were taken from the distances themselves."""
    rows = prices.energy[prices.energy["profile"] == profile.name]
    names = [profile.column(what) for what in ("compute", "read", "written")]
    rows = rows.assign(energy=rows[names].sum(axis=1)).merge(
        prices.steps[["algorithm", "step", "steps"]]
    )
    step = rows[rows["step"] == "train"].assign(scope="training step")
    run = rows.assign(scope="run", energy=rows["energy"] * rows["steps"])
    return by_place(pd.concat([step, run]))


@pytest.mark.parametrize("name", EVEN)
def test_own_size_gives_the_energies_of_energy_csv(finished_run: Any, name: str) -> None:
    profile, prices = profiles()[name], finished_run.prices
    costs = whatif.costs(prices, profile, on_chip.own_size(profile))
    pd.testing.assert_series_equal(
        by_place(costs), from_energy_csv(prices, profile), rtol=1e-12, check_dtype=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", [2 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 8 * MIB])
@pytest.mark.parametrize("name", ["jouppi-7nm-hbm2", "a100-measured"])
def test_other_sizes_give_what_a_profile_of_that_size_gives(
    finished_run: Any, name: str, size: int, resized: dict[tuple[str, int], Prices]
) -> None:
    profile = profiles()[name]
    other = with_sizes(profile, on_chip.capacities(profile, size))
    costs = whatif.costs(finished_run.prices, profile, size)
    expected = from_energy_csv(resized[name, size], other)
    pd.testing.assert_series_equal(by_place(costs), expected, rtol=1e-12, check_dtype=False)


def with_sizes(profile: Profile, sizes: tuple[int, ...]) -> Profile:
    """The profile with other capacities; of levels of equal size the first alone can serve."""
    levels = []
    for level, size in zip(profile.levels, sizes, strict=False):
        if levels and size == levels[-1].capacity_bytes:
            continue
        assert level.capacity is not None
        capacity = replace(level.capacity, value=size, unit="B")
        levels.append(replace(level, capacity=capacity))
    return replace(profile, levels=(*levels, profile.levels[-1]))


@pytest.fixture(scope="module")
def resized(finished_run: Any) -> dict[tuple[str, int], Prices]:
    """The run priced anew, from its stack distances, under profiles of other sizes."""
    wanted = [
        (name, size)
        for name in ("jouppi-7nm-hbm2", "a100-measured")
        for size in (2 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, 8 * MIB)
    ]
    others = []
    for name, size in wanted:
        profile = profiles()[name]
        other = with_sizes(profile, on_chip.capacities(profile, size))
        others.append(replace(other, name=f"{name}/{size}"))
    run = finished_run.run
    data = run.configuration["data"]
    work = Workload(run.settings, data["train_images"], data["test_images"])
    kinds = run_kinds(run.results, work, pytest.fail)
    prices = tabulate(kinds, others, whole_run=True)
    found = {}
    for name, size in wanted:
        own = prices.energy[prices.energy["profile"] == f"{name}/{size}"].assign(profile=name)
        found[name, size] = replace(prices, energy=own)
    return found


def test_the_answer_at_the_own_size_is_that_of_the_command_line(finished_run: Any) -> None:
    prices = finished_run.prices
    profile = profiles()[prices.profiles[0]]
    found = whatif.sentences(prices, profile, on_chip.own_size(profile))
    assert set(found.values()) == {
        one.sentences() for one in Book(finished_run.run, prices).answers.values()
    }
    assert len(found) == 4


def test_other_sizes_are_named_in_the_answer(finished_run: Any) -> None:
    found = whatif.sentences(finished_run.prices, profiles()["horowitz-45nm"], 4 * MIB)
    assert found["run", "fused"].startswith(
        "Over the whole run, fused, in a cache, under horowitz-45nm with 4 MiB on the chip, "
    )
    # 40 MiB counts as 32 here, so even its own size is named
    found = whatif.sentences(finished_run.prices, profiles()["a100-measured"], 32 * MIB)
    assert "with 32 MiB on the chip" in found["run", "eager"]


def test_the_page_offers_every_profile_that_can_price_the_run(finished_run: Any) -> None:
    offered = whatif.payload(finished_run.prices, profiles().values())["profiles"]
    assert {p["name"] for p in offered} == {n for n, p in profiles().items() if p.levels}
    work = finished_run.prices.work.assign(dtype="complex256")
    assert whatif.payload(replace(finished_run.prices, work=work), profiles().values()) == {}


def test_the_closed_forms_are_those_of_the_map() -> None:
    network = Network((784, 500, 500, 500), 100, "adam")
    profile = load_profile("jouppi-7nm-hbm2")
    closed = whatif.closed_forms(network, [profile])
    size = 4 * 2**20
    table = rows([network], [size], [profile], ["ff"]).set_index("rule")
    place = closed["batches"].index(100), closed["sizes"].index(size)
    for rule in ("ff", "bp"):
        compute, near, best, least = closed["energies"][profile.name][rule][place[0]][place[1]]
        expected = table.loc[rule, ["energy_best_order", "energy_bound"]].astype(float)
        found = [compute + near + best, compute + near + least]
        assert found == pytest.approx(expected.tolist(), rel=1e-4)  # five digits of each part


def test_the_pages_map_is_that_of_the_command() -> None:
    network = Network((784, 500, 500), 64, "adamw")  # neither a batch nor an optimiser of the map
    profile = load_profile("tpuv4i")
    found = who_wins.payload(network, [profile])
    assert found["batches"] == [1, 10, 32, 64, 100, 316, 1000]
    assert found["networks"] == ["784-500-500", "784-1000-1000", "784-2000-2000"]
    assert [name for name, _ in found["optimizers"]] == ["sgd", "momentum", "adam", "adamw"]
    other = Network((784, 2000, 2000), 64, "momentum")
    places = found["places"]["tpuv4i"]["784-2000-2000"]["momentum"]
    table = rows([other], found["sizes"], [profile], ["ff"])
    own = table[table["rule"] == "ff"]
    first = found["batches"].index(64) * len(found["sizes"])
    shown = slice(first, first + len(found["sizes"]))
    told = [found["verdicts"][int(digit)][0] for digit in places["winner"][shown]]
    assert told == [LEGEND[Verdict(winner)] for winner in own["energy_winner"]]
    columns = ["ratio_to_backprop", "ratio_low", "ratio_high"]
    assert places["ratio"][shown] == own[columns].astype(float).round(2).to_numpy().tolist()


def test_the_map_has_every_profile_that_prices_floats() -> None:
    known = profiles().values()
    found = who_wins.payload(Network((784, 500), 100), known)
    assert [name for name, _ in found["profiles"]] == list(profiles())
    unpriced = replace(next(iter(known)), compute={}, compute_as={})
    assert who_wins.payload(Network((784, 500), 100), [unpriced])["profiles"] == []


def test_a_network_of_unequal_layers_stands_by_its_widest() -> None:
    found = who_wins.payload(Network((784, 1500, 100), 100), [load_profile("tpuv4i")])
    assert found["networks"] == ["784-500-500", "784-1000-1000", "784-1500-100", "784-2000-2000"]
    assert found["own"]["network"] == "784-1500-100"
