"""`ffenergy map` on the command line, and its pictures."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ffenergy.cli.map import against_backprop
from ffenergy.costs.network import Network
from ffenergy.costs.verdicts import Verdict
from ffenergy.energy import load_profile, profiles
from ffenergy.report.pictures import energy_curves, map_regions

ROOT = Path(__file__).parents[3]
SMALL = ["--width", "100", "--depth", "2", "--batch-size", "10,100", "--on-chip", "64KiB-1MiB"]

COLUMNS = ["chip", "MiB", "FF÷BP", "cheaper"]


@pytest.fixture(name="run")
def _run(invoke):
    return lambda *arguments: invoke("map", *arguments)


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Pictures of few places, which take a second instead of ten."""
    monkeypatch.setattr(map_regions, "AN_OCTAVE", 1)
    monkeypatch.setattr(map_regions, "BATCHES", (1, 10, 100, 1000))
    monkeypatch.setattr(energy_curves, "AN_OCTAVE", 1)


def test_the_screen_is_a_screen(run):
    result = run()
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    for name in profiles():
        assert name in result.output
    assert lines[0].startswith("784-1000-1000-1000-1000, jouppi-7nm-hbm2: MiB on the chip where")


def test_chips_that_two_to_a_line_do_not_fit_stand_one_to_a_line(run):
    lines = run("--width", "1", "--depth", "1", "--batch-size", "100").output.splitlines()
    assert max(map(len, lines)) <= 100
    heading = next(k for k, line in enumerate(lines) if line.split() == COLUMNS)
    rows = [line.split() for line in lines[heading + 2 :][: len(profiles())]]
    assert sorted(row[0] for row in rows) == sorted(profiles())
    assert all(row[4] in {"FF", "BP", "?"} for row in rows)
    assert lines[heading + 2 + len(profiles())].startswith("* proven, ? undecided or within 2 %.")


def test_the_table_comes_as_csv_and_as_json(run):
    table = pd.read_csv(io.StringIO(run(*SMALL, "--csv").output))
    assert sorted(set(table["on_chip_bytes"])) == [2**k for k in range(16, 21)]
    assert set(table["rule"]) == {"ff", "ff-label", "mono-forward", "bp"}
    records = json.loads(run(*SMALL, "--json").output)
    assert len(records) == len(table)
    assert records[0]["layer_sizes"] == "784-100-100"
    for name in table.select_dtypes("float"):  # joules of a batch begin at the sixth decimal
        told = [record[name] for record in records]
        assert told == [None if pd.isna(value) else value for value in table[name]], name


def test_the_findings_have_the_map_as_it_is(run):
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    told = re.search(
        r"^\| optimiser \| batch (\| \d+ MiB )+.*?\n\n", text, re.MULTILINE | re.DOTALL
    )
    heading, _, *lines = (
        [cell.strip() for cell in row.split("|")[1:-1]] for row in told[0].split("\n")[:-2]
    )
    network = ["--width", "1000", "--depth", "4", "--profile", "jouppi-7nm-hbm2"]
    sizes = ",".join(size.replace(" ", "") for size in heading[2:])
    table = pd.read_csv(io.StringIO(run(*network, "--on-chip", sizes, "--csv").output))
    table = table[table["rule"] == "ff"].set_index(["optimizer", "batch_size"])
    names = {"rule": "FF", "backprop": "BP"}
    for optimizer, batch, *cells in lines:
        found = table.loc[(optimizer.lower(), int(batch))]
        for cell, row in zip(cells, found.itertuples(), strict=True):
            winner = row.energy_winner.replace(", best known orders", "").replace(",", "")
            who, *proven = winner.split()
            assert (
                cell == f"{row.ratio_to_backprop:.2f}, {' '.join([names.get(who, who), *proven])}"
            )


def test_a_directory_holds_table_pictures_and_how_they_were_made(run, tmp_path):
    out = tmp_path / "map"
    arguments = [*SMALL, "--optimizer", "sgd", "--profile", "tpuv4i", "--outdir", out]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    names = {path.name for path in out.iterdir()} - {".lock"}
    pictures = {"map.png", "map.svg", "energy.png", "energy.svg"}
    assert names == {"map.csv", "map.html", "map.json", *pictures}
    document = json.loads((out / "map.json").read_text(encoding="utf-8"))
    assert document["networks"] == ["784-100-100"]
    assert [one["name"] for one in document["profiles"]] == ["tpuv4i"]
    again = run(*arguments)
    assert again.exit_code == 4
    assert "--force" in again.output
    assert run(*arguments, "--force", "--quiet").output == ""


@pytest.mark.slow
def test_programs_are_counted_beside_the_closed_forms(run, tmp_path):
    network = ["--width", "20", "--depth", "2", "--batch-size", "100", "--optimizer", "adam"]
    result = run(*network, "--profile", "eyeriss-relative", "--measure", "--outdir", tmp_path)
    assert result.exit_code == 0, result.output
    assert "well built" in result.output
    assert ": map.csv, measured.csv, regimes.csv, map.html" in result.output
    what = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))["what"]
    assert "counted" in what
    regimes, measured, whole = (
        pd.read_csv(tmp_path / f"{name}.csv") for name in ("regimes", "measured", "map")
    )
    assert set(regimes["energy_unit"]) == set(measured["energy_unit"]) == {"macs"}
    assert regimes["off_chip_bytes"].dtype == np.int64
    built = regimes[(regimes["scenario"] == "well built") & (regimes["algorithm"] == "ff")]
    places = whole[whole["rule"] == "ff"].set_index("on_chip_bytes")
    ratios = built.set_index("on_chip_bytes")["ratio_to_backprop"]
    assert places["ratio_scratchpad"].dropna().tolist() == ratios.tolist()


def test_programs_that_do_not_fit_into_memory_are_refused_first(run, tmp_path):
    network = ["--width", "20", "--depth", "2", "--batch-size", "1000000"]
    result = run(*network, "--measure", "--outdir", tmp_path, "--max-memory", "1GB")
    assert result.exit_code == 2
    assert "784-20-20 needs at least 3.14 GB of memory" in result.output
    assert "--measure wants a smaller --width or --batch-size" in result.output
    assert not (tmp_path / "map.json").exists()


def test_programs_that_take_long_are_announced(run, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("ffenergy.cli.map.measured_kinds", stop)
    network = ["--width", "20", "--depth", "2", "--batch-size", "100000", "--on-chip", "4MiB"]
    result = run(*network, "--measure", "--outdir", tmp_path)
    assert result.exit_code == 130
    assert "Counting programs of a network of 784-20-20: about 4 minutes each" in result.output


def test_a_saved_run_has_its_own_layers(run, finished_run):
    for flag in ("--width", "--depth"):
        result = run(finished_run.path, flag, "2")
        assert result.exit_code == 2
        assert "RUN has its own layers" in result.output


def test_quiet_leaves_what_programs_read_and_no_empty_folder_is_taken(run):
    assert len(json.loads(run(*SMALL, "--json", "-q").output)) > 10
    result = run(*SMALL, "--outdir", "")
    assert result.exit_code == 2
    assert "write . for the current one" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--on-chip", "5 apples"], "--on-chip has '5 apples'; give a number with KiB"),
        (["--on-chip", "-5"], "--on-chip has '-5'; give a number with KiB"),
        (["--on-chip", "16MiB-4MiB"], "16MiB is larger than 4MiB; turn them round"),
        (["--on-chip", "2000GiB"], "from 1 KiB to 1 TiB"),
        (
            ["--on-chip", "0.5KiB"],
            "--on-chip has '0.5KiB'; give a number with KiB, MiB or GiB, from",
        ),
        (["--on-chip", "4096B"], "--on-chip has '4096B'; give a number with KiB, MiB or GiB, from"),
        (["--max-memory", "1KB"], "--max-memory is for --measure; leave it out, or add that"),
        (["--batch-size", "0"], "--batch-size has '0'; give whole numbers"),
        (["--width", "ten"], "--width has 'ten'"),
        (["--width", "500,1000,500"], "--width names 500 twice; name each value once"),
        (["--batch-size", "10,10"], "--batch-size names 10 twice"),
        (["--optimizer", "sgd,adam,sgd"], "--optimizer names sgd twice"),
        (["--on-chip", "1MiB,1024KiB"], "--on-chip names 1024KiB twice"),
        (["--optimizer", "lion"], "--optimizer has 'lion'; choose among sgd, momentum, adam"),
        (["--rules", "bp"], "--rules has 'bp'; name each of ff, "),
        (["--json", "--csv"], "give one of the two"),
        (["--measure"], "--measure writes measured.csv and energy.png; name --outdir"),
        (["--profile", "nowhere"], "nowhere: neither a profile nor a file"),
        (["--max-memory", "much"], "--max-memory is 'much'; write a number of bytes"),
    ],
)
def test_a_bad_flag_is_one_line(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_help_names_the_rules_left_out_and_how_to_have_them(run):
    told = " ".join(run("--help").output.split())
    names = against_backprop()
    assert {"ff", "ff-greedy", "ff-greedy-stored", "local"} <= {*names}
    assert f"with commas, among {', '.join(names)}." in told
    assert "[default: ff,ff-label,mono-forward]" in told
    assert "`ffenergy measure --bp-activations recomputed`" in told


def test_curves_are_ordered_and_measurements_take_their_place():
    network = Network((784, 1000, 1000, 1000, 1000), 100)
    profile = load_profile("jouppi-7nm-hbm2")
    table = energy_curves.curves(network, profile)
    assert tuple(table.columns) == energy_curves.CURVES
    for rule in ("ff", "bp"):
        assert (table[f"{rule}-bound"] <= table[rule] * (1 + 1e-9)).all()
    assert (table["ff"] <= table["ff-as-it-runs"] * (1 + 1e-9)).all()
    measured = pd.DataFrame(
        {"on_chip_bytes": [2**22, 2**24], "energy_bp": [7e-3, 6e-3], "energy_ff": [8e-3] * 2}
    )
    found = energy_curves.curves(network, profile, measured)
    assert found["bp-as-it-runs"].tolist() == [7e-3, 6e-3]
    assert found["ff-as-it-runs"].tolist() == [8e-3] * 2
    np.testing.assert_allclose(found.loc[2**24, "ff"], table.loc[2**24, "ff"])


def test_pictures_are_the_same_bytes_every_time():
    profile = load_profile("eyeriss-relative")
    drawn = [map_regions.render([(784, 100, 100)], profile) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0]["png"].startswith(b"\x89PNG")
    network = Network((784, 100, 100), 10, "sgd")
    drawn = [energy_curves.render(network, profile) for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        (["BP_KNOWN", "RULE_KNOWN", "RULE_PROVEN", "RULE_PROVEN"], "proven, from 4 MiB to 8 MiB"),
        (["RULE_KNOWN", "BP_KNOWN", "RULE_KNOWN", "RULE_KNOWN"], "orders, from 4 MiB to 8 MiB"),
        (["BP_KNOWN", "UNDECIDED", "BP_PROVEN", "BP_PROVEN"], "cheaper at no size"),
    ],
)
def test_a_map_says_where_the_rule_is_cheaper(verdicts, told):
    sizes = [2**20, 2**21, 2**22, 2**23]
    assert map_regions._where([Verdict[name] for name in verdicts], sizes).endswith(told)


def test_a_run_with_an_optimizer_that_the_whole_map_leaves_out_has_its_column(
    run, invoke, tmp_path
):
    tiny = ["--layer-sizes", "784,7", "--n-train", "20", "--batch-size", "10", "--offline"]
    tiny += ["--head-batch-size", "10", "--n-epochs", "0", "--no-trace", "--optimizer", "adamw"]
    assert invoke("train", "bp", *tiny, "--outdir", tmp_path / "run").exit_code == 0
    result = run(tmp_path / "run", "--on-chip", "1MiB", "--batch-size", "10")
    assert result.exit_code == 0, result.output
    heading = next(line for line in result.output.splitlines() if line.startswith("batch  SGD"))
    names = [word for word in heading.split() if word not in ("batch", "least", "ratio", "at")]
    assert names == ["SGD", "momentum", "Adam", "AdamW"]
