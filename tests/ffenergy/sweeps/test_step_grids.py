"""Sweeps without training: grids from lists, one tidy table, a picture, one-line refusals."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from ffenergy.costs.prices import Prices
from ffenergy.costs.run_costs import measured_kinds, measured_work, price_steps
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, Scenarios
from ffenergy.energy import choose_profiles
from ffenergy.errors import SettingsError
from ffenergy.files.atomic import write_bytes
from ffenergy.report.grids import of_steps
from ffenergy.report.pictures.step_grid import render
from ffenergy.settings import Settings
from ffenergy.sweeps.step_grids import ORDER, grid, sweep, swept

Invoke = Callable[..., Result]

SMALL = Settings.from_preset("best").replace(layer_sizes="16,8", batch_size=4, n_train=40)
PROFILES = [choose_profiles()[0].profile]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    cells = grid(SMALL, {"batch_size": "4,8", "width": "8,6"})
    return sweep(cells, ("ff", "bp"), PROFILES)


def test_a_grid_is_every_combination_and_width_by_depth_gives_the_network() -> None:
    cells = grid(SMALL, {"batch_size": "2, 4", "width": "5,6", "depth": "1,3"})
    assert [(c.batch_size, c.layer_sizes) for c in cells] == [
        (batch, (16, *hidden)) for batch in (2, 4) for hidden in ((5,), (5, 5, 5), (6,), (6, 6, 6))
    ]
    networks = grid(SMALL, {"layer_sizes": "16,5;16,6,7"})
    assert [c.layer_sizes for c in networks] == [(16, 5), (16, 6, 7)]
    assert grid(SMALL, {}) == [SMALL]
    assert grid(SMALL, {"depth": "3"})[0].layer_sizes == (16, 8, 8, 8)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"batch_size": "10,,20"}, "--batch-size has an empty value"),
        ({"width": "10,ten"}, "--width has 'ten'; write whole numbers"),
        ({"depth": "0"}, "--depth has '0'"),
        ({"batch_size": "5,5"}, "--batch-size names 5 twice"),
        ({"layer_sizes": "16,5;16, 05"}, "--layer-sizes names 16,5 twice"),
        ({"width": "5", "layer_sizes": "16,5"}, "--layer-sizes stands beside --width"),
        ({"optimizer": "adam,magic"}, "magic"),
        ({"dtype": "float16"}, "float16"),
        ({"batch_size": "9" * 20}, "batch_size is 9+; it must be below 2.63"),
        ({"batch_size": "536870913"}, "batch_size is 536870913; .* at least 1 and at most"),
        ({"batch_size": "9" * 5000}, "--batch-size has '99.*99'; write whole numbers"),
        ({"layer_sizes": f"784,{'9' * 20}"}, "layer_sizes is .* none above"),
    ],
)
def test_a_bad_list_is_refused_in_one_line(lists: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        grid(SMALL, lists)
    assert "\n" not in caught.value.message


def test_changes_are_valid_beside_the_combination_they_belong_to() -> None:
    (cell,) = grid(SMALL, {"layer_sizes": "784,1152"}, {"local_fields": "5x5/1x2"})
    assert cell.layer_sizes == (784, 24 * 24 * 2)  # 28 - 5 + 1 = 24 places along either axis
    assert cell.local_fields == "5x5/1x2"
    with pytest.raises(
        SettingsError, match="layer_sizes is 784,8, but local_fields gives 784,1152"
    ):
        grid(SMALL, {"layer_sizes": "784,1152;784,8"}, {"local_fields": "5x5/1x2"})


def test_of_several_batches_in_flight_a_row_has_one() -> None:
    one = SMALL.replace(layer_sizes="16,6,6", batch_size=8, n_train=80)
    major = one.replace(order="layer-major", in_flight=2)
    usual, several = (sweep([cell], ("ff",), PROFILES) for cell in (one, major))
    for column in ("bytes_read", "bytes_written", "flops"):
        assert several[column].tolist() == usual[column].tolist()
    assert several["energy_joules"].tolist() == pytest.approx(usual["energy_joules"], rel=0.2)


def test_a_row_has_the_order_that_its_rule_takes() -> None:
    usual = SMALL.replace(layer_sizes="16,6,6")
    several = usual.replace(order="layer-major", in_flight=4)
    table = sweep([several, usual], ["ff", "bp"], PROFILES)
    eager = table[table["accounting"] == "eager"][["algorithm", *ORDER]].to_numpy().tolist()
    one = ["step-major", 1, ""]
    assert eager == [["ff", "layer-major", 4, "1|2"], ["bp", *one], ["ff", *one], ["bp", *one]]
    heads = list(of_steps(table, "cache").headings)
    assert {"order", "in flight", "groups"} <= set(heads)
    assert "order" not in sweep([usual], ["bp"], PROFILES)


def test_a_row_has_the_figures_of_its_combination_priced_alone(table: pd.DataFrame) -> None:
    assert len(table) == 2 * 2 * 2 * 2  # batches, widths, algorithms, accountings
    assert swept(table) == ["batch_size", "width"]
    alone = SMALL.replace(layer_sizes="16,6", batch_size=8)
    prices = price_steps(("ff",), alone, PROFILES)
    totals = RunTotals(prices)
    expected = totals.added(totals.places("ff", "fused"))
    chosen = table[
        (table["batch_size"] == 8)
        & (table["width"] == 6)
        & (table["algorithm"] == "ff")
        & (table["accounting"] == "fused")
    ].iloc[0]
    for name, value in expected.items():
        assert chosen[name] == pytest.approx(value, rel=1e-12), name


def test_parameters_are_weights_and_biases_and_backprop_has_an_output_layer(
    table: pd.DataFrame,
) -> None:
    # 16-8: 16*8 + 8 = 136; backprop's ten outputs add 8*10 + 10 = 90
    wide = table[table["width"] == 8]
    assert set(wide[wide["algorithm"] == "ff"]["parameters"]) == {136}
    assert set(wide[wide["algorithm"] == "bp"]["parameters"]) == {226}


def test_ratios_are_to_backprop_under_the_same_settings_and_accounting(
    table: pd.DataFrame,
) -> None:
    assert (table[table["algorithm"] == "bp"].filter(like="ratio_to_bp") == 1).all(axis=None)
    keys = ["batch_size", "width", "accounting"]
    sides = [table[table["algorithm"] == name].set_index(keys) for name in ("ff", "bp")]
    ff, bp = (side["bytes_read"] + side["bytes_written"] for side in sides)
    pd.testing.assert_series_equal(
        sides[0]["bytes_ratio_to_bp"], ff / bp, check_names=False, rtol=1e-12
    )
    alone = sweep([SMALL], ("ff",), PROFILES)
    assert alone.filter(like="ratio_to_bp").isna().all(axis=None)


def test_the_interval_of_a_ratio_is_that_of_the_scenario() -> None:
    orders = SMALL.replace(order="layer-major", in_flight=2)  # two batches to one of backprop's
    rows = sweep([orders], ("ff", "bp"), PROFILES).set_index(["algorithm", "accounting"])
    work = measured_work(orders)
    kinds = measured_kinds(["ff", "bp"], work, None, SCENARIOS[AS_IT_RUNS])
    ways = Scenarios(work, kinds, PROFILES[0], whole_run=False).of(AS_IT_RUNS)
    for name, one in ways.set_index("algorithm").iterrows():
        found = rows.loc[(name, "eager")]
        for end in ("low", "high"):
            assert found[f"energy_ratio_{end}"] == pytest.approx(one[f"ratio_{end}"], rel=1e-9)
        fused = rows.loc[(name, "fused")]
        ends = [fused[f"energy_ratio_{what}"] for what in ("low", "to_bp", "high")]
        assert ends == sorted(ends)


def test_a_dtype_without_a_price_leaves_energies_empty_and_says_why() -> None:
    known = PROFILES[0]
    compute, kinds = (
        {k: v for k, v in d.items() if k != "float64"} for d in (known.compute, known.compute_as)
    )
    unpriced = dataclasses.replace(known, compute=compute, compute_as=kinds)
    found = sweep(grid(SMALL, {"dtype": "float32,float64"}), ("ff", "bp"), [unpriced]).set_index(
        "dtype"
    )
    energies = found.filter(like="energy_").drop(columns=["energy_ratio_to_bp"])
    assert energies.loc["float64"].isna().all(axis=None)
    assert energies.loc["float32"].notna().all(axis=None)
    assert found.loc["float64", "note"].str.contains("float64").all()
    assert (found.loc["float32", "note"] == "").all()
    assert (found.loc["float64", "bytes_read"] > 0).all()


def test_the_picture_is_drawn_for_one_axis_and_for_two(table: pd.DataFrame) -> None:
    two, again = render(table), render(table)
    assert two == again
    assert two["png"].startswith(b"\x89PNG")
    assert b"<svg" in two["svg"]
    one = render(table[table["width"] == 8])
    assert one["png"].startswith(b"\x89PNG")
    assert one != two
    assert render(table[table["algorithm"] == "bp"]) == {}


@pytest.mark.slow
def test_the_command_writes_one_table_and_the_picture(invoke: Invoke, tmp_path) -> None:
    out = tmp_path / "sweep"
    arguments = ["measure", "--layer-sizes", "16,8;16,4,4", "--batch-size", "4,8"]
    arguments += ["--n-train", "40", "--outdir", str(out), "--quiet"]
    ran = invoke(*arguments)
    assert ran.exit_code == 0, ran.output
    assert ran.output == ""
    assert sorted(path.name for path in out.iterdir()) == [
        ".lock",
        "measure.json",
        "sweep.csv",
        "sweep.png",
        "sweep.svg",
    ]
    assert len(pd.read_csv(out / "sweep.csv")) == 2 * 2 * 2 * 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--width ten", "--width has 'ten'"),
        ("--batch-size 100 --n-train 50", "--batch-size is 100, larger than the 50 training"),
        ("--batch-size 10,20 --n-train 15", "--batch-size is 20, larger than the 15"),
        ("--batch-size 20 --n-train 15 --algorithms ff-greedy", "--batch-size is 20, larger"),
        ("--batch-size 10,20 --verbose", "--verbose is for one combination"),
        ("--batch-size 10,20 --scenario the-least", "--scenario is for one combination"),
        ("--batch-size 10,20 --steps 5", "--steps is for one combination"),
        ("--batch-size 60001", "larger than the 60000"),
        ("--layer-sizes 784,8 --local-fields 5x5/1x2", "--layer-sizes is 784,8, but --local"),
    ],
)
def test_what_cannot_be_measured_ends_with_code_2_and_one_line(
    invoke: Invoke, flags: str, message: str
) -> None:
    ran = invoke("measure", *flags.split())
    assert ran.exit_code == 2
    assert message in ran.output
    assert ran.output.count("\n") == 1


def test_locally_connected_layers_are_measured(invoke: Invoke) -> None:
    flags = "--layer-sizes 784,128 --local-fields 7x7/7x8 --batch-size 4 --algorithms bp"
    ran = invoke("measure", *flags.split())
    assert ran.exit_code == 0, ran.output
    assert "784-128" in ran.output


def test_an_interrupted_sweep_keeps_the_combinations_it_has(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_in_the_second(*arguments: Any) -> Prices:
        if any(tmp_path.iterdir()) and len(calls) == 1:
            raise KeyboardInterrupt
        calls.append(arguments)
        return price_steps(*arguments)

    calls: list[Any] = []
    monkeypatch.setattr(sweep, "__defaults__", (sweep.__defaults__[0], interrupted_in_the_second))
    out = tmp_path / "sweep"
    flags = ["--layer-sizes", "16,8;16,6;16,4", "--batch-size", "4", "--n-train", "40"]
    result = invoke("measure", *flags, "--outdir", str(out))
    assert result.exit_code == 130
    assert "interrupted; kept: 1 of 3 combinations" in result.output
    table = pd.read_csv(out / "sweep.csv")
    assert set(table["layer_sizes"]) == {"16-8"}
    assert set(table["memory"]) == {"cache"}
    assert json.loads((out / "measure.json").read_text("utf-8"))["memory"] == "cache"


class KilledError(Exception):
    """Stands for what leaves no time to write anything."""


def test_a_killed_sweep_has_written_what_it_had(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed_in_the_third(*arguments: Any) -> Prices:
        calls.append(arguments)
        if len(calls) == 3:
            raise KilledError
        return price_steps(*arguments)

    calls: list[Any] = []
    monkeypatch.setattr(sweep, "__defaults__", (sweep.__defaults__[0], killed_in_the_third))
    out = tmp_path / "sweep"
    flags = ["--layer-sizes", "16,8;16,6;16,4", "--batch-size", "4", "--n-train", "40"]
    result = invoke("measure", *flags, "--outdir", str(out))
    assert isinstance(result.exception, KilledError)
    assert list(pd.read_csv(out / "sweep.csv")["layer_sizes"].unique()) == ["16-8", "16-6"]
    document = json.loads((out / "measure.json").read_text("utf-8"))
    assert document["status"] == "running"
    assert [one["layer_sizes"] for one in document["settings"]] == [[16, 8], [16, 6]]


def test_a_full_disk_costs_no_combination_that_was_written(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_from_the_second_on(path: Path, data: bytes) -> None:
        if path.name.startswith(".sweep.csv") and written:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        write_bytes(path, data)

    written: list[Path] = []
    monkeypatch.setattr("ffenergy.files.folder.write_bytes", full_from_the_second_on)
    out = tmp_path / "sweep"
    flags = ["--layer-sizes", "16,8;16,6", "--batch-size", "4", "--n-train", "40"]
    result = invoke("measure", *flags, "--outdir", str(out), "-q")
    assert result.exit_code == 4
    assert result.output == (
        f"Error: {out / 'sweep.csv'}: No space left on device; make room and try again\n"
    )
    assert set(pd.read_csv(out / "sweep.csv")["layer_sizes"]) == {"16-8"}
