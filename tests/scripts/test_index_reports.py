"""The index of the committed reports: up to date, and right on made-up folders."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from ffenergy.data import Dataset
from ffenergy.files.contents import as_csv
from ffenergy.report.book import Book
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.training import train

ROOT = Path(__file__).parents[2]
PROMISED = "preset algorithm dataset layer_sizes epochs seeds test_error_mean test_error_std"
PROMISED += " bytes_total energy_joules profile folder"
SMALL = Settings.from_preset("paper").replace(
    layer_sizes="16,8", batch_size=20, head_batch_size=20, n_epochs=1, softmax_epochs=1
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("index", ROOT / "scripts" / "index_reports.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["index"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_committed_index_is_what_would_be_written_now(script: ModuleType) -> None:
    for name, text in script.render(ROOT / "reports").items():
        written = (ROOT / "reports" / name).read_text(encoding="utf-8")
        assert written == text, "run python scripts/index_reports.py"


def test_the_committed_index_has_the_promised_columns() -> None:
    table = pd.read_csv(ROOT / "reports" / "index.csv")
    assert set(PROMISED.split()) <= set(table.columns)
    keys = "preset algorithm dataset is_sample error_on layer_sizes changes".split()
    assert not table.duplicated(keys).any()
    folders = {name for cell in table["folder"] for name in cell.split()}
    for name in folders:
        assert (ROOT / "reports" / name).is_dir()


def put(folder: Path, settings: Settings, data: Dataset, traced: bool = True) -> float:
    """Write what the index reads of a run; return its test error."""
    result = train("bp", settings, data, traced=traced)
    described = {
        "name": data.name,
        "source": data.source,
        "is_sample": False,
        "train_images": len(data.train_images),
        "test_images": len(data.test_images),
    }
    configuration = {
        "format": 1,
        "status": "complete",
        "command": "ffenergy train bp",
        "preset": "paper",
        "versions": {},
        "data": described,
        "accounting": "eager",
        "settings": settings.to_dict(),
        "seed": settings.seed,
    }
    run = Run(configuration).with_result(result)
    folder.mkdir(parents=True)
    directory = RunDirectory(folder)
    directory.write(run, {"summary.csv": as_csv(Book(run).summary)})
    return result.test_error


def test_seeds_are_combined_wherever_they_lie(script: ModuleType, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 4, 4), np.uint8)
    labels = rng.integers(0, 10, 60).astype(np.uint8)
    data = Dataset("mnist", "", False, images[:40], labels[:40], images[40:], labels[40:])
    errors = [
        put(tmp_path / f"paper-seed{seed}", SMALL.replace(seed=seed), data, traced=seed == 0)
        for seed in (0, 1)
    ]
    put(tmp_path / "slower", SMALL.replace(bp_lr=1e-5), data)
    sweep = tmp_path / "sweeps" / "lr"
    sweep.mkdir(parents=True)
    row = {"cell": "c0", "seed": 2, "algorithm": "bp", "status": "complete", "test_error": 50.0}
    row |= {"is_sample": False, "wall_seconds": 1.0, "bytes_read": 3, "bytes_written": 4}
    lost = {**row, "cell": "c1", "status": "diverged", "test_error": None}
    pd.DataFrame([row, lost]).to_csv(sweep / "cells.csv", index=False)
    settings = SMALL.replace(seed=2).to_dict()
    document = {"preset": "paper", "swept": ["bp_lr"], "cells": {"c0": settings}}
    (sweep / "sweep.json").write_text(json.dumps(document))

    heads = tmp_path / "heads"
    heads.mkdir()
    pd.DataFrame({"task": ["mnist", "mnist", "mnist:5-9"]}).to_csv(heads / "summary.csv")
    (heads / "transfer.json").write_text(json.dumps({"runs": [{"preset": "quick"}] * 3}))
    files = script.render(tmp_path)
    (tmp_path / "index.csv").write_text(files["index.csv"])
    table = pd.read_csv(tmp_path / "index.csv")
    assert len(table) == 2
    first = table[~table["changes"].str.contains("bp_lr")].iloc[0]
    assert first["seeds"] == "0 1 2"
    assert first["folder"] == "paper-seed0 paper-seed1 sweeps/lr"
    assert first["test_error_mean"] == pytest.approx(np.mean([*errors, 50.0]))
    assert first["test_error_std"] == pytest.approx(np.std([*errors, 50.0], ddof=1))
    traffic = pd.read_csv(tmp_path / "paper-seed0" / "traffic.csv")
    assert first["bytes_total"] == traffic[["bytes_read", "bytes_written"]].sum().sum()
    other = table[table["changes"].str.contains("bp_lr=1e-05")].iloc[0]
    assert other["folder"] == "slower"
    assert pd.isna(other["test_error_std"])
    page = files["README.md"]
    assert "[paper-seed0](paper-seed0/) [paper-seed1](paper-seed1/)" in page
    assert "- [sweeps/lr](sweeps/lr/): preset paper; bp_lr; 2 cells" in page
    told = "layers of preset quick, 3 seeds, under fresh heads for mnist, mnist:5-9"
    assert f"- [heads](heads/): {told}" in page
    assert page.count("\n| paper | backprop") == 2


def test_what_was_published_is_shown_beside_ours() -> None:
    """15 epochs of the reference's settings lie in a sweep, and have a published figure."""
    page = (ROOT / "reports" / "README.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if "| n_epochs=15 |" in line)
    assert line.startswith("| seed | Forward-Forward | mnist |")
    assert "| 5.59 (reference project) |" in line
