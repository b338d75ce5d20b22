"""Sweeps priced again are those that were trained, and every file of theirs has its checksum."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from ffenergy.files.folder import ChangedError, Folder

SCRIPT = Path(__file__).parents[2] / "scripts" / "price_reports.py"
SPEC = """
preset = "quick"
algorithms = ["bp"]
seeds = [0]
trace = true
[fixed]
layer_sizes = [784, 8]
n_train = 100
n_epochs = 1
"""


PRICED = ("--profile", "jouppi-7nm-hbm2")


@pytest.fixture
def prices():
    spec = importlib.util.spec_from_file_location("price_reports", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_a_sweep_of_an_earlier_version_is_priced_and_recorded(
    prices, invoke: Callable[..., Result], tmp_path: Path
) -> None:
    out, spec = tmp_path / "sweep", tmp_path / "spec.toml"
    spec.write_text(SPEC)
    done = invoke("sweep", spec, "--workers", "1", "--offline", "-q", "--outdir", out, *PRICED)
    assert done.exit_code == 0, done.output
    document = json.loads((out / "sweep.json").read_text())
    written = document.pop("files")
    del document["sha256"]
    (out / "sweep.json").write_text(json.dumps(document))  # as earlier versions wrote it
    (out / "README.md").write_text("mine")
    cells = pd.read_csv(out / "cells.csv")
    damaged = cells.copy()
    (energy,) = [name for name in cells if str(name).startswith("energy")]
    damaged[energy] = 1.0  # as another model of costs had it
    damaged.drop(columns="memory").to_csv(out / "cells.csv", index=False)

    prices.reprice(out)
    pd.testing.assert_frame_equal(pd.read_csv(out / "cells.csv"), cells)
    recorded = json.loads((out / "sweep.json").read_text())["files"]
    assert recorded.keys() == written.keys()
    tables = [name for name in written if name.endswith((".csv", ".toml"))]
    assert [recorded[name] for name in tables] == [written[name] for name in tables]
    folder = Folder(out, "sweep.json")
    (out / "summary.csv").write_bytes((out / "summary.csv").read_bytes()[:-4])
    with pytest.raises(ChangedError):
        folder.content("summary.csv", recorded["summary.csv"])
    prices.reprice(out)  # which writes it anew
    assert folder.content("summary.csv", recorded["summary.csv"])
