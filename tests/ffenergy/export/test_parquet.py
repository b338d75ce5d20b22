"""Parquet files hold what the CSV files hold, types included."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from ffenergy.errors import FfenergyError, OutputError
from ffenergy.export import parquet
from ffenergy.files.contents import as_csv
from ffenergy.runs.directory import RunDirectory

pytestmark = pytest.mark.slow


def test_every_table_comes_back_equal(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"layer": ["layer1", "layer2"], "bytes_read": [2**53 + 1, 7], "test_error": [0.1, None]}
    )
    tables = {"traffic.csv": as_csv(table), "layers.csv": as_csv(table[["layer"]])}
    directory = RunDirectory(tmp_path)
    directory.change({}, {**tables, "report.md": b""})
    (tmp_path / "mine.csv").write_text("a\n1\n")
    found = parquet.tables(directory)
    assert list(found) == ["layers.parquet", "traffic.parquet"]
    back = pd.read_parquet(io.BytesIO(found["traffic.parquet"]))
    pd.testing.assert_frame_equal(back, pd.read_csv(tmp_path / "traffic.csv"))
    assert back["bytes_read"].tolist() == [2**53 + 1, 7]  # not through a float


def test_a_directory_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no CSV files"):
        parquet.tables(RunDirectory(tmp_path))


def test_without_pyarrow_one_line_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(FfenergyError, match=r"ffenergy\[parquet\]"):
        parquet.tables(RunDirectory(tmp_path))
