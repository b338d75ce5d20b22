"""A tiny run as it runs, well built and at the least: programs that run, and figures that agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ffenergy.costs import best_orders
from ffenergy.costs.best_orders import built, even, under
from ffenergy.costs.decomposition import ORDER, TOTAL, exact_total
from ffenergy.costs.network import order_of
from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.run_costs import measured_kinds, run_kinds, tabulate
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.scenarios import (
    AS_IT_RUNS,
    SCENARIOS,
    THE_LEAST,
    WELL_BUILT,
    Scenarios,
    columns,
)
from ffenergy.costs.step_costs import StepCosts, reading_costs
from ffenergy.energy import load_profile
from ffenergy.energy.chip import factors
from ffenergy.errors import SettingsError
from ffenergy.settings import Settings

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,24,24,24", batch_size=4, head_batch_size=16, n_epochs=2, softmax_epochs=1
)
TRAIN, TEST = 34, 16
WORK = Workload(SETTINGS, TRAIN, TEST)
RULES = ("ff", "bp", "random")
JOUPPI, HOROWITZ = (load_profile(name) for name in ("jouppi-7nm-hbm2", "horowitz-45nm"))
ROOMY = 256 * 2**10
"""Bytes on the chip: two layers with their state and activities, not three of them."""


@pytest.fixture(scope="module")
def ways() -> Scenarios:
    results = {
        name: {
            "signatures": [
                {"digest": one.signature.digest, "steps": one.steps, "name": one.kind.name}
                for one in rehearse(name, WORK).kinds
            ]
        }
        for name in RULES
    }
    return Scenarios(WORK, run_kinds(results, WORK, pytest.fail), JOUPPI)


def rows(ways: Scenarios, scenario: str) -> pd.DataFrame:
    table = ways.table
    return table[table["scenario"] == scenario].set_index("algorithm")


def test_there_is_a_row_per_algorithm_and_scenario(ways: Scenarios) -> None:
    assert list(ways.table.columns) == columns("joules")
    named = [(row["algorithm"], row["scenario"]) for row in ways.table.to_dict("records")]
    assert named == [(name, scenario) for name in RULES for scenario in SCENARIOS]
    for scenario, (reading, memory) in SCENARIOS.items():
        assert set(rows(ways, scenario)["reading"]) == {reading}
        assert set(rows(ways, scenario)["memory"]) == {memory}


def test_as_it_runs_is_the_eager_run_in_a_cache(ways: Scenarios) -> None:
    prices = tabulate(ways.kinds, [JOUPPI], whole_run=True, memory="cache")
    totals = RunTotals(prices)
    for name, row in rows(ways, AS_IT_RUNS).iterrows():
        expected = totals.added(totals.places(str(name), "eager"))
        for column in ("bytes_read", "bytedmd_tile", "energy_joules", "commute_to_compute"):
            assert row[column] == expected[column]
        assert row["peak_live_bytes"] == totals.peak_live(str(name), "eager")


def test_a_run_that_is_priced_in_a_cache_is_not_priced_again(ways: Scenarios) -> None:
    known = replace(ways, prices=tabulate(ways.kinds, [JOUPPI, HOROWITZ], whole_run=True))
    pd.testing.assert_frame_equal(known.of(AS_IT_RUNS), ways.of(AS_IT_RUNS))


def test_well_built_is_a_run_that_could_be_trained(ways: Scenarios) -> None:
    """The steps that it is priced from, and their numbers, are those of its own settings."""
    for name, one in ways.best.items():
        own = rehearse(name, Workload(one.settings, TRAIN, TEST)).kinds
        trained = {k.signature.digest: k.steps for k in own if k.kind.trains_layers}
        assert {kind.digest: kind.steps for kind in one.kinds} == trained
        seen = sum(int(kind.steps) * kind.kind.samples for kind in one.kinds)
        assert seen == 2 * TRAIN
    assert set(ways.best) == set(RULES) - {"random"}


@pytest.mark.parametrize("scenario", [AS_IT_RUNS, WELL_BUILT])
@pytest.mark.parametrize("scope", ["run", "training step"])
def test_what_normalisation_eats_is_a_share_of_the_parts(
    ways: Scenarios, scenario: str, scope: str
) -> None:
    parts = ways.parts if scenario == WELL_BUILT else ways.as_it_runs.decomposition
    parts = parts[(parts["scope"] == scope) & (parts["measure"] == "energy_joules")]
    differences = parts.set_index("part")["difference"]
    saved = -differences["backward_pass_removed"]
    found = ways.eaten(scenario, scope)
    assert found is not None
    assert found.value == pytest.approx(differences["normalisation_added"] / saved, rel=1e-9)
    assert found.low < found.high
    alone = replace(ways, kinds=[kind for kind in ways.kinds if kind.algorithm == "ff"])
    assert alone.eaten(scenario, scope) is None


def test_no_scenario_is_below_the_least(ways: Scenarios) -> None:
    least, best, usual = (
        rows(ways, one)["energy_joules"] for one in (THE_LEAST, WELL_BUILT, AS_IT_RUNS)
    )
    assert least.isna().tolist() == [False, False, True]
    for name in ("ff", "bp"):
        assert 0 < least[name] < best[name] < usual[name]
    assert (rows(ways, WELL_BUILT)["off_chip_bytes"] >= 0).all()


@pytest.mark.parametrize("rule", ["ff", "bp"])
def test_three_recorded_steps_show_what_five_show(rule: str) -> None:
    settings = SETTINGS.replace(
        order="layer-major", in_flight=3, normalize_as="deferred", gradient="at-once"
    )
    rehearsal = rehearse(rule, Workload(settings, 120, 0))  # rows enough for five steps
    (one,) = [k for k in rehearsal.kinds if k.kind.trains_layers and not k.kind.short]
    three, five = (
        reading_costs(rehearsal.record(one, steps), "fused", "scratchpad")
        for steps in (best_orders.RECORDED, 5)
    )
    for key, analysis in five.analyses.items():
        shown, expected = (one.table for one in (three.analyses[key], analysis))
        for column in ("bytes_read", "bytes_written"):
            assert shown[column].sum() == expected[column].sum()
        assert shown["bytedmd"].sum() == pytest.approx(expected["bytedmd"].sum(), rel=0.01)


def beyond(one: Any, nbytes: int) -> float:
    """Bytes that a sample moves beyond a memory, in training steps."""
    moved = 0.0
    for kind in one:
        table = kind.costs.analyses["fused", "scratchpad", "tile"].table
        far = np.where(table["distance"] == -1, 2**62, table["distance"]) > nbytes
        moved += float(table.loc[far, ["bytes_read", "bytes_written"]].to_numpy().sum()) / (
            kind.kind.samples
        )
    return moved


def test_several_batches_in_flight_spare_bytes_where_one_layer_fits() -> None:
    wider = Workload(SETTINGS.replace(layer_sizes="64,96,96,96", batch_size=10), 400, 0)
    orders = list(best_orders._orders("ff", wider, ROOMY))
    assert [(s.layer_groups, s.in_flight) for s in orders[2:]] == [("2,1", 8)]
    both = [rehearse("ff", Workload(one, 400, 0)) for one in (orders[0], orders[-1])]
    known: dict[str, StepCosts] = {}
    best_orders._analyse(both, known, short=False)
    usual, several = (best_orders._priced(one, known, short=False, whole_run=False) for one in both)
    assert beyond(several, ROOMY) < 0.5 * beyond(usual, ROOMY)


def test_parts_with_the_order_add_up(ways: Scenarios) -> None:
    assert set(ways.parts["scope"]) == {"training step", "run"}
    for _, parts in ways.parts.groupby(["scope", "measure", "profile", "grain"]):
        table = parts.set_index("part")
        assert ORDER in table.index
        for column in ("backprop", "forward_forward", "difference"):
            own = table.loc[table.index != TOTAL, column].tolist()
            assert exact_total(own) == pytest.approx(float(table.loc[TOTAL, column]), rel=1e-12)
    run = ways.parts[(ways.parts["scope"] == "run") & (ways.parts["measure"] == "energy_joules")]
    total = run.set_index("part").loc[TOTAL]
    best = rows(ways, WELL_BUILT)["energy_joules"]
    assert total["forward_forward"] == pytest.approx(best["ff"], rel=1e-12)
    assert total["backprop"] == pytest.approx(best["bp"], rel=1e-12)


def test_a_ratio_is_that_of_the_energies_inside_of_its_interval(ways: Scenarios) -> None:
    for scenario in SCENARIOS:
        found = rows(ways, scenario)
        energy = found["energy_joules"]
        for name, row in found.iterrows():
            low, value, high = (row[f"ratio_{end}"] for end in ("low", "to_backprop", "high"))
            if pd.isna(energy[name]):
                assert np.isnan([low, value, high]).all()
                continue
            assert value == pytest.approx(energy[name] / energy["bp"], rel=1e-12)
            assert low == value == high == 1 if name == "bp" else low < value < high
        other = ways.ratio(scenario, "bp", "ff")
        assert other is not None
        assert other.value == pytest.approx(1 / found.loc["ff", "ratio_to_backprop"], rel=1e-12)


def test_without_backprop_there_is_no_ratio(ways: Scenarios) -> None:
    alone = replace(ways, kinds=[kind for kind in ways.kinds if kind.algorithm == "ff"])
    assert alone.of(AS_IT_RUNS)["ratio_to_backprop"].isna().all()
    assert alone.parts.empty


def test_shares_of_energy_have_the_interval_of_the_constants(ways: Scenarios) -> None:
    parts = ways.parts
    energy = parts["measure"] == "energy_joules"
    assert parts.loc[~energy, ["share_low", "share_high"]].isna().all(axis=None)
    told = parts[energy]
    share = told["share_of_backprop"].astype(float)
    assert (told["share_low"] <= share + 1e-12).all()
    assert (share <= told["share_high"] + 1e-12).all()
    (total,) = told[(told["scope"] == "run") & (told["part"] == TOTAL)].to_dict("records")
    ratio = rows(ways, WELL_BUILT).loc["ff"]  # the sum over backprop's is the ratio less 1
    for end in ("low", "high"):
        assert 1 + total[f"share_{end}"] == pytest.approx(ratio[f"ratio_{end}"], rel=1e-12)


def test_a_draw_is_the_run_under_other_constants(ways: Scenarios) -> None:
    """Every level's and operation's price times its factor, one after the other."""
    number = 7
    drawn = {key: values[number] for key, values in factors(JOUPPI).items()}
    counts = {"add": "adds", "multiply": "multiplies", "special": "specials"}
    prices, steps = ways.well_built, ways.well_built.steps[["algorithm", "step", "steps"]]
    spent = {}
    for name in ("ff", "bp"):
        work, served = (
            table[table["algorithm"] == name].merge(steps).to_dict("records")
            for table in (prices.work, prices.levels)
        )
        spent[name] = 0.0
        for row in served:
            level = JOUPPI.levels[JOUPPI.level_names.index(row["level"])]
            read = row["bytes_read"] * level.read_per_byte * drawn[f"levels.{level.name}.read"]
            put = row["bytes_written"] * level.write_per_byte * drawn[f"levels.{level.name}.write"]
            spent[name] += row["steps"] * (read + put)
        for row in work:
            operations = JOUPPI.operations(row["dtype"])
            served_as = JOUPPI.compute_as.get(row["dtype"], row["dtype"])
            for kind, count in counts.items():
                price = getattr(operations, kind).energy("pJ")
                price *= drawn[f"compute.{served_as}.{kind}"]
                spent[name] += row["steps"] * row[count] * price
    ours, theirs = (ways._drawn(name, WELL_BUILT) for name in ("ff", "bp"))
    assert ours is not None
    assert theirs is not None
    assert ours[number] / theirs[number] == pytest.approx(spent["ff"] / spent["bp"], rel=1e-9)


def test_a_rule_that_does_not_defer_says_so() -> None:
    rules = "random", "bp-hybrid"
    found = built(rules, WORK, ROOMY, under(JOUPPI), whole_run=False)
    assert list(found) == ["bp-hybrid"]  # the other trains no layers
    assert found["bp-hybrid"].note == "normalisation not deferred"
    assert found["bp-hybrid"].settings.normalize_as == "eager"


def test_what_else_a_rule_refuses_is_not_taken_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def once(algorithm: str, work: Workload, *_: object) -> None:
        if work.settings.normalize_as == "deferred":
            raise SettingsError("no room for it")

    monkeypatch.setattr(best_orders, "rehearse", once)
    with pytest.raises(SettingsError, match="no room for it"):
        built(["ff"], WORK, ROOMY, under(JOUPPI), whole_run=False)


@pytest.mark.slow
def test_a_measurement_is_of_one_batch_of_images() -> None:
    """Of a step with several batches in flight, the share of one."""
    major = SETTINGS.replace(order="layer-major", in_flight=4)
    found = {}
    for name, settings in (("usual", SETTINGS), ("major", major)):
        work = Workload(settings, 32, 0)
        prices = Scenarios(work, measured_kinds(["ff"], work), JOUPPI, whole_run=False).as_it_runs
        totals = RunTotals(prices)
        costs = totals.added(totals.places("ff", "eager"))
        found[name] = [costs["bytes_read"], costs["bytes_written"]]
    assert found["major"] == found["usual"]
    assert order_of("ff", major) == ("layer-major", 4, "1|2|3")
    assert order_of("bp", major) == ("step-major", 1, "")


@pytest.mark.parametrize(
    ("wanted", "batches", "expected"),
    [(8, 600, 8), (8, 120, 8), (8, 6, 6), (8, 9, 8), (8, 7, 7), (8, 14, 7), (8, 1, 1), (8, 599, 8)],
)
def test_batches_in_flight_that_leave_none_over(wanted: int, batches: int, expected: int) -> None:
    assert even(wanted, batches) == expected
