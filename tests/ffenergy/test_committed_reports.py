"""What the committed reports say of bytes, held against their own configurations.

Counts do not depend on what is learned: a step of every kind is taken on random pixels, and the
number of steps is arithmetic on the settings. First that reasoning itself is held against small
runs that are really trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.data import Dataset
from ffenergy.files.folder import Folder
from ffenergy.rules.registry import rules
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings
from ffenergy.training import train

REPORTS = Path(__file__).parents[2] / "reports"
RUNS = sorted(path.parent for path in REPORTS.glob("**/run.json"))
SWEEPS = sorted(
    p.parent for p in REPORTS.glob("**/sweep.json") if (p.parent / "cells.csv").exists()
)
OFTEN = ("compare-quick", "greedy-quick", "seed", "quick", "best")
"""Reports that are held against their configurations every time, the others in the slow part."""
PLACE = ["layer", "phase", "operation", "role"]
NUMBERS = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]
SMALL = Settings.from_preset("quick").replace(
    layer_sizes="16,8,8", batch_size=20, head_batch_size=30, n_epochs=2, softmax_epochs=3
)


def traffic(algorithm: str, work: Workload) -> pd.DataFrame:
    """What ``traffic.csv`` holds of a complete run: one step of every kind, times their number."""
    rehearsal = rehearse(algorithm, work)
    return rehearsal.counts((one, one.steps) for one in rehearsal.kinds)


def step_numbers(algorithm: str, work: Workload) -> dict[str, int]:
    return {one.kind.label: one.steps for one in rehearse(algorithm, work).kinds}


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """The counts by place as Python integers, rows without any left out."""
    table = table.groupby(PLACE)[NUMBERS].sum().astype(object).map(int)
    return table[table.any(axis=1)]


def images(n_train: int, n_test: int) -> Dataset:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (n_train + n_test, 4, 4), np.uint8)
    labels = rng.integers(0, 10, n_train + n_test).astype(np.uint8)
    split = pixels[:n_train], labels[:n_train], pixels[n_train:], labels[n_train:]
    return Dataset("tiny", "random", True, *split)


CASES = {
    "short batches": ({}, 50, 25),
    "batches that fit": ({"batch_size": 25, "head_batch_size": 25}, 50, 50),
    "several chunks": ({"n_epochs": 1, "softmax_epochs": 1}, 2300, 1100),
    "more than a hundred batches": ({"batch_size": 1, "n_epochs": 1}, 230, 7),
    "stored inputs": ({"greedy_input": "store", "layer_sizes": "16,8,8,4"}, 1050, 30),
    "no epochs": ({"n_epochs": 0, "softmax_epochs": 0}, 50, 25),
}


@pytest.mark.parametrize("path", sorted(REPORTS.glob("*/*.json")), ids=lambda p: p.parent.name)
def test_a_committed_folder_is_as_its_document_records_it(path: Path) -> None:
    """Else it could be neither built again nor gone on with."""
    folder = Folder(path.parent, path.name)
    for name, digest in (folder.recorded() or {}).items():
        if (path.parent / name).exists():
            folder.content(name, digest)


@pytest.mark.parametrize("algorithm", rules())
@pytest.mark.parametrize(("changes", "n_train", "n_test"), CASES.values(), ids=CASES.keys())
def test_a_rebuilt_run_is_the_trained_one_to_the_integer(
    algorithm: str, changes: dict[str, Any], n_train: int, n_test: int
) -> None:
    settings = SMALL.replace(**changes)
    result = train(algorithm, settings, images(n_train, n_test))
    work = Workload(settings, n_train, n_test)
    assert result.traffic is not None
    rebuilt = counted(traffic(algorithm, work))
    pd.testing.assert_frame_equal(rebuilt, counted(result.traffic))
    assert sum(step_numbers(algorithm, work).values()) == sum(
        int(str(signature["steps"])) for signature in result.signatures
    )


def test_numbers_of_steps_by_hand() -> None:
    # 60,000 images in batches of 100: 600 steps an epoch, a look at the loss after every 6th;
    # 2 epochs of layers, 3 of the head; 60 chunks of 1000 training images and 10 test images'
    settings = Settings.from_preset("quick").replace(n_epochs=2, softmax_epochs=3)
    assert step_numbers("ff", Workload(settings, 60000, 10000)) == {
        "train": 1200,
        "report": 200,
        "shuffle": 5,
        "head": 1800,
        "report-head": 300,
        "features": 60,
        "features-test": 10,
        "evaluate": 210,
    }


def test_there_are_committed_reports() -> None:
    assert RUNS


def test_committed_reports_are_small() -> None:
    own = [p for p in REPORTS.rglob("*") if p.is_file() and p.name not in ("weights.npz", ".lock")]
    assert sum(path.stat().st_size for path in own) <= 20e6


def named(path: Path) -> str:
    return path.relative_to(REPORTS).as_posix()


def marked(folders: list[Path]) -> list[Any]:
    slow = [() if folder.name in OFTEN else (pytest.mark.slow,) for folder in folders]
    return [pytest.param(f, id=named(f), marks=m) for f, m in zip(folders, slow, strict=True)]


@pytest.mark.parametrize("folder", marked(RUNS))
def test_committed_counts_follow_from_the_configuration(folder: Path) -> None:
    document = json.loads((folder / "run.json").read_text())
    assert document["status"] == "complete"
    run = RunDirectory(folder).read()
    data = document["data"]
    work = Workload(run.settings, data["train_images"], data["test_images"])
    summary = pd.read_csv(folder / "summary.csv")
    for algorithm, row in run.results.items():
        if not row.get("traced", True):
            continue
        rebuilt = counted(traffic(algorithm, work))
        committed = run.traffic[run.traffic["algorithm"] == algorithm]
        pd.testing.assert_frame_equal(rebuilt, counted(committed), obj=algorithm)
        chosen = (summary["algorithm"] == algorithm) & (summary["accounting"] == "eager")
        (line,) = summary[chosen].to_dict("records")
        for name in ("bytes_read", "bytes_written", "flops"):
            assert int(line[name]) == rebuilt[name].sum()


@pytest.mark.parametrize("folder", marked(SWEEPS))
def test_committed_sweeps_count_as_their_settings_say(folder: Path) -> None:
    """One seed of every combination: the others have the same counts."""
    document = json.loads((folder / "sweep.json").read_text())
    cells = pd.read_csv(folder / "cells.csv").set_index("cell")
    known: dict[str, pd.Series] = {}
    for name, row in cells[cells["status"] == "complete"].iterrows():
        if pd.isna(row["bytes_read"]):
            continue
        settings = Settings.from_saved(document["cells"][str(name)])
        (data,) = [d for d in document["data"] if _fits(d, row)]
        like = json.dumps([row["algorithm"], settings.replace(seed=0).to_dict(), data])
        if like not in known:
            n_train = settings.n_train or data["train_images"]
            work = Workload(settings, n_train, data["test_images"])
            known[like] = traffic(row["algorithm"], work)[NUMBERS].sum()
        for count in ("bytes_read", "bytes_written", "flops", "flops_special"):
            assert int(row[count]) == known[like][count], (name, count)


def _fits(data: dict[str, Any], row: pd.Series) -> bool:
    split = "-validation" if row["error_on"] == "validation" else ""
    return data["name"] == row["dataset"] + split and data["is_sample"] == row["is_sample"]
