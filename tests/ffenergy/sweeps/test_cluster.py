"""A sweep on a real local cluster of two workers, one of which is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from ffenergy.files.locks import is_held

pytestmark = pytest.mark.long

SPEC = """
preset = "quick"
algorithms = ["ff"]
seeds = [0, 1, 2, 3, 4, 5]
trace = true
[fixed]
layer_sizes = [784, 8, 8]
n_train = 2000
n_epochs = 4
softmax_epochs = 1
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Only the embedded sample is found, and Dask's files are this test's own."""
    names = {"HOME": tmp_path / "home", "XDG_CACHE_HOME": tmp_path / "cache"}
    kept = {k: v for k, v in os.environ.items() if k != "FFENERGY_DATA_DIR"}
    (tmp_path / "home").mkdir()
    threads = {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "default"}
    return kept | threads | {name: str(place) for name, place in names.items()}


@pytest.fixture
def cluster(
    tmp_path: Path, environment: dict[str, str]
) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and its two workers, each a process with one thread."""
    told = tmp_path / "scheduler.json"
    flags = {
        "scheduler": ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        "worker": ["--nthreads", "1", "--no-nanny", "--no-dashboard"],
    }
    processes = []
    for kind in ("scheduler", "worker", "worker"):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *flags[kind]]
        processes.append(
            subprocess.Popen(
                [*command, "--scheduler-file", str(told)],
                env=environment,
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    deadline = time.monotonic() + 30
    while not told.exists():
        assert time.monotonic() < deadline, "no scheduler started"
        time.sleep(0.05)
    time.sleep(0.1)
    told.with_name("scheduler.pid").write_text(str(processes[0].pid))
    yield str(pd.read_json(told, typ="series")["address"]), processes[1:]
    for process in processes:
        process.kill()
        process.wait()


def command(folder: Path, name: str, *flags: str) -> list[str]:
    (folder / "spec.toml").write_text(SPEC)
    start = [sys.executable, "-m", "ffenergy", "sweep", str(folder / "spec.toml"), "--offline"]
    return [*start, "--outdir", str(folder / name), *flags]


def test_a_killed_worker_loses_no_cell_and_none_is_counted_twice(
    tmp_path: Path,
    environment: dict[str, str],
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, workers = cluster
    swept = subprocess.Popen(
        command(tmp_path, "cluster", "--scheduler", address),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    cells = tmp_path / "cluster" / "cells"
    deadline = time.monotonic() + 60
    while not list(cells.glob("*/outcome.json")):
        assert time.monotonic() < deadline, "no cell was finished in time"
        assert swept.poll() is None, swept.communicate()
        time.sleep(0.01)
    finished = len(list(cells.glob("*/outcome.json")))
    assert finished < 6
    workers[0].send_signal(signal.SIGKILL)
    _, said = swept.communicate(timeout=90)
    assert swept.returncode == 0, said
    found = pd.read_csv(tmp_path / "cluster" / "cells.csv")
    assert set(found["status"]) == {"complete"}
    assert list(found["seed"]) == [0, 1, 2, 3, 4, 5]
    assert found["cell"].is_unique
    assert sorted(p.parent.name for p in cells.glob("*/outcome.json")) == sorted(found["cell"])

    alone = subprocess.run(
        command(tmp_path, "alone", "--workers", "1", "-q"), env=environment, check=False
    )
    assert alone.returncode == 0
    undisturbed = pd.read_csv(tmp_path / "alone" / "cells.csv")
    same = ["cell", "seed", "test_error", "train_error", "bytes_read", "bytes_written", "flops"]
    pd.testing.assert_frame_equal(found[same], undisturbed[same])
    summary = pd.read_csv(tmp_path / "cluster" / "summary.csv")
    assert list(summary["n"]) == [6]


def test_an_address_where_nobody_answers_is_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        command(tmp_path, "out", "--scheduler", "tcp://127.0.0.1:9"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "no cluster with workers answers" in line
    assert "Traceback" not in done.stderr


def begun(
    folder: Path, environment: dict[str, str], address: str, spec: str, started: int
) -> subprocess.Popen[str]:
    """A sweep on the cluster, as soon as so many of its cells are claimed by a worker."""
    arguments = command(folder, "cluster", "--scheduler", address)
    (folder / "spec.toml").write_text(spec)
    pipe = subprocess.PIPE
    swept = subprocess.Popen(arguments, env=environment, stdout=pipe, stderr=pipe, text=True)
    deadline = time.monotonic() + 60
    while len(list((folder / "cluster" / "cells").glob("*/.lock"))) < started:
        assert time.monotonic() < deadline, "no cell was begun in time"
        assert swept.poll() is None, swept.communicate()
        time.sleep(0.05)
    return swept


def free(folder: Path) -> bool:
    """Whether no worker has a cell of the sweep any more."""
    return not any(is_held(claim) for claim in (folder / "cluster" / "cells").glob("*/.lock"))


def test_workers_of_a_cluster_stop_when_the_sweep_is_killed(
    tmp_path: Path,
    environment: dict[str, str],
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, workers = cluster
    endless = SPEC.replace("n_epochs = 4", "n_epochs = 100000")
    swept = begun(tmp_path, environment, address, endless, 2)
    swept.kill()
    swept.communicate()
    deadline = time.monotonic() + 30
    while not free(tmp_path):
        assert time.monotonic() < deadline, "a worker trains on for nobody"
        time.sleep(0.1)
    assert all(worker.poll() is None for worker in workers)  # they wait for the next sweep


def test_a_scheduler_that_is_killed_is_one_line_and_the_cells_are_kept(
    tmp_path: Path,
    environment: dict[str, str],
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, _ = cluster
    swept = begun(tmp_path, environment, address, SPEC, 4)  # two are done
    kept = len(list((tmp_path / "cluster" / "cells").glob("*/outcome.json")))
    os.kill(int((tmp_path / "scheduler.pid").read_text()), signal.SIGKILL)
    _, said = swept.communicate(timeout=90)
    assert swept.returncode == 1, said
    (line,) = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert "the cluster at" in line
    assert "is gone" in line
    deadline = time.monotonic() + 30
    while not free(tmp_path):
        assert time.monotonic() < deadline, "a worker trains on for nobody"
        time.sleep(0.1)
    assert len(list((tmp_path / "cluster" / "cells").glob("*/outcome.json"))) >= kept
    again = command(tmp_path, "cluster", "--workers", "1", "-q")
    assert subprocess.run(again, env=environment, check=False).returncode == 0
    assert set(pd.read_csv(tmp_path / "cluster" / "cells.csv")["status"]) == {"complete"}
