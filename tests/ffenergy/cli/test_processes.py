"""The program as a process of its own: Ctrl-C, exit codes, no traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

PROGRAM = [sys.executable, "-m", "ffenergy"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    quiet = {name: value for name, value in os.environ.items() if name != "FFENERGY_DATA_DIR"}
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return quiet | places | {"OPENBLAS_NUM_THREADS": "1", "MPLCONFIGDIR": str(tmp_path / "mpl")}


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_ctrl_c_and_sigterm_keep_what_was_finished(
    how: signal.Signals,
    tmp_path: Path,
    environment: dict[str, str],
    invoke: Callable[..., Result],
) -> None:
    out = tmp_path / "run"
    flags = ["--layer-sizes", "784,8,8", "--n-train", "1000", "--offline", "--outdir", str(out)]
    flags += ["--n-epochs", "100000", "--softmax-epochs", "1"]
    with subprocess.Popen(
        [*PROGRAM, "compare", *flags],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (out / "run.json").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert json.loads((out / "run.json").read_text())["status"] == "running"
        time.sleep(2)  # some epochs
        process.send_signal(how)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stdout == ""
    assert "Traceback" not in stderr
    last = stderr.splitlines()[-1]
    assert last.startswith("Error: interrupted during Forward-Forward; kept: the epochs of")
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert len((out / "history.csv").read_text().splitlines()) > 1
    (header,) = (out / "summary.csv").read_text().splitlines()
    assert header.startswith("algorithm,test_error,")
    report = invoke("report", out)
    assert report.exit_code == 0, report.output
    assert "not complete (interrupted" in " ".join(report.stdout.split())


@pytest.mark.parametrize("damaged", [False, True])
def test_only_a_checkpoint_that_can_be_used_is_promised(
    tmp_path: Path, invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, *, damaged: bool
) -> None:
    def stop(*told: Any) -> None:
        if len(told[-1]) > 1:  # epochs; of the second there is no checkpoint yet
            raise KeyboardInterrupt

    monkeypatch.setattr("ffenergy.runs.progress_file.leave", stop)
    monkeypatch.setattr("ffenergy.cli.job.WATCH_SECONDS", 0.0)
    flags = ["train", "bp", "--layer-sizes", "784,8", "--n-train", "300", "--no-trace"]
    flags += ["--offline", "--n-epochs", "9", "--outdir", str(tmp_path / "run")]
    promise = "a checkpoint to go on from with --resume"
    assert promise not in invoke(*flags).stderr  # the first is not due
    assert promise in invoke(*flags, "--force", "--checkpoint-seconds", "0").stderr
    if damaged:
        (tmp_path / "run" / "checkpoints" / "history.jsonl").write_bytes(b"\xff\x00")
    again = invoke(*flags, "--resume")
    assert again.exit_code == 130
    assert ("cannot be used" in again.stderr, promise in again.stderr) == (damaged, not damaged)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["compare", "--data-dir", "nowhere"], 3),
        (["train", "gp"], 2),
    ],
)
def test_errors_are_told_without_a_traceback(
    arguments: list[str], code: int, tmp_path: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [*PROGRAM, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code
    assert done.stdout == ""
    assert "Error: " in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
