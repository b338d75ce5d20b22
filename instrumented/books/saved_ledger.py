"""The books of a trace as plain values that JSON can hold, and back."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

from instrumented.books.counters import Work
from instrumented.books.events import Kind
from instrumented.books.ledger import Ledger, Operation, Place
from instrumented.books.operand import Layout


def plain_ledger(ledger: Ledger) -> dict[str, Any]:
    """Return all that ``ledger`` holds; :func:`ledger_from` makes an equal one of it."""
    return {
        "operations": [_plain_operation(entry.operation) for entry in ledger.entries],
        "calls": [entry.calls for entry in ledger.entries],
        "data_dependent": sorted(ledger.data_dependent),
        "signatures": [[s.name, list(s.program), s.digest] for s in ledger.signatures],
        "steps": _packed(ledger.step_signatures),
    }


def ledger_from(plain: dict[str, Any]) -> Ledger:
    """Return the ledger that :func:`plain_ledger` described."""
    ledger = Ledger()
    for operation, calls in zip(plain["operations"], plain["calls"], strict=True):
        ledger.entry(_operation(operation)).calls = calls
    ledger.data_dependent.update(plain.get("data_dependent", ()))
    signatures = [(name, tuple(program)) for name, program, _ in plain["signatures"]]
    for number in _unpacked(plain["steps"]):
        ledger.close_step(*signatures[number])
    found = [signature.digest for signature in ledger.signatures]
    if found != [digest for *_, digest in plain["signatures"]]:
        raise ValueError("the digests of the steps are not those that were saved")
    return ledger


def _plain_operation(operation: Operation) -> list[Any]:
    place, work = operation.place, operation.work
    return [
        [place.layer, place.phase, place.makes],
        operation.name,
        operation.kind.name,
        [_plain_operand(*operand) for operand in operation.reads],
        [_plain_operand(*operand) for operand in operation.writes],
        [work.add, work.multiply, work.special],
    ]


def _operation(plain: list[Any]) -> Operation:
    place, name, kind, reads, writes, work = plain
    return Operation(
        Place(*place),
        name,
        Kind[kind],
        tuple(_operand(*operand) for operand in reads),
        tuple(_operand(*operand) for operand in writes),
        Work(*work),
    )


def _plain_operand(layout: Layout, nbytes: int) -> list[Any]:
    return [list(layout.shape), list(layout.strides), layout.dtype.str, layout.role, nbytes]


def _operand(
    shape: list[int], strides: list[int], dtype: str, role: str, nbytes: int
) -> tuple[Layout, int]:
    return Layout(tuple(shape), tuple(strides), np.dtype(dtype), role), nbytes


def _packed(numbers: list[int]) -> str:
    """A long list of small numbers, compressed: a step repeats what the one before did."""
    return base64.b64encode(zlib.compress(np.array(numbers, "<i4").tobytes())).decode()


def _unpacked(text: str) -> list[int]:
    plain: list[int] = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4").tolist()
    return plain
