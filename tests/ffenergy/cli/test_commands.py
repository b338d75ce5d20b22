"""The commands as a user types them: files, tables, errors and exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from ffenergy.cli.flags import HELP
from ffenergy.report.book import Book
from ffenergy.report.files import without_prices
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings

Invoke = Callable[..., Result]

TINY = ["--layer-sizes", "784,16,16", "--n-epochs", "1", "--softmax-epochs", "1"]
TINY += ["--n-train", "400"]
FILES = ["examples.npz", "goodness.png", "history.csv", "hybrids.png", "normalize.csv"]
FILES += ["receptive-fields.png", "report.html", "report.md", "run.json"]
FILES += ["summary.csv", "traffic.csv", "traffic.png", "training-curves.png", "weights.npz"]
PRICED = "alive decomposition energy levels live misses peak reuse steps targets work".split()
PRICED += ["ratios", "scenarios", "tuned", "well-built"]


def eager(path: Path) -> pd.DataFrame:
    """The eager rows of a summary, by algorithm."""
    table = pd.read_csv(path)
    return table[table["accounting"] == "eager"].set_index("algorithm")


def test_compare_writes_every_file(finished_run: Any) -> None:
    path = finished_run.path
    found = {p.name for p in path.iterdir()}
    expected = {*FILES, *(f"{name}.csv" for name in PRICED)}
    assert expected <= found
    assert {Path(name).suffix for name in found - expected - {".lock"}} <= {".png", ".svg"}
    document = json.loads((path / "run.json").read_text())
    assert document["status"] == "complete"
    assert document["command"].startswith("ffenergy compare --layer-sizes 784,24,16")
    assert document["settings"]["layer_sizes"] == [784, 24, 16]
    assert [s["name"] for s in document["results"]["bp"]["signatures"]]
    assert {"python", "numpy", "ffenergy", "blas"} <= set(document["versions"])


def test_the_tables_have_the_promised_columns(finished_run: Any) -> None:
    path = finished_run.path
    summary = pd.read_csv(path / "summary.csv")
    assert list(summary["algorithm"]) == [*["ff"] * 2, *["bp"] * 2, *["random"] * 2]
    assert list(summary["accounting"]) == ["eager", "fused"] * 3
    promised = "algorithm test_error train_error steps samples flops bytes_read bytes_written"
    promised += " bytes_per_flop normalize_bytes_share wall_seconds"
    assert list(summary.columns[:11]) == promised.split()
    assert summary["is_sample"].all()
    promised = "profile bytedmd_operation bytedmd_tile energy_compute_joules energy_movement_joules"
    promised += " commute_to_compute peak_live_bytes normalize_energy_share"
    assert summary[promised.split()].notna().all(axis=None)
    for name in ("summary", "targets", "normalize"):
        assert set(pd.read_csv(path / f"{name}.csv")["memory"]) == {"cache"}
    ratios = pd.read_csv(path / "ratios.csv")
    assert set(ratios["memory_as_it_runs"]) == {"cache"}
    assert set(ratios["memory_best_order"]) == {"managed"}
    traffic = pd.read_csv(path / "traffic.csv")
    promised = "algorithm layer phase operation role calls flops flops_special"
    assert list(traffic.columns) == [*promised.split(), "bytes_read", "bytes_written"]
    history = pd.read_csv(path / "history.csv")
    promised = "algorithm stage epoch loss train_error test_error loss_layer1 separation_layer2"
    promised += " cumulative_bytes_read cumulative_bytes_written cumulative_flops wall_seconds"
    assert set(promised.split()) <= set(history.columns)


def test_the_tables_add_up(finished_run: Any) -> None:
    path = finished_run.path
    totals = ["flops", "bytes_read", "bytes_written"]
    summary = eager(path / "summary.csv")
    traffic = pd.read_csv(path / "traffic.csv").groupby("algorithm")[totals].sum()
    pd.testing.assert_frame_equal(summary[totals].sort_index(), traffic, check_names=False)
    normalize = pd.read_csv(path / "normalize.csv")
    normalize = normalize[normalize["accounting"] == "eager"]
    moved = (normalize["bytes_read"] + normalize["bytes_written"]).sum()
    ff = summary.loc["ff"]
    assert moved / (ff["bytes_read"] + ff["bytes_written"]) == ff["normalize_bytes_share"]
    assert normalize["share_of_total_bytes"].sum() == pytest.approx(ff["normalize_bytes_share"])
    parts = pd.read_csv(path / "decomposition.csv", dtype=str)
    counted = parts.loc[parts["measure"].str.startswith("byte"), "difference"]
    assert counted.size
    assert counted.str.fullmatch("-?[0-9]+").all()  # integers, to the last digit


def test_steps_times_signatures_are_the_totals(finished_run: Any) -> None:
    path = finished_run.path
    results = json.loads((path / "run.json").read_text())["results"]
    summary = eager(path / "summary.csv")
    for algorithm, row in results.items():
        for column in ("flops", "bytes_read", "bytes_written"):
            total = sum(s["steps"] * s[column] for s in row["signatures"])
            assert total == summary.loc[algorithm, column]


def test_what_is_printed_and_the_page_name_data_units_and_accounting(
    finished_run: Any,
) -> None:
    path = finished_run.path
    page = (path / "report.md").read_text()
    assert "300 training and 1,000 test images, embedded sample" in page
    assert "SAMPLE, not the full data set" in page
    assert "every operation streams its operands; no cache" in page
    assert "Forward-Forward moved" in page
    screen = finished_run.output.splitlines()
    assert "mnist, 300 training + 1,000 test images (SAMPLE)" in screen[0]
    assert len(screen) <= 24
    told = [line for line in screen if not line.startswith("Page")]
    assert max(map(len, told)) <= 100  # a path is as long as it is
    for words in ("Forward-Forward ÷ backprop", "As it runs, ", "Well built", "--verbose"):
        assert words in finished_run.output
    row = next(line for line in screen if line.strip().startswith("90 % of draws"))
    scenarios = pd.read_csv(path / "scenarios.csv").set_index(["algorithm", "scenario"])
    for scenario in ("as it runs", "well built"):
        low, high = scenarios.loc[("ff", scenario), ["ratio_low", "ratio_high"]]
        assert f"{low:.2f}–{high:.2f}" in row
        assert f"({low:.2f}–{high:.2f})" in page
    assert "## Training curves\n\n![Lines of the training loss" in page
    assert "(training-curves.png)" in page


TABLES = ["summary.csv", "normalize.csv", "report.md", *(f"{name}.csv" for name in PRICED)]


@pytest.mark.parametrize(
    ("derived", "pictures"),
    [
        pytest.param(TABLES, "blank", marks=pytest.mark.slow),
        pytest.param([*TABLES, "report.html", "traffic.png"], "drawn", marks=pytest.mark.slow),
    ],
    ids=["tables", "all"],
)
def test_report_rebuilds_the_same_bytes(
    invoke: Invoke, finished_run: Any, copied_run: Path, derived: list[str], pictures: str
) -> None:
    before = {name: (copied_run / name).read_bytes() for name in derived}
    for name in derived:
        (copied_run / name).unlink()
    result = invoke("report", copied_run, pictures=pictures)
    assert result.exit_code == 0, result.output
    assert {name: (copied_run / name).read_bytes() for name in derived} == before
    screen = result.stdout.replace(str(copied_run), str(finished_run.path))
    assert screen == finished_run.output


def test_report_rebuilds_what_is_missing_as_it_was(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("train", "bp", "--no-trace", *TINY, "--offline", "--outdir", tmp_path, "-q")
    assert done.exit_code == 0, done.output
    derived = ["summary.csv", "report.md", "report.html", "training-curves.png"]
    before = {name: (tmp_path / name).read_bytes() for name in derived}
    for name in derived:
        (tmp_path / name).unlink()
    again = invoke("report", tmp_path, "-q")
    assert again.exit_code == 0, again.output
    assert {name: (tmp_path / name).read_bytes() for name in derived} == before


def test_a_report_that_prices_nothing_leaves_no_older_prices(
    invoke: Invoke, copied_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a run whose rule is not here: summary.csv has no energies then."""
    (copied_run / "mine.csv").write_text("not ours")
    monkeypatch.setattr(Book, "of", staticmethod(lambda run, profiles, say: Book(run)))
    assert invoke("report", copied_run, "--html", "-q").exit_code == 0
    there = {path.name for path in copied_run.iterdir()}
    assert not there & {f"{name}.csv" for name in PRICED if name != "targets"}
    assert {"energy-waterfall.png", "mine.csv", "traffic.csv", "weights.npz"} <= there
    gone = without_prices(["traffic.png", "summary.csv"], pictures=True)
    assert {"energy-waterfall.png", "map.svg", "energy.csv"} <= gone
    assert not {"traffic.png", "summary.csv"} & gone
    recorded = json.loads((copied_run / "run.json").read_text())["files"]
    assert recorded.keys() <= there


def test_training_untraced_gives_the_same_weights_and_no_counts(
    invoke: Invoke, finished_run: Any, tmp_path: Path
) -> None:
    out = tmp_path / "plain"
    result = invoke("train", "bp", "--no-trace", *finished_run.flags, "--outdir", out)
    assert result.exit_code == 0, result.output
    summary = pd.read_csv(out / "summary.csv")
    assert summary["bytes_read"].isna().all()
    with (
        np.load(finished_run.path / "weights.npz") as traced,
        np.load(out / "weights.npz") as plain,
    ):
        for name in plain:
            np.testing.assert_array_equal(traced[name], plain[name])
    assert invoke("report", out).exit_code == 0


@pytest.mark.parametrize(
    ("algorithm", "flag", "told"),
    [
        ("ff", "--softmax-epochs", "test error unknown"),
        ("random", "--softmax-epochs", "test error unknown"),
        ("bp", "--n-epochs", "test error 9"),  # of the untrained network: about 90 %
    ],
)
def test_a_training_of_no_epochs_has_a_report(
    invoke: Invoke, algorithm: str, flag: str, told: str, tmp_path: Path
) -> None:
    flags = [*TINY, flag, "0", "--offline", "--outdir", tmp_path / "run"]
    result = invoke("train", algorithm, "--no-trace", *flags)
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"
    again = invoke("report", tmp_path / "run")
    assert again.exit_code == 0, again.output
    assert "nan" not in again.output
    assert told in invoke("status", tmp_path / "run").output


def test_measure_counts_one_step(invoke: Invoke, tmp_path: Path) -> None:
    sizes = ["--layer-sizes", "784,8", "--batch-size", "10"]  # as in test_json.py
    result = invoke("measure", *sizes, "--outdir", tmp_path / "m", "--steps", "3")
    assert result.exit_code == 0, result.output
    assert "One training step" in result.stdout
    traffic = pd.read_csv(tmp_path / "m" / "traffic.csv")
    summary = eager(tmp_path / "m" / "summary.csv")
    assert traffic.groupby("algorithm")["flops"].sum()["bp"] == summary.loc["bp", "flops"]
    more = invoke("measure", *sizes, "--steps", "5")  # analysed for the screen alone
    told, said = more.stdout.splitlines(), result.stdout.splitlines()
    assert told[:-1] == said[:-1]
    assert told[-1] == "All tables  --verbose, or --outdir for CSV files"
    assert said[-1] == f"All tables  --verbose, or the CSV files in {tmp_path / 'm'}"


def test_data_says_which_source_is_used(invoke: Invoke) -> None:
    result = invoke("data", "--offline")
    assert result.exit_code == 0, result.output
    assert "→ embedded sample" in result.stdout
    assert "SAMPLE" in result.stdout


@pytest.mark.parametrize("command", ["compare", "train", "measure", "report", "profiles", "data"])
def test_help_teaches(invoke: Invoke, command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 8


def test_every_setting_has_a_flag_with_help(invoke: Invoke) -> None:
    assert set(HELP) == set(Settings.__dataclass_fields__)
    whole = invoke("compare", "--help-all").stdout
    for name in HELP:
        assert re.search(rf"--{name.replace('_', '-')}[ \n]", whole)


BAD = {
    "layer sizes that are not numbers": (["--layer-sizes", "784,a"], 2, "not a whole number"),
    "digits of another script": (["--layer-sizes", "784,\uff19"], 2, "not a whole number"),
    "digits in groups": (["--layer-sizes", "784,3_0"], 2, "not a whole number"),
    "layer sizes that start elsewhere": (["--layer-sizes", "100,10"], 2, "784 pixels"),
    "batch larger than the data": (["--n-train", "50"], 2, "larger than the 50"),
    "more images than there are": (["--n-train", "7000"], 2, "6000 training images"),
    "unknown preset": (["--preset", "huge"], 2, "'huge' is not one of 'quick'"),
    "a number that is none": (["--lr", "fast"], 2, "not a valid float"),
    "learning rate 0": (["--lr", "0"], 2, "greater than 0"),
    "more units than can be addressed": (["--layer-sizes", f"784,{'9' * 20}"], 2, "none above"),
    "unknown profile": (["--profile", "abacus"], 2, "neither a profile nor a file"),
    "a profile twice": (["--profile", "dally-wire"] * 2, 2, "give each once"),
    "no such data directory": (["--data-dir", "nowhere"], 3, "nowhere"),
}


@pytest.mark.parametrize(("flags", "code", "says"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_an_exit_code(
    invoke: Invoke, flags: list[str], code: int, says: str, tmp_path: Path
) -> None:
    result = invoke("compare", "--offline", "--outdir", tmp_path / "out", *flags)
    assert result.exit_code == code, result.output
    assert_one_line(result, says)
    assert not (tmp_path / "out" / "run.json").exists()


def assert_one_line(result: Result, says: str) -> None:
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert says in errors[0]
    assert result.stderr.rstrip().endswith(errors[0])
    assert "Traceback" not in result.output


def test_an_older_run_is_safe_without_force(invoke: Invoke, finished_run: Any) -> None:
    path = finished_run.path
    before = {p: p.read_bytes() for p in path.iterdir()}
    result = invoke("compare", *finished_run.flags, "--outdir", path)
    assert result.exit_code == 4
    assert_one_line(result, "--force")
    assert {p: p.read_bytes() for p in path.iterdir()} == before


def test_force_replaces_the_run_and_nothing_else(invoke: Invoke, tmp_path: Path) -> None:
    with RunDirectory(tmp_path).locked():
        RunDirectory(tmp_path).change({}, {"stale.png": b"of an older run"})
    (tmp_path / "holiday.png").write_text("mine")
    arguments = ["train", "random", *TINY, "--no-trace", "--offline", "--outdir", tmp_path]
    arguments += ["--force", "-q"]
    refused = invoke(*arguments)
    assert refused.exit_code == 4
    assert_one_line(refused, "holds holiday.png, which no run wrote there")
    assert (tmp_path / "holiday.png").read_text() == "mine"
    assert (tmp_path / "stale.png").exists()
    (tmp_path / "holiday.png").unlink()
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    assert result.output == ""
    assert not (tmp_path / "stale.png").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["compare"],
        ["measure"],
        ["animate"],
        ["sweep", "spec.toml"],
        ["transfer", "run"],
        ["figures", "run"],
    ],
)
def test_an_outdir_without_a_name_is_refused(invoke: Invoke, command: list[str]) -> None:
    result = invoke(*command, "--outdir", "")
    assert result.exit_code == 2
    assert_one_line(result, "the name of the folder is empty")


@pytest.mark.parametrize(
    "command", [["data", "--data-dir", ""], ["status", ""], ["report", ""], ["diff", "a", ""]]
)
def test_nor_is_a_folder_to_read(invoke: Invoke, command: list[str]) -> None:
    result = invoke(*command)
    assert result.exit_code == 2
    assert_one_line(result, "the name of the folder is empty")


def test_an_outdir_that_cannot_be_made(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = invoke("compare", "--outdir", tmp_path / "file" / "run")
    assert result.exit_code == 4
    assert_one_line(result, "cannot write")


DIVERGING = ["--offline", "--bp-lr", "1e30", "--optimizer", "sgd"]


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_and_keeps_what_it_has(
    invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = invoke("compare", *TINY, *DIVERGING, "--outdir", out)
    assert result.exit_code == 5, result.output
    assert_one_line(result, "kept: Forward-Forward")
    document = json.loads((out / "run.json").read_text())
    assert document["status"] == "failed"
    assert list(document["results"]) == ["ff"]
    assert list(pd.read_csv(out / "summary.csv")["algorithm"]) == ["ff"]
    assert not (out / "energy.csv").exists()
    rebuilt = invoke("report", out)
    assert rebuilt.exit_code == 0, rebuilt.output
    assert "not complete (failed" in " ".join(rebuilt.stdout.split())
    accountings = list(pd.read_csv(out / "summary.csv")["accounting"])
    assert accountings == ["eager", "fused"]


def test_a_loss_that_is_no_number_stops_one_untraced_algorithm_too(
    invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = invoke("train", "bp", "--no-trace", *TINY, *DIVERGING, "--outdir", out)
    assert result.exit_code == 5, result.output
    assert_one_line(result, "kept: ")
    document = json.loads((out / "run.json").read_text())
    assert document["status"] == "failed"
    assert document["results"] == {}
    rebuilt = invoke("report", out)
    assert rebuilt.exit_code == 0, rebuilt.output
    assert "not complete (failed" in " ".join(rebuilt.stdout.split())
