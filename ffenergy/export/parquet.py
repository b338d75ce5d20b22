"""Parquet beside CSV: the same tables with their types, for tools that read columns."""

from __future__ import annotations

import io
from importlib.util import find_spec

import pandas as pd

from ffenergy.errors import FfenergyError, OutputError
from ffenergy.runs.beside import TABLE, parquet_of
from ffenergy.runs.directory import RunDirectory


def tables(directory: RunDirectory) -> dict[str, bytes]:
    """Return ``NAME.parquet`` for every ``NAME.csv`` that a run wrote.

    Integers stay integers; a column of numbers with gaps becomes float64.

    Raises:
        FfenergyError: pyarrow is not installed.
        OutputError: a table cannot be read, or there is none.
    """
    if find_spec("pyarrow") is None:
        raise FfenergyError(
            "Parquet needs pyarrow, which is not installed; pip install 'ffenergy[parquet]'"
        )
    names = [name for name in directory.files() if name.endswith(TABLE)]
    if not names:
        raise OutputError(f"{directory.path} holds no CSV files; give the --outdir of a run")
    return {parquet_of(name): _converted(directory.read_table(name, ())) for name in names}


def _converted(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, engine="pyarrow", index=False)
    return stream.getvalue()
