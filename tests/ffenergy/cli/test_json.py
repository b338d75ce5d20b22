"""What programs read: JSON held against the schemas in the package, and thresholds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
from click.shell_completion import BashComplete
from click.testing import Result

from ffenergy.cli import main
from ffenergy.costs.prices import MEMORIES
from ffenergy.costs.scenarios import Scenarios, columns
from ffenergy.energy import profiles
from ffenergy.files.documents import plain
from ffenergy.report import as_json
from ffenergy.report.book import Book
from ffenergy.report.headline import MEASURES
from ffenergy.runs.directory import RunDirectory

Invoke = Callable[..., Result]
SCHEMAS = resources.files("ffenergy.report").joinpath("schemas")
MEASURE = ["measure", "--layer-sizes", "784,8", "--batch-size", "10"]


def held(found: dict[str, Any], name: str) -> dict[str, Any]:
    schema = json.loads(SCHEMAS.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(found, schema)
    return found


def printed(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_run_as_json(finished_run: Any) -> None:
    book = Book(finished_run.run, finished_run.prices)
    found = held(json.loads(as_json.dumped(plain(as_json.report(book, "here")))), "report")
    assert list(found["algorithms"]) == ["ff", "bp", "random"]
    eager = book.summary[book.summary["accounting"] == "eager"].set_index("algorithm")
    costs = found["algorithms"]["ff"]["scenarios"]["as it runs"]
    assert costs["bytes_read"] == eager.loc["ff", "bytes_read"]
    assert costs["bytedmd_tile"] == eager.loc["ff", "bytedmd_tile"]
    assert set(found["ratios"]) <= set(MEASURES)


def test_a_measurement_as_json_and_its_thresholds(invoke: Invoke) -> None:
    failed = invoke(*MEASURE, "--json", "--fail-if", "bytes_ratio>0.5")
    assert failed.exit_code == 6
    found = held(json.loads(failed.stdout), "report")
    assert found["base"] == "training step"
    assert found["path"] is None
    assert found["algorithms"]["ff"]["test_error"] is None
    assert failed.stderr.startswith("Error: --fail-if: bytes_ratio is ")
    assert invoke(*MEASURE, "-q", "--fail-if", "bytes_ratio<0.5").exit_code == 0
    assert invoke(*MEASURE, "--fail-if", "bites>1").exit_code == 2


def test_a_grid_as_json(invoke: Invoke) -> None:
    found = held(printed(invoke("measure", "--layer-sizes", "784,8;784,9", "--json")), "grid")
    assert {row["algorithm"] for row in found["rows"]} == {"ff", "bp"}


def test_status_profiles_presets_and_data_as_json(invoke: Invoke, finished_run: Any) -> None:
    state = held(printed(invoke("status", finished_run.path, "--json")), "status")
    assert list(state["finished"]) == ["ff", "bp", "random"]
    found = held(printed(invoke("profiles", "--json")), "profiles")
    assert "jouppi-7nm-hbm2" in [profile["name"] for profile in found["profiles"]]
    assert held(printed(invoke("presets", "--json")), "presets")["default"] == "quick"
    data = held(printed(invoke("data", "--no-fetch", "--offline", "--json")), "data")
    assert data["used"] is None
    assert [source["used"] for source in data["sources"]].count(True) == 1


def test_status_of_a_sweep_as_json(invoke: Invoke, newcomer: None, tmp_path: Path) -> None:
    spec = tmp_path / "one.toml"
    spec.write_text('preset = "quick"\nalgorithms = ["random"]\n[fixed]\nlayer_sizes = [784, 8]\n')
    swept = invoke("sweep", spec, "-q", "--offline", "--workers", "1", "--outdir", tmp_path / "out")
    assert swept.exit_code == 0, swept.output
    state = held(printed(invoke("status", tmp_path / "out", "--json")), "sweep-status")
    assert [cell["status"] for cell in state["cells"].values()] == ["complete"]


def test_diff_says_what_changed(
    invoke: Invoke, finished_run: Any, copied_run: Path, tmp_path: Path
) -> None:
    alike = invoke("diff", finished_run.path, copied_run)
    assert alike.exit_code == 0, alike.output
    same = ["Settings are alike.", "Test errors are alike.", "Bytes are alike.", "Energy is alike."]
    assert alike.stdout.splitlines() == same
    found = held(printed(invoke("diff", finished_run.path, copied_run, "--json")), "diff")
    assert found["settings"] == {}
    assert {row["difference"] for row in found["bytes"]} == {0}
    other = tmp_path / "other"
    changed = ["--layer-sizes", "784,16,16", "--n-epochs", "1", "--algorithms", "bp"]
    done = invoke("compare", *finished_run.flags, *changed, "--outdir", other)
    assert done.exit_code == 0, done.output
    found = held(printed(invoke("diff", finished_run.path, other, "--json")), "diff")
    assert found["settings"]["n_epochs"] == {"before": 2, "after": 1}
    for name, total in (("bytes", "bytes"), ("energy", "energy")):
        rows = [row for row in found[name] if row["algorithm"] == "bp"]
        whole = [row for row in rows if row["layer"] == "all"]
        parts = sum(row["difference"] for row in rows if row["layer"] != "all")
        assert len(whole) == 1, total
        assert whole[0]["difference"] == pytest.approx(parts, rel=1e-9)
    told = invoke("diff", finished_run.path, other)
    assert "--layer-sizes: 784,24,16 → 784,16,16" in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 100
    assert "Bytes of the whole run, eager: all, and where they changed" in told.stdout
    assert "alike" not in told.stdout


def test_diff_leaves_out_an_algorithm_that_is_alike(
    invoke: Invoke, finished_run: Any, copied_run: Path
) -> None:
    # backprop alone has another rate: the same bytes, another error; nothing else changes
    run = finished_run.run
    settings = run.configuration["settings"] | {"bp_lr": 0.05}
    backprop = run.results["bp"] | {"test_error": run.results["bp"]["test_error"] + 1}
    changed = replace(
        run,
        configuration=run.configuration | {"settings": settings},
        results=run.results | {"bp": backprop},
    )
    RunDirectory(copied_run).add(changed, {})
    told = invoke("diff", finished_run.path, copied_run).stdout
    assert told.startswith("Bytes are alike.\nEnergy is alike.\n--bp-lr: 0.001 → 0.05\n")
    table = told.partition("Test error")[2]
    assert "backprop" in table
    assert "Forward-Forward" not in table


def test_diff_says_nothing_of_what_was_not_counted(
    invoke: Invoke, finished_run: Any, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    done = invoke("train", "bp", *finished_run.flags, "--no-trace", "--outdir", other)
    assert done.exit_code == 0, done.output
    found = held(printed(invoke("diff", finished_run.path, other, "--json")), "diff")
    assert found["settings"]["traced"] == {"before": True, "after": False}
    assert found["energy"] == []
    for row in found["bytes"]:
        assert isinstance(row["before"], int)
        assert (row["after"], row["difference"]) == (None, None)
    told = invoke("diff", finished_run.path, other).stdout
    assert "→ 0" not in told
    assert "–" in told


def test_a_damaged_table_of_prices_is_told_who_builds_it_again(
    invoke: Invoke, finished_run: Any, copied_run: Path
) -> None:
    (copied_run / "steps.csv").write_text("algorithm\n")
    told = invoke("diff", finished_run.path, copied_run)
    assert told.exit_code == 4
    assert f"`ffenergy report {copied_run}` builds it again" in told.output


@pytest.mark.slow
def test_diff_compares_no_energies_of_two_memories(
    invoke: Invoke, finished_run: Any, copied_run: Path
) -> None:
    (copied_run / "steps.csv").write_text("algorithm\n")  # and is built again
    priced = invoke("report", copied_run, "--memory", "scratchpad", "--quiet")
    assert priced.exit_code == 0, priced.output
    told = invoke("diff", finished_run.path, copied_run)
    assert told.exit_code == 0, told.output
    assert "memory: cache → scratchpad" in told.stdout
    assert "Energy is not compared" in told.stdout


@pytest.mark.slow  # test_scenarios.py holds the table of as it runs to a cache
def test_as_it_runs_is_a_cache_whatever_memory_is_priced(invoke: Invoke) -> None:
    cache, *others = (printed(invoke(*MEASURE, "--memory", m, "--json")) for m in MEMORIES)
    for other in others:
        assert other["answer"] == cache["answer"]
        assert other["ratios"] == cache["ratios"]


def test_counts_beyond_floats_stay_integers() -> None:
    big = 2**53 + 1
    rows = [dict.fromkeys(columns("joules"), None) | {"bytedmd_tile": big, "bytes": big}]
    rows += [dict.fromkeys(columns("joules"), None)]
    table = Scenarios(None, [], profiles()["jouppi-7nm-hbm2"])._framed(rows)
    assert table["bytedmd_tile"].tolist() == [big, None]
    assert int(table["bytes"][0]) == big


def test_presets_lists_their_differences(invoke: Invoke) -> None:
    told = " ".join(invoke("presets").stdout.split())
    assert "quick (the default): --layer-sizes 784,500,500,500, --n-epochs 4" in told
    one = invoke("presets", "seed").stdout
    assert "--lr" in one
    assert "0.03" in one


def test_options_stand_in_groups_and_choices_can_be_completed(invoke: Invoke) -> None:
    told = invoke("compare", "--help").stdout
    places = [
        told.index(f"\n{name}:\n")
        for name in ("Run", "Hardware", "Data", "Training", "Head", "Backprop")
    ]
    assert places == sorted(places)
    assert "[adam|adamw|momentum|sgd]" in told
    assert "[quick|seed|" in told
    assert "..." not in invoke("--help").stdout.partition("Commands:")[2]


@pytest.mark.parametrize("command", sorted(main.commands))
def test_help_is_short_and_names_every_option(command: str) -> None:
    found = main.commands[command]
    told = found.context_class(found, info_name=f"ffenergy {command}", terminal_width=98).get_help()
    assert len(told.splitlines()) <= 80
    assert max(map(len, told.splitlines())) <= 100
    for param in found.params:
        assert isinstance(param, click.Argument) or param.opts[-1] in told


def test_help_all_says_the_rest_in_full(invoke: Invoke) -> None:
    brief, whole = (invoke("compare", flag).stdout for flag in ("--help", "--help-all"))
    assert "--peer-strength, --init" in brief
    assert "λ of peer normalisation" not in brief
    assert "λ of peer normalisation" in whole
    assert "Written to --outdir:" not in brief
    assert "Written to --outdir:" in whole
    assert "ffenergy compare --preset seed --n-train 20000" in brief
    assert "[step-major]" in brief  # at 80 columns, no name is broken


COMPLETIONS = {
    "measure --optimizer adam,s": ["adam,sgd"],
    "compare --preset seed": ["seed", "seed-scaled-head"],
    "compare --algorithms ff,b": ["ff,bp", "ff,bp-hybrid"],
    "train mono": ["mono-forward"],
    "report x --profile dally-": ["dally-wire", "dally-grid"],
    "presets q": ["quick"],
}


@pytest.mark.parametrize(("typed", "completed"), COMPLETIONS.items())
def test_a_shell_completes_choices(typed: str, completed: list[str]) -> None:
    *before, begun = typed.split()
    shell = BashComplete(main, {}, "ffenergy", "_FFENERGY_COMPLETE")
    offered = shell.get_completions(before, begun)
    assert [one.value for one in offered] == completed


@pytest.mark.parametrize("command", ["sweep", "transfer"])
def test_options_of_other_commands_stand_in_groups(invoke: Invoke, command: str) -> None:
    told = invoke(command, "--help").stdout
    run, data = told.split("\nRun:\n")[1].split("\nData:\n")
    assert "--outdir" in run
    assert "--data-dir" in data
    assert "Training:" not in told  # these commands have no settings


def test_messages_name_the_flag(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("compare", "--n-epochs", "-3", "--outdir", tmp_path)
    assert result.exit_code == 2
    assert "Error: --n-epochs is -3; it must be at least 0" in result.stderr
    result = invoke("measure", "--layer-sizes", "784,500", "--batch-size", "90000")
    assert "--batch-size is 90000, larger than the 60000 training images" in result.stderr
