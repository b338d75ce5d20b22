"""`ffenergy export` on a saved run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result

from ffenergy.cli import main
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.runs.run_document import SCALARS
from ffenergy.settings import Settings

Invoke = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    settings = Settings.from_preset("quick").replace(layer_sizes="64,20", batch_size=5)
    images = {"train_images": 50, "test_images": 10}
    configuration = {
        "format": 1,
        "status": "complete",
        "command": "ffenergy compare",
        "accounting": "eager",
        "preset": "quick",
        "seed": 0,
        "settings": settings.to_dict(),
        "versions": {},
        "data": {"name": "made", "source": "random", "is_sample": True, **images},
    }
    row = {**dict.fromkeys(SCALARS, 1), "signatures": []}
    RunDirectory(tmp_path).write(Run(configuration, {"ff": row, "bp": row, "random": row}))
    return tmp_path


@pytest.mark.slow  # Parquet needs pyarrow, which only the extra `slow` brings
def test_trace_and_tables_are_written_and_named(invoke: Invoke, run: Path) -> None:
    done = invoke("export", str(run), "--perfetto", "--parquet")
    assert done.exit_code == 0, done.output
    assert "step.perfetto.json, history.parquet, traffic.parquet" in done.output


def test_a_trace_is_written_and_named(invoke: Invoke, run: Path) -> None:
    done = invoke("export", str(run), "--perfetto")
    assert done.exit_code == 0, done.output
    assert "step.perfetto.json" in done.output
    document = json.loads((run / "step.perfetto.json").read_text())
    processes = [e["args"]["name"] for e in document["traceEvents"] if e["name"] == "process_name"]
    assert processes == ["Forward-Forward: one training step", "backprop: one training step"]


def test_one_algorithm_can_be_chosen(invoke: Invoke, run: Path) -> None:
    invoke("export", str(run), "--perfetto", "--algorithms", "bp", "-q")
    document = json.loads((run / "step.perfetto.json").read_text())
    assert {e["pid"] for e in document["traceEvents"]} == {1}


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        ([], "nothing to export; give --perfetto, --parquet or both", 2),
        (["--perfetto", "--algorithms", "random"], "the run has training steps of ff, bp", 2),
        (["--perfetto", "--algorithms", "ff,ff"], "name each at most once", 2),
        (["--perfetto", "--profile", "none"], "neither a profile nor a file", 2),
    ],
)
def test_mistakes_end_in_one_line(
    invoke: Invoke, run: Path, arguments: list[str], reason: str, code: int
) -> None:
    done = invoke("export", str(run), *arguments)
    assert done.exit_code == code
    assert reason in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("done", "flags", "says", "code"),
    [
        ((), [], "has no finished algorithm; go on with it by --resume", 4),
        (("random",), [], "finished no algorithm that trains hidden layers; it is not finished", 2),
        (("ff",), ["--algorithms", "bp"], "with commas; it is not finished, go on with it by", 2),
    ],
)
def test_of_an_unfinished_run_it_says_what_is_missing(
    invoke: Invoke, run: Path, done: tuple[str, ...], flags: list[str], says: str, code: int
) -> None:
    directory = RunDirectory(run)
    saved = directory.read().with_status("interrupted")
    kept = {name: saved.results[name] for name in done}
    directory.write(replace(saved, results=kept))
    result = invoke("export", str(run), "--perfetto", *flags)
    assert result.exit_code == code, result.output
    (line,) = result.output.splitlines()
    assert says in line


def test_a_directory_without_a_run_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("export", str(tmp_path), "--parquet")
    assert done.exit_code == 4
    assert "holds no run" in done.output


def test_examples_in_every_help_text_stand_on_lines_of_their_own(invoke: Invoke) -> None:
    texts = {name: invoke(*filter(None, [name]), "--help").output for name in ("", *main.commands)}
    assert all("\\b" not in text for text in texts.values())
    assert "\n    ffenergy export runs/compare-quick --parquet\n" in texts["export"]
