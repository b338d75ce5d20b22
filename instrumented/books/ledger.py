"""The books of a trace: distinct operations, how often each ran, the signature of each step.

And the same as plain values that JSON can hold, and back.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from instrumented.books.counters import NO_TRAFFIC, NO_WORK, Traffic, Work
from instrumented.books.events import Kind
from instrumented.books.operand import Layout


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation belongs, and the role of the arrays it makes."""

    layer: str
    phase: str
    makes: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One distinct operation: its place, its operands' layouts, what it moves and computes.

    ``reads`` and ``writes`` pair each operand's layout with the bytes moved through it.
    """

    place: Place
    name: str
    kind: Kind
    reads: tuple[tuple[Layout, int], ...]
    writes: tuple[tuple[Layout, int], ...]
    work: Work

    @property
    def traffic(self) -> Traffic:
        """Bytes read and written by one call."""
        return Traffic(sum(n for _, n in self.reads), sum(n for _, n in self.writes))

    @property
    def traffic_by_role(self) -> dict[str, Traffic]:
        """Bytes read and written by one call, split by the role of the operand."""
        split: dict[str, Traffic] = {}
        for layout, nbytes in self.reads:
            split[layout.role] = split.get(layout.role, NO_TRAFFIC) + Traffic(bytes_read=nbytes)
        for layout, nbytes in self.writes:
            split[layout.role] = split.get(layout.role, NO_TRAFFIC) + Traffic(bytes_written=nbytes)
        return split

    @property
    def dtype(self) -> str:
        """NumPy's name of the type the arithmetic is done in: a mask times floats is floats.

        The common type of what is read, widened by an inexact result (integers divided, a sum
        with a wider ``dtype``); of Booleans that are added up, the result's. The flops of a
        Fourier transform are those on the parts of complex numbers.
        """
        read = tuple(layout.dtype for layout, _ in self.reads)
        made = self.writes[0][0].dtype if self.writes else None
        return _arithmetic_type(read, made, in_parts=self.name.startswith("fft."))

    @property
    def result_role(self) -> str:
        """Role on which calls and flops are booked: the result's, or the operand's if none."""
        operands = self.writes or self.reads
        return operands[0][0].role if operands else self.place.makes


@lru_cache
def _arithmetic_type(
    read: tuple[np.dtype[Any], ...], made: np.dtype[Any] | None, *, in_parts: bool
) -> str:
    numbers = [dtype for dtype in read if dtype.kind in "biufc"]
    if not numbers:
        first = read[0] if read else made
        return "" if first is None else first.name
    common = np.result_type(*numbers)
    if made is not None and made.kind in ("biufc" if common.kind == "b" else "fc"):
        common = np.result_type(common, made)
    return common.type(0).real.dtype.name if in_parts else common.name


@dataclass(slots=True)
class Entry:
    """An operation, the type of its arithmetic, and how often it ran in the whole trace."""

    operation: Operation
    index: int
    calls: int = 0
    dtype: str = field(init=False)

    def __post_init__(self) -> None:
        self.dtype = self.operation.dtype


@dataclass(slots=True)
class Signature:
    """A distinct training step: the sequence of its operations, and how many steps had it.

    Two steps have the same signature exactly when they ran the same operations on operands of
    the same shapes, layouts, types and roles, in the same scopes and order.
    """

    name: str
    program: tuple[int, ...]
    digest: str
    work: Work
    traffic: Traffic
    steps: int = 0


@dataclass(slots=True)
class Ledger:
    """Every distinct operation of a trace, and every distinct step.

    ``data_dependent`` has the indices of the entries whose shapes or bytes were decided by
    values: what a mask selects, positions that are not zero, distinct elements.
    """

    entries: list[Entry] = field(default_factory=list)
    data_dependent: set[int] = field(default_factory=set)
    signatures: list[Signature] = field(default_factory=list)
    step_signatures: list[int] = field(default_factory=list)
    _by_operation: dict[Operation, Entry] = field(default_factory=dict)
    _by_program: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)

    def entry(self, operation: Operation) -> Entry:
        """Return the entry of an operation, opened when it is seen for the first time."""
        entry = self._by_operation.get(operation)
        if entry is None:
            entry = Entry(operation, len(self.entries))
            self.entries.append(entry)
            self._by_operation[operation] = entry
        return entry

    def drop(self, entry: Entry) -> bool:
        """Close the last entry opened if it never ran; return whether it is closed."""
        if entry.calls or entry is not self.entries[-1]:
            return False
        del self._by_operation[self.entries.pop().operation]
        self.data_dependent.discard(entry.index)
        return True

    def close_step(self, name: str, program: tuple[int, ...]) -> None:
        """Book one finished step under its signature."""
        key = (name, program)
        index = self._by_program.get(key)
        if index is None:
            index = self._by_program[key] = len(self.signatures)
            self.signatures.append(self._sign(name, program))
        self.signatures[index].steps += 1
        self.step_signatures.append(index)

    def _sign(self, name: str, program: tuple[int, ...]) -> Signature:
        digest = hashlib.sha256(name.encode())
        work, traffic = NO_WORK, NO_TRAFFIC
        described: dict[int, bytes] = {}
        for index, calls in Counter(program).items():
            operation = self.entries[index].operation
            described[index] = repr(operation).encode()
            work += operation.work * calls
            traffic += operation.traffic * calls
        for index in program:
            digest.update(described[index])
        return Signature(name, program, digest.hexdigest()[:16], work, traffic)


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
