"""A Parquet file never says something else than the table beside it."""

from __future__ import annotations

from pathlib import Path

from ffenergy.runs.directory import RunDirectory

FIRST = {"a.csv": b"x\n1\n", "b.csv": b"x\n2\n", "c.csv": b"x\n3\n", "a.md": b""}
PARQUET = {"a.parquet": b"1", "b.parquet": b"2", "c.parquet": b"3"}


def test_it_goes_with_the_table_that_changes_or_goes(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.change({}, FIRST)
    directory.change({}, PARQUET)
    assert {*FIRST, *PARQUET} <= {*directory.files()}
    directory.change({}, {"a.csv": b"x\n9\n", "b.csv": FIRST["b.csv"]}, gone=["c.csv"])
    assert {*directory.files()} == {"a.csv", "a.md", "b.csv", "b.parquet"}
    assert not (tmp_path / "a.parquet").exists()


def test_it_stays_where_it_is_written_too(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.change({}, FIRST | PARQUET)
    directory.change({}, {"a.csv": b"x\n9\n", "a.parquet": b"9"})
    assert (tmp_path / "a.parquet").read_bytes() == b"9"


def test_one_that_nobody_recorded_is_left_alone(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.change({}, FIRST)
    (tmp_path / "a.parquet").write_bytes(b"mine")
    directory.change({}, {"a.csv": b"x\n9\n"})
    assert (tmp_path / "a.parquet").read_bytes() == b"mine"
