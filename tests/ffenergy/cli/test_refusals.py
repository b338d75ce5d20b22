"""What cannot be done is refused before anything is done, in one line."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ffenergy.runs.directory import RunDirectory

Invoke = Callable[..., Result]

TINY = "--layer-sizes 784,8 --n-train 300 --n-epochs 1 --softmax-epochs 1 --offline".split()
SPEC = """
preset = "quick"
algorithms = ["ff", "bp-hybrid"]
[fixed]
layer_sizes = [784, 8]
n_train = 300
normalize_as = "deferred"
"""


def refused(result: Result, code: int, says: str) -> None:
    """Hold that a command ended in one line."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert says in line


def test_a_rule_that_cannot_train_so_is_refused_before_another_trains(
    invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    rules = ["--algorithms", "ff,bp-hybrid", "--normalize-as", "deferred"]
    result = invoke("compare", *TINY, *rules, "--outdir", out)
    refused(result, 2, "--normalize-as is 'deferred', which bp-hybrid does not do; choose eager")
    assert not (out / "run.json").exists()


def test_a_way_to_normalise_is_shown_its_flag(invoke: Invoke) -> None:
    result = invoke("measure", "--normalization", "deferred")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith("give --normalize-as deferred.")


def test_so_is_a_cell_of_a_sweep(invoke: Invoke, tmp_path: Path) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC, encoding="utf-8")
    result = invoke("sweep", spec, "--offline", "--outdir", tmp_path / "out")
    refused(result, 2, "spec.toml: normalize_as is 'deferred', which bp-hybrid does not do")


def test_pictures_are_not_written_among_those_of_a_run(invoke: Invoke, finished_run: Any) -> None:
    result = invoke("figures", finished_run.path, "--outdir", finished_run.path)
    refused(result, 4, f"--outdir {finished_run.path} holds a run (run.json); name another")


@pytest.mark.parametrize(
    "flags", ["--profile jouppi-7nm-ddr4", "--memory scratchpad", "--scenario well-built"]
)
def test_prices_where_nothing_is_counted(invoke: Invoke, tmp_path: Path, flags: str) -> None:
    untraced = ["train", "ff", "--no-trace", *TINY, "--outdir", tmp_path / "run"]
    flag, value = flags.split()
    says = f"--no-trace counts nothing to price; leave it or {flag} out"
    refused(invoke(*untraced, flag, value), 2, says)
    assert not (tmp_path / "run").exists()
    assert invoke(*untraced, "-q").exit_code == 0
    told = invoke("report", tmp_path / "run", "--html", flag, value)
    assert told.exit_code == 0
    assert told.stderr.startswith(f"warning: {flag} changes nothing: ")


def test_an_order_for_a_chip_is_chosen_where_nothing_is_counted(
    invoke: Invoke, tmp_path: Path
) -> None:
    untraced = ["train", "ff", "--no-trace", *TINY, "--outdir", tmp_path / "run"]
    chip = ["--in-flight", "auto", "--profile", "jouppi-7nm-ddr4"]
    assert invoke(*untraced, *chip, "-q").exit_code == 0


@pytest.mark.parametrize("command", ["measure --profile", "profiles", "map --profile"])
def test_a_profile_without_a_name(invoke: Invoke, command: str) -> None:
    result = invoke(*command.split(), "")
    refused(result, 2, "the name of a profile is empty; choose one of horowitz-45nm")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("measure --force", "--force replaces what is in --outdir; name it"),
        ("map --force", "--force replaces what is in --outdir; name it"),
        ("train ff --resume --force", "--resume goes on with what --force replaces"),
        ("measure --in-flight auto --order layer-major", "--in-flight auto chooses --order;"),
        ("compare --in-flight auto --layer-groups 4", "--in-flight auto chooses --layer-groups;"),
        ("animate --in-flight auto --order layer-major", "--in-flight auto chooses --order;"),
        ("sweep s.toml --workers 2 --scheduler tcp://x", "leave it or --scheduler out"),
        ("sweep s.toml --scheduler foo", "--scheduler has 'foo'; write the address that `dask sch"),
        ("export RUN --parquet --algorithms ff", "--algorithms is for --perfetto"),
        ("export RUN --parquet --profile tpuv4i", "--profile is for --perfetto"),
    ],
)
def test_options_of_which_one_would_do_nothing(invoke: Invoke, command: str, says: str) -> None:
    refused(invoke(*command.split()), 2, says)


@pytest.mark.parametrize("command", ["status", "report", "diff", "map", "transfer"])
def test_a_run_that_may_not_be_read(
    invoke: Invoke, finished_run: Any, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def denied(path: Path) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    for module in ("files.folder", "runs.directory"):
        monkeypatch.setattr(f"ffenergy.{module}.read_text", denied)
    twice = [finished_run.path] * (1 + (command == "diff"))
    remedy = "Permission denied; change its permissions, or work in a copy of the folder"
    refused(invoke(command, *twice), 4, remedy)


def test_a_folder_of_another_command_is_named(invoke: Invoke, tmp_path: Path) -> None:
    RunDirectory(tmp_path, "map.json").change({}, {"map.csv": b"a\n"})
    for command in ("report", "status", "export --parquet", "figures", "transfer", "animate"):
        name, *flags = command.split()
        refused(
            invoke(name, tmp_path, *flags), 4, "holds a map (map.json) and no run (no run.json)"
        )


def test_pictures_are_not_written_among_those_of_another_command(
    invoke: Invoke, finished_run: Any, tmp_path: Path
) -> None:
    RunDirectory(tmp_path, "map.json").change({}, {"map.csv": b"a\n"})
    refused(invoke("figures", finished_run.path, "--outdir", tmp_path), 4, "holds a map (map.json)")


MAJOR = [*TINY, "--batch-size", "100", "--order", "layer-major", "--in-flight"]


@pytest.mark.parametrize("rules", ["bp", "bp,bp-hybrid"])
@pytest.mark.parametrize("command", ["measure", "compare"])
def test_an_order_that_no_rule_asked_for_can_take(
    invoke: Invoke, tmp_path: Path, command: str, rules: str
) -> None:
    flags = [flag for flag in MAJOR if command == "compare" or flag != "--offline"]
    out = tmp_path / "run"
    result = invoke(command, "--algorithms", rules, *flags, "2", "--outdir", out)
    names = rules.replace(",", " and ")
    refused(result, 2, f"--order is 'layer-major', which {names} cannot take; choose step-major")
    assert not (out / "run.json").exists()


@pytest.mark.parametrize("command", ["measure", "compare"])
def test_more_batches_in_flight_than_an_epoch_has(
    invoke: Invoke, tmp_path: Path, command: str
) -> None:
    out = ["--outdir", tmp_path / "run"]
    flags = [flag for flag in MAJOR if command == "compare" or flag != "--offline"]
    result = invoke(command, *flags, "4", *out)
    refused(result, 2, "--in-flight is 4, more than the 3 batches of an epoch; lower it")


def test_more_batches_in_flight_than_a_recording_has_room_for(
    invoke: Invoke, tmp_path: Path
) -> None:
    flags = [*TINY, "--batch-size", "1", "--order", "layer-major", "--max-memory", "100MB"]
    result = invoke("compare", *flags, "--in-flight", "300", "--outdir", tmp_path / "run")
    refused(result, 2, "of memory, and 100 MB may be used; lower --layer-sizes, --batch-size, --in")
    few = invoke("compare", *flags, "--in-flight", "2", "--outdir", tmp_path / "run", "-q")
    assert few.exit_code == 0, few.output


def test_parquet_that_a_report_makes_wrong_is_removed_and_named(
    invoke: Invoke, copied_run: Path
) -> None:
    directory = RunDirectory(copied_run)
    directory.change(directory.read_document(), {"energy.parquet": b"", "traffic.parquet": b""})
    told = invoke("report", copied_run, "--html", "--profile", "jouppi-7nm-ddr4", "-q")
    assert told.stderr == (
        "Out of date, hence removed: energy.parquet; "
        f"`ffenergy export {copied_run} --parquet` writes them anew\n"
    )
    assert not (copied_run / "energy.parquet").exists()
    assert (copied_run / "traffic.parquet").exists()


def test_what_an_analysis_has_no_room_for(invoke: Invoke) -> None:
    flags = ["--layer-sizes", "784,20000", "--algorithms", "bp", "--max-memory", "1GB"]
    refused(invoke("measure", *flags), 2, "784-20000 needs at least 1.1 GB")


def test_what_prices_steps_says_so_where_they_are_long(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffenergy.costs.measuring.ACCESSES_A_SECOND", 0.1)
    run = tmp_path / "run"
    for command in (
        ["train", "random", *TINY, "--outdir", run],
        ["report", run, "--html"],
        ["train", "bp", *TINY, "--outdir", tmp_path / "bp"],
        ["export", tmp_path / "bp", "--perfetto"],
    ):
        result = invoke(*command)
        assert result.exit_code == 0, result.output
        assert "Pricing a step of a network of 784-8: about " in result.stderr
        assert " minutes …" in result.stderr


def test_a_long_measurement_says_how_long(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ["measure", "--layer-sizes", "16,8", "--algorithms", "bp", "--batch-size", "4"]
    assert invoke(*flags).stderr == ""
    monkeypatch.setattr("ffenergy.costs.measuring.ACCESSES_A_SECOND", 0.1)
    result = invoke(*flags)
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("Pricing a step of a network of 16-8: about ")
    assert invoke(*flags, "--quiet").stderr == ""


@pytest.mark.parametrize("algorithms", ["ff,gp", "ff,ff", ""])
def test_measure_refuses_unknown_algorithms(invoke: Invoke, algorithms: str) -> None:
    result = invoke("measure", "--algorithms", algorithms)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "--algorithms" in line


@pytest.mark.parametrize("batch_sizes", ["3", "3,4"])
def test_what_a_rule_says_of_settings_names_their_flags(invoke: Invoke, batch_sizes: str) -> None:
    rule = ["--algorithms", "bp-hybrid", "--normalize-as", "deferred"]
    result = invoke("measure", "--layer-sizes", "784,7", "--batch-size", batch_sizes, *rule)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: --normalize-as is 'deferred', which bp-hybrid does not do")
