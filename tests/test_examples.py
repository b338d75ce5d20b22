"""The notebooks of examples/ run from their folder, cell by cell, and show what they promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


def cells(notebook: dict[str, Any]) -> list[str]:
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def test_ten_lines_draw_all_that_a_run_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = json.loads((EXAMPLES / "run.ipynb").read_text())
    assert notebook["nbformat"] == 4
    monkeypatch.chdir(EXAMPLES)
    mpl.use("Agg")
    space: dict[str, Any] = {}
    for source in cells(notebook):
        exec(source, space)
    assert len([line for line in cells(notebook)[0].splitlines() if line]) == 10
    traffic = pd.read_csv(EXAMPLES.parent / "reports/compare-quick/traffic.csv")
    moved = traffic.loc[traffic["algorithm"] != "random", ["bytes_read", "bytes_written"]]
    drawn = np.nansum([bar.get_width() for bar in space["ax"].patches])
    assert drawn == pytest.approx(moved.to_numpy().sum() / 1e9)
    # 100 x 784 and 784 x 500 floats in, 100 x 500 out, then 100 x 500 in and out again
    table = space["trace"]._repr_html_()
    assert f"{4 * (100 * 784 + 784 * 500 + 100 * 500):,}" in table
    space["ax"].figure.clear()
