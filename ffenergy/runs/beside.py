"""Parquet files beside the CSV tables of a run: which there are, and which are out of date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ffenergy.files.folder import digest_of

TABLE: Final = ".csv"
PARQUET: Final = ".parquet"


def parquet_of(table: str) -> str:
    """Return the name of the Parquet file beside ``NAME.csv``."""
    return f"{table.removesuffix(TABLE)}{PARQUET}"


def out_of_date(
    recorded: Mapping[str, str] | None, contents: Mapping[str, bytes], gone: Collection[str]
) -> set[str]:
    """Return the recorded Parquet files whose tables change or go, and that are not written too."""
    there = recorded or {}
    changed = {name for name, new in contents.items() if there.get(name) != digest_of(new)}
    stale = {parquet_of(name) for name in {*changed, *gone} if name.endswith(TABLE)}
    return (stale & there.keys()) - contents.keys()
