"""Tidy tables of a ledger: exact integers, one row per place and operation."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from instrumented.books.escapes import Escapes, EscapeSite
from instrumented.books.ledger import Entry, Ledger

COUNTS = [
    "calls",
    "flops",
    "flops_add",
    "flops_multiply",
    "flops_special",
    "bytes_read",
    "bytes_written",
]

Counts = tuple[int, int, int, int, int, int, int]


def by_operation(ledger: Ledger) -> pd.DataFrame:
    """Return the counts per layer, phase and operation."""
    return _summed(
        ["layer", "phase", "operation"],
        ((_place(entry), _counts(entry, entry.calls)) for entry in ledger.entries),
    )


def by_role(ledger: Ledger) -> pd.DataFrame:
    """Return the counts per layer, phase, operation and operand role."""
    return _summed(
        ["layer", "phase", "operation", "role"],
        (row for entry in ledger.entries for row in _rows_by_role(entry)),
    )


def by_step(ledger: Ledger) -> pd.DataFrame:
    """Return the counts per step, layer, phase and operation; step -1 is outside of steps."""
    calls_outside = [entry.calls for entry in ledger.entries]
    for signature in ledger.signatures:
        for index in signature.program:
            calls_outside[index] -= signature.steps
    rows: list[tuple[tuple[object, ...], Counts]] = [
        ((-1, *_place(entry)), _counts(entry, calls))
        for entry, calls in zip(ledger.entries, calls_outside, strict=True)
        if calls
    ]
    for step, number in enumerate(ledger.step_signatures):
        for index in ledger.signatures[number].program:
            entry = ledger.entries[index]
            rows.append(((step, *_place(entry)), _counts(entry, 1)))
    return _summed(["step", "layer", "phase", "operation"], rows)


def by_site(escapes: Escapes) -> pd.DataFrame:
    """Return calls and bytes of every way out at every line, in order of first use."""
    rows = [(*site, *counts) for site, counts in escapes.sites.items()]
    return pd.DataFrame(rows, columns=[*EscapeSite._fields, "calls", "bytes_read"])


def data_dependent(ledger: Ledger) -> pd.DataFrame:
    """Return the calls of operations whose shapes were decided by values."""
    rows = (
        (_place(entry), _counts(entry, entry.calls))
        for entry in ledger.entries
        if entry.index in ledger.data_dependent
    )
    keys = ["layer", "phase", "operation"]
    return _summed(keys, rows)[[*keys, "calls"]]


def html(ledger: Ledger) -> str:
    """Return bytes and flops per layer and phase as a small HTML table, totals last."""
    shown = ["bytes_read", "bytes_written", "flops"]
    rows = ((_place(entry)[:2], _counts(entry, entry.calls)) for entry in ledger.entries)
    table = _summed(["layer", "phase"], rows).set_index(["layer", "phase"])[shown]
    table.loc[("all", "all"), :] = table.sum()
    whole = "{:,.0f}".format
    body: str = table.astype("int64").to_html(formatters=dict.fromkeys(shown, whole), border=0)
    return f"<p>Eager accounting: every operation streams its operands.</p>\n{body}"


def _place(entry: Entry) -> tuple[str, str, str]:
    place = entry.operation.place
    return place.layer, place.phase, entry.operation.name


def _counts(entry: Entry, calls: int) -> Counts:
    work, traffic = entry.operation.work * calls, entry.operation.traffic * calls
    return (
        calls,
        work.flops,
        work.add,
        work.multiply,
        work.special,
        traffic.bytes_read,
        traffic.bytes_written,
    )


def _rows_by_role(entry: Entry) -> Iterable[tuple[tuple[object, ...], Counts]]:
    operation, calls = entry.operation, entry.calls
    work = operation.work * calls
    yield (
        (*_place(entry), operation.result_role),
        (calls, work.flops, work.add, work.multiply, work.special, 0, 0),
    )
    for role, one_call in operation.traffic_by_role.items():
        traffic = one_call * calls
        yield (
            (*_place(entry), role),
            (0, 0, 0, 0, 0, traffic.bytes_read, traffic.bytes_written),
        )


def _summed(keys: list[str], rows: Iterable[tuple[tuple[object, ...], Counts]]) -> pd.DataFrame:
    """Add up rows with equal keys, in the order in which the keys first appear."""
    totals: dict[tuple[object, ...], list[int]] = {}
    for key, counts in rows:
        sums = totals.setdefault(key, [0] * len(COUNTS))
        for column, count in enumerate(counts):
            sums[column] += count
    frame = pd.DataFrame([(*key, *sums) for key, sums in totals.items()], columns=[*keys, *COUNTS])
    return frame.astype(dict.fromkeys(COUNTS, "int64")) if frame.empty else frame
