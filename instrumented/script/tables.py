"""What a script moved, as tidy tables: per line, function or file; per operation; what left."""

from __future__ import annotations

import linecache
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from instrumented.books.events import Kind
from instrumented.books.ledger import Entry
from instrumented.script.callers import NOWHERE, Site
from instrumented.script.running import Finished

SCOPES = {"file": ["file"], "function": ["file", "function"], "line": ["file", "function", "line"]}
"""What a row of the table stands for, by the name that ``--scope`` takes."""

COUNTS = ["calls", "flops", "bytes_read", "bytes_written"]

STEERING = ("bool()", "truth value", "index", "int()", "float()", "count")
"""Ways out after which Python itself may decide what the program does next."""


@dataclass(frozen=True)
class ScriptTotals:
    """Totals of a script: all that the screen's first line says."""

    bytes_read: int
    bytes_written: int
    flops: int
    operations: int

    @property
    def bytes_moved(self) -> int:
        """Bytes read and bytes written."""
        return self.bytes_read + self.bytes_written

    @property
    def bytes_per_flop(self) -> float:
        """Bytes moved for every flop; infinite where nothing is computed."""
        return self.bytes_moved / self.flops if self.flops else math.inf


class Tables:
    """Everything that is told of a script that has run.

    Args:
        finished: the script.
    """

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        self._entries = finished.trace.ledger.entries
        self._sites = finished.trace.booking.sites_by_place()

    @cached_property
    def moved(self) -> ScriptTotals:
        """Totals over the whole script."""
        rows = self.counts
        read, written = int(rows["bytes_read"].sum()), int(rows["bytes_written"].sum())
        return ScriptTotals(read, written, int(rows["flops"].sum()), int(rows["calls"].sum()))

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Counts per line of source and operation: the table that all others are sums of.

        Columns file, function, line, operation, calls, flops, bytes_read, bytes_written.
        """
        rows = [self._row(entry) for entry in self._entries if entry.calls]
        keys = [*SCOPES["line"], "operation"]
        return _summed(pd.DataFrame(rows, columns=[*keys, *COUNTS]), keys)

    def by_scope(self, scope: str, *, operations: bool = False) -> pd.DataFrame:
        """Return the counts per file, function or line, what moved most first.

        With ``operations`` there is a row for each operation there.
        """
        keys = [*SCOPES[scope], *(["operation"] if operations else [])]
        return _largest_first(_summed(self.counts, keys))

    @cached_property
    def by_operation(self) -> pd.DataFrame:
        """Counts per operation, what moved most first."""
        return _largest_first(_summed(self.counts, ["operation"]))

    @cached_property
    def escapes(self) -> pd.DataFrame:
        """What left: columns file, line, how, calls, bytes_read; the most frequent first."""
        rows = self.finished.trace.escapes_by_line
        summed = rows.groupby(["file", "line", "how"], sort=False)[["calls", "bytes_read"]].sum()
        return summed.reset_index().sort_values(
            ["calls", "bytes_read"], ascending=False, kind="stable", ignore_index=True
        )

    @cached_property
    def data_dependent(self) -> pd.DataFrame:
        """Operations whose shapes were decided by values: file, place, operation, calls."""
        rows = self.finished.trace.data_dependent
        return rows.rename(columns={"layer": "file", "phase": "place"})

    @cached_property
    def single_numbers(self) -> tuple[int, int]:
        """Calls and bytes of operations on single numbers alone, escapes among them."""
        calls = nbytes = 0
        for entry in self._entries:
            operands = (*entry.operation.reads, *entry.operation.writes)
            if operands and all(math.prod(layout.shape) <= 1 for layout, _ in operands):
                calls += entry.calls
                nbytes += entry.operation.traffic.bytes_moved * entry.calls
        return calls, nbytes

    @property
    def steered(self) -> int:
        """How often a value left as a truth value, an index or a Python number."""
        rows = self.escapes
        steering = rows["how"].str.contains("|".join(map(_escaped, STEERING)), regex=True)
        return int(rows.loc[steering, "calls"].sum()) if len(rows) else 0

    def as_plain(self, scope: str) -> dict[str, Any]:
        """Return everything as values that JSON can hold."""
        moved = self.moved
        calls, nbytes = self.single_numbers
        return {
            "script": self.finished.name,
            "exit_code": self.finished.exit_code,
            "definition": "eager: every operation streams its operands in and its results out",
            "bytes_read": moved.bytes_read,
            "bytes_written": moved.bytes_written,
            "flops": moved.flops,
            "operations": moved.operations,
            "scope": scope,
            "counts": as_rows(self.by_scope(scope, operations=True)),
            "by_operation": as_rows(self.by_operation),
            "escapes": as_rows(self.escapes),
            "data_dependent": as_rows(self.data_dependent),
            "single_numbers": {"calls": calls, "bytes_moved": nbytes, "steered": self.steered},
        }

    def _row(self, entry: Entry) -> tuple[Any, ...]:
        operation = entry.operation
        site = self._sites.get(operation.place, NOWHERE)
        traffic, work = operation.traffic * entry.calls, operation.work * entry.calls
        name = "escape" if operation.kind is Kind.ESCAPE else operation.name
        return (*site, name, entry.calls, work.flops, traffic.bytes_read, traffic.bytes_written)


def source_line(finished: Finished, site: Site) -> str:
    """Return the text of a line of the user's source, without its indentation."""
    path = finished.ownership.folder / site.file
    return linecache.getline(str(path if path.exists() else site.file), site.line).strip()


def _summed(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return rows.groupby(keys, sort=False)[COUNTS].sum().reset_index()


def _largest_first(rows: pd.DataFrame) -> pd.DataFrame:
    moved = rows["bytes_read"] + rows["bytes_written"]
    order = moved.sort_values(ascending=False, kind="stable").index
    return rows.loc[order].reset_index(drop=True)


def as_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts of plain Python values."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def _escaped(text: str) -> str:
    return text.replace("(", r"\(").replace(")", r"\)")
