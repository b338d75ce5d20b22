"""Parquet beside CSV: the same tables with their types, for tools that read columns."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from ffenergy.errors import FfenergyError, OutputError
from ffenergy.files.atomic import write_bytes


def write_parquet(directory: Path) -> list[str]:
    """Write ``NAME.parquet`` beside every ``NAME.csv`` of a run; return the names written.

    Integers stay integers; a column of numbers with gaps becomes float64.

    Raises:
        FfenergyError: pyarrow is not installed.
        OutputError: a table cannot be read, or there is none.
    """
    if find_spec("pyarrow") is None:
        raise FfenergyError(
            "Parquet needs pyarrow, which is not installed; pip install 'ffenergy[parquet]'"
        )
    tables = sorted(directory.glob("*.csv"))
    if not tables:
        raise OutputError(f"{directory} holds no CSV files; give the --outdir of an earlier run")
    for path in tables:
        write_bytes(path.with_suffix(".parquet"), _converted(path))
    return [path.with_suffix(".parquet").name for path in tables]


def _converted(path: Path) -> bytes:
    try:
        table = pd.read_csv(path, engine="python")  # its floats are exact
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        reason = " ".join(str(error).split())
        raise OutputError(f"{path} is not readable as a table: {reason}") from error
    stream = io.BytesIO()
    table.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()
