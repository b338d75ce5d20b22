"""Sweeps in processes of their own: stopped, with a worker that dies, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ffenergy.files.locks import is_held

SPEC = """
preset = "quick"
algorithms = ["ff", "bp"]
seeds = [0, 1]
trace = true
[fixed]
layer_sizes = [784, 8, 8]
n_train = 3000
n_epochs = 12
softmax_epochs = 1
[grid]
lr = [1e-3, 3e-3]
"""


pytestmark = pytest.mark.usefixtures("newcomer")


def started(spec: str, folder: Path, *flags: str) -> subprocess.Popen[str]:
    """A sweep in a process group of its own, as a shell starts it."""
    path = folder / "spec.toml"
    path.write_text(spec)
    command = [sys.executable, "-m", "ffenergy", "sweep", str(path), "--offline"]
    return subprocess.Popen(
        [*command, "--outdir", str(folder / "out"), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def outcomes(folder: Path) -> list[Path]:
    return list((folder / "out" / "cells").glob("*/outcome.json"))


def wait_for(folder: Path, count: int, process: subprocess.Popen[str], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while len(outcomes(folder)) < count:
        assert time.monotonic() < deadline, "no cell was finished in time"
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def ctrl_c(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the sweep and its workers


@pytest.mark.slow
@pytest.mark.parametrize("stop", [ctrl_c, subprocess.Popen.terminate])
def test_a_sweep_that_is_stopped_keeps_what_is_finished(
    tmp_path: Path, stop: Callable[[subprocess.Popen[str]], None]
) -> None:
    process = started(SPEC, tmp_path, "--workers", "2")
    wait_for(tmp_path, 1, process)
    stop(process)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "leaked" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("Error: ")]
    kept = len(outcomes(tmp_path))
    assert 1 <= kept < 8
    assert "of 8 cells" in line
    assert "`ffenergy status " in line
    for path in outcomes(tmp_path):
        assert json.loads(path.read_text())["status"] == "complete"


@pytest.mark.slow
def test_a_killed_worker_of_this_machine_loses_nothing(tmp_path: Path) -> None:
    process = started(SPEC, tmp_path, "--workers", "2")
    wait_for(tmp_path, 1, process)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    _, said = process.communicate(timeout=90)
    assert process.returncode == 0, said
    assert "A worker died" in said
    cells = pd.read_csv(tmp_path / "out" / "cells.csv")
    assert len(cells) == 8
    assert cells["cell"].is_unique
    assert set(cells["status"]) == {"complete"}


def _workers(parent: int) -> list[int]:
    """The worker processes of a sweep, found by their command line and their parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state = (path / "stat").read_text().rpartition(")")[2].split()
            command = (path / "cmdline").read_text()
        except OSError:
            continue
        if int(state[1]) == parent and "LokyProcess" in command:
            found.append(int(path.name))
    return found


LONG = SPEC.replace("n_epochs = 12", "n_epochs = 100000")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_sweep_that_is_killed(tmp_path: Path, how: signal.Signals) -> None:
    process = started(LONG, tmp_path, "--workers", "2")
    deadline = time.monotonic() + 60
    while len(list((tmp_path / "out" / "cells").glob("*/.lock"))) < 2:  # two cells are claimed
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = _workers(process.pid)
    assert len(workers) == 2
    process.send_signal(how)
    process.communicate(timeout=30)  # they have its pipes, too
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "a worker trains on"
        time.sleep(0.05)
    claims = list((tmp_path / "out" / "cells").glob("*/.lock"))
    assert not any(is_held(claim) for claim in claims)
