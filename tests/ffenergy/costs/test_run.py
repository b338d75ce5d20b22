"""A tiny run, trained and priced: tables add up, to the integer, with what the run counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ffenergy.costs import run_costs
from ffenergy.costs.decomposition import decomposition
from ffenergy.costs.further import further_analysis
from ffenergy.costs.prices import ACCOUNTINGS, COLUMNS, Prices
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import price_steps, run_kinds, tabulate
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.step_costs import StepCosts
from ffenergy.data import Dataset
from ffenergy.energy import (
    ProfileError,
    choose_profiles,
    profiles,
    restore_profiles,
)
from ffenergy.report.book import Book
from ffenergy.report.sections import sections
from ffenergy.runs.results import AlgorithmResult
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.training import train

ALGORITHMS = ("ff", "bp", "random")
SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes=(16, 8, 8), batch_size=20, head_batch_size=30, n_epochs=2, softmax_epochs=2
)
TRAIN, TEST = 50, 25  # batches of 20, 20, 10 and of 30, 20
WORK = Workload(SETTINGS, TRAIN, TEST)
HEADLINE = "jouppi-7nm-hbm2"
PROFILES = (HEADLINE, "horowitz-45nm", "eyeriss-relative", "dally-wire", "dally-grid")
"""One of every kind: joules and MAC, levels, wires and a grid."""


@dataclass(frozen=True)
class Priced:
    run: Run
    prices: Prices
    said: list[str]
    book: Book


def dataset() -> Dataset:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (TRAIN + TEST, 4, 4), np.uint8)
    labels = rng.integers(0, 10, TRAIN + TEST).astype(np.uint8)
    split = pixels[:TRAIN], labels[:TRAIN], pixels[TRAIN:], labels[TRAIN:]
    return Dataset("tiny", "random", True, *split)


@pytest.fixture(scope="module")
def priced() -> Priced:
    data = {"name": "tiny", "is_sample": True, "train_images": TRAIN, "test_images": TEST}
    run = Run({"data": data, "accounting": "eager", "settings": SETTINGS.to_dict()})
    results: list[AlgorithmResult] = [train(name, SETTINGS, dataset()) for name in ALGORITHMS]
    for result in results:
        run = run.with_result(result)
    said: list[str] = []
    priced_under = [profiles()[name] for name in PROFILES]
    further = further_analysis("scratchpad", priced_under)
    kinds = run_kinds(run.results, WORK, said.append, further=further)
    prices = tabulate(kinds, priced_under, whole_run=True, memory="scratchpad")
    return Priced(run, prices, said, Book(run, prices))


def times_steps(prices: Prices, table: pd.DataFrame) -> pd.DataFrame:
    """A table per step with its numbers multiplied by the steps of the run."""
    table = table.merge(prices.steps[["algorithm", "step", "steps"]])
    moved = ["bytes_read", "bytes_written"]
    return table.assign(**{name: table[name] * table["steps"] for name in moved})


def test_every_step_of_the_run_is_priced(priced: Priced) -> None:
    assert priced.said == []
    for name, row in priced.run.results.items():
        steps = priced.prices.steps
        own = steps[steps["algorithm"] == name].set_index("digest")["steps"].to_dict()
        assert own == {s["digest"]: s["steps"] for s in row["signatures"]}
    labels = {"train", "train-short", "head", "head-short", "features", "evaluate"}
    assert labels <= set(steps["step"])


def test_tables_have_the_promised_columns(priced: Priced) -> None:
    for name, table in priced.prices.tables():
        macs = [c for c in table.columns if c.endswith("_macs")]
        assert list(table.columns) == [*COLUMNS[name], *macs]
        assert bool(macs) == (name == "energy")


def test_eager_bytes_are_those_of_traffic_csv(priced: Priced) -> None:
    reuse = priced.prices.reuse
    eager = reuse[(reuse["accounting"] == "eager") & (reuse["grain"] == "operation")]
    keys = ["algorithm", "layer", "phase", "role"]
    moved = ["bytes_read", "bytes_written"]
    found = times_steps(priced.prices, eager).groupby(keys)[moved].sum()
    counted = priced.run.traffic.groupby(keys)[moved].sum()
    counted = counted[(counted != 0).any(axis=1)]
    pd.testing.assert_frame_equal(found[(found != 0).any(axis=1)], counted)


def test_levels_energy_and_misses_add_up_to_the_distances(priced: Priced) -> None:
    prices = priced.prices
    keys = ["algorithm", "step", "accounting"]
    moved = ["bytes_read", "bytes_written"]
    tile = prices.reuse[prices.reuse["grain"] == "tile"]
    expected = tile.groupby(keys)[moved].sum()
    for name, rows in prices.energy.groupby("profile"):
        pd.testing.assert_frame_equal(rows.groupby(keys)[moved].sum(), expected)
        served = prices.levels[prices.levels["profile"] == name]
        if not str(name).startswith("dally-"):  # those price distances
            pd.testing.assert_frame_equal(served.groupby(keys)[moved].sum(), expected)


@pytest.mark.parametrize("capacity", [1024, 4096])
def test_misses_are_what_lies_farther_away(priced: Priced, capacity: int) -> None:
    keys = ["algorithm", "step", "accounting", "memory", "grain"]
    moved = ["bytes_read", "bytes_written"]
    curve = priced.prices.misses
    curve = curve[curve["memory"] == priced.prices.memory]
    curve = curve[curve["capacity_bytes"] == capacity].set_index(keys)[moved]
    reuse = priced.prices.reuse
    far = (reuse["distance_from_bytes"] >= capacity) | (reuse["distance_to_bytes"] == -1)
    beyond = reuse[far].groupby(keys)[moved].sum().reindex(curve.index, fill_value=0)
    assert len(curve) > 10
    pd.testing.assert_frame_equal(curve, beyond)


def test_decomposition_adds_up_to_the_summary(priced: Priced) -> None:
    summary = priced.book.summary.set_index(["algorithm", "accounting"])
    table = priced.prices.decomposition
    for (accounting, scope, profile, measure), parts in table.groupby(
        ["accounting", "scope", "profile", "measure"], sort=False
    ):
        rows = parts.set_index("part")
        total = rows.loc["total"]
        for column in ("backprop", "forward_forward", "difference"):
            added = sum(rows[column].drop("total").tolist())
            if isinstance(total[column], int):
                assert added == total[column]
            assert added == pytest.approx(total[column])
        if scope == "run" and profile in ("", HEADLINE):
            assert total["forward_forward"] == pytest.approx(
                summary.loc[("ff", accounting), measure]
            )
            assert total["backprop"] == pytest.approx(summary.loc[("bp", accounting), measure])


def test_summary_keeps_the_eager_rows_and_shares(priced: Priced) -> None:
    summary = priced.book.summary
    assert list(summary["accounting"]) == [*ACCOUNTINGS] * 3
    eager, fused = (summary[summary["accounting"] == a].set_index("algorithm") for a in ACCOUNTINGS)
    for name in ALGORITHMS:
        own = priced.run.traffic[priced.run.traffic["algorithm"] == name]
        assert eager.loc[name, "bytes_read"] == own["bytes_read"].sum()
        assert fused.loc[name, "bytes_read"] < eager.loc[name, "bytes_read"]
    assert all(isinstance(value, int) for value in summary["bytedmd_tile"])
    ratio = summary["energy_movement_joules"] / summary["energy_compute_joules"]
    np.testing.assert_allclose(summary["commute_to_compute"].astype(float), ratio.astype(float))
    assert eager.loc["ff", "normalize_energy_share"] > 0
    assert eager.loc["bp", "normalize_energy_share"] == 0
    peak = priced.prices.peak.set_index(["algorithm", "step", "accounting"])["peak_live_bytes"]
    assert eager.loc["ff", "peak_live_bytes"] == peak["ff", "train", "eager"]


def test_normalize_is_under_every_accounting_per_layer(priced: Priced) -> None:
    table = priced.book.normalize
    assert list(table["layer"]) == [*["layer1"] * 2, *["layer2"] * 2]
    summary = priced.book.summary.set_index(["algorithm", "accounting"])
    for accounting, rows in table.groupby("accounting"):
        share = rows["share_of_total_energy"].sum()
        assert share == pytest.approx(summary.loc[("ff", accounting), "normalize_energy_share"])


def test_joules_up_to_a_target_grow_by_whole_epochs(priced: Priced) -> None:
    history = priced.run.history[priced.run.history["algorithm"] == "bp"]
    one, two = (
        RunTotals(priced.prices).training_up_to("bp", history, "network", epoch) for epoch in (1, 2)
    )
    assert (two["bytes_read"] == 2 * one["bytes_read"]).all()
    steps = priced.run.results["bp"]["signatures"]
    trained = sum(s["steps"] * s["bytes_read"] for s in steps if s["name"] == "train")
    assert two.set_index("accounting").loc["eager", "bytes_read"] == trained
    easy = replace(priced.run, history=priced.run.history.assign(test_error=1.7))
    table = Book(easy, priced.prices).targets.set_index(["algorithm", "accounting", "target_error"])
    assert not table.loc[("bp", "eager", 1.5), "reached"]
    assert pd.isna(table.loc[("bp", "eager", 1.5), "training_energy_joules"])
    assert table.loc[("bp", "eager", 2.0), "training_bytes_read"] == one["bytes_read"].iloc[0]


def test_costs_up_to_an_epoch_do_not_need_a_head_that_trained(priced: Priced) -> None:
    history = priced.run.history[priced.run.history["algorithm"] == "ff"]
    no_head = history[history["stage"] != "head"]  # as with softmax_epochs 0
    found, expected = (
        RunTotals(priced.prices).training_up_to("ff", h, "layers", 1) for h in (no_head, history)
    )
    pd.testing.assert_frame_equal(found, expected)


def test_what_never_trained_is_not_decomposed(priced: Priced) -> None:
    """As with n_epochs 0, where evaluations and the head are all there is."""
    tables = (priced.prices.steps, priced.prices.reuse, priced.prices.energy)
    rest = [table[~table["step"].str.startswith("train")] for table in tables]
    assert {"ff", "bp"} <= set(rest[0]["algorithm"])
    assert decomposition(*rest, whole_run=True).empty


def test_the_answer_and_the_tables_are_shown(priced: Priced) -> None:
    book = priced.book
    sentences = [answer.sentences() for answer in book.answers.values()]
    assert [s.split(",")[1].strip() for s in sentences] == ["eager", "fused"] * 2
    assert all(HEADLINE in sentence for sentence in sentences)
    tables = [one for section in sections(book) for one in section.more]
    (relative, _) = [one for one in tables if "under eyeriss-relative" in one.caption]
    assert relative.headings[1].endswith("MAC")


def test_a_run_with_a_step_that_no_recording_reproduces_has_no_price(priced: Priced) -> None:
    """A sum without it would be taken for the run's; a rule beside it keeps its own."""
    results = priced.run.results
    signatures = [{"name": "train", "digest": letter * 16, "steps": 7} for letter in "01"]
    said: list[str] = []
    results = {
        "bp": {"signatures": [*results["bp"]["signatures"], *signatures]},
        "random": results["random"],
    }
    kinds = run_kinds(results, WORK, said.append)
    assert {kind.algorithm for kind in kinds} == {"random"}
    assert len(kinds) == len(results["random"]["signatures"])
    (line,) = said
    assert "bp: no rehearsed step has the digest 0000000000000000" in line
    assert "7 steps 'train' (and 1 more like them); none of its steps has a price" in line


@pytest.mark.slow
def test_runs_that_share_analyses_cost_what_they_cost_alone(
    priced: Priced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with the same steps, each taken twice as often: nothing is left to analyse."""
    chosen = [profiles()[HEADLINE]]
    analysed: dict[str, StepCosts] = {}
    run_kinds(priced.run.results, WORK, pytest.fail, analysed)
    monkeypatch.setattr(run_costs, "step_costs", lambda recording: pytest.fail("analysed again"))
    longer = {
        name: {"signatures": [s | {"steps": 2 * s["steps"]} for s in row["signatures"]]}
        for name, row in priced.run.results.items()
    }
    kinds = run_kinds(longer, WORK, pytest.fail, analysed)
    again = tabulate(kinds, chosen, whole_run=True, memory="scratchpad")
    assert set(analysed) == set(again.steps["digest"])
    assert (again.steps["steps"] == 2 * priced.prices.steps["steps"]).all()
    alone = priced.prices.energy.query("profile == @HEADLINE").reset_index(drop=True)
    pd.testing.assert_frame_equal(again.energy.reindex(columns=list(alone)), alone)


def test_a_measurement_prices_one_full_step() -> None:
    prices = price_steps(["ff", "bp"], SETTINGS, [profiles()["eyeriss-relative"]])
    assert prices.steps["steps"].tolist() == [1, 1]
    assert set(prices.decomposition["scope"]) == {"training step"}
    assert "energy_macs" in set(prices.decomposition["measure"])


def test_profiles_are_recorded_and_restored(tmp_path: Any) -> None:
    text = "".join(
        line.replace("jouppi-7nm-hbm2", "mine")
        for line in _bundled_text().splitlines(keepends=True)
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    chosen = choose_profiles([str(tmp_path / "mine.toml"), "dally-wire"])
    (tmp_path / "mine.toml").unlink()
    records = [one.record() for one in chosen]
    assert [one.profile for one in restore_profiles(records)] == [one.profile for one in chosen]
    with pytest.raises(ProfileError, match="has changed since this run"):
        restore_profiles([{**records[1], "sha256": "0"}])
    with pytest.raises(ProfileError, match="gone, under which the run was priced, is not here"):
        restore_profiles([{**records[1], "name": "gone"}])
    with pytest.raises(ProfileError, match="two profiles are named"):
        choose_profiles(["dally-wire", "dally-wire"])


def _bundled_text() -> str:
    """The sources, and the headline profile, of the bundled file."""
    from importlib.resources import files

    text = files("ffenergy.energy").joinpath("profiles.toml").read_text(encoding="utf-8")
    head, *tables = text.split("# ---")
    return head + next(t[t.index("\n") :] for t in tables if f"[profiles.{HEADLINE}]" in t)
