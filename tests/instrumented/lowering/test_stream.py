"""Streams by hand: which accesses are marked, in which order an instruction has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from instrumented import Trace
from instrumented.lowering import generate
from instrumented.lowering.lower import lower
from instrumented.lowering.stream import Stream

READ, WRITE = 0, 1


def preloaded() -> tuple[Trace, Any]:
    trace = Trace(record=True)
    return trace, trace.array(np.full(4, 3, np.float32), role="weight")


def marks(trace: Trace, scopes: tuple[()] | None = ()) -> list[tuple[int, int, int]]:
    """Return buffer, read or write, and mark of every access at operation grain."""
    stream = Stream(lower(trace.events, trace.buffers, scopes=scopes))
    buffer = stream.table.buffer
    return [
        (int(buffer[block]), int(write), int(mark))
        for _, (chunk, marked, _) in stream.parts()
        for block, write, mark in zip(chunk.block, chunk.write, marked, strict=True)
    ]


def test_marked_are_writes_that_are_read_and_last_reads() -> None:
    trace, x = preloaded()
    y = np.zeros_like(x)
    y * 2.0
    y + x
    # y is needed, and read for the last time by the sum; x lives on, the products are never read
    assert marks(trace) == [
        (1, WRITE, 1),
        (1, READ, 0),
        (2, WRITE, 0),
        (1, READ, 1),
        (0, READ, 0),
        (2, WRITE, 0),  # where the product lay
    ]


def test_every_result_of_an_operation_has_its_own_mark() -> None:
    trace, x = preloaded()
    _, rest = np.divmod(x, 2.0)
    rest + x
    first = marks(trace)[:3]
    assert first == [(0, READ, 0), (1, WRITE, 0), (2, WRITE, 1)]


def test_a_fused_operation_reads_before_it_writes() -> None:
    trace, x = preloaded()
    with trace.fuse("scope"):
        y = np.zeros_like(x)
        z = x * 2.0
    y + z
    assert marks(trace, None)[:3] == [(0, READ, 0), (1, WRITE, 1), (2, WRITE, 1)]


def test_what_a_fused_operation_has_read_is_not_accessed_again() -> None:
    trace, x = preloaded()
    y = trace.array(np.ones(2, np.float32), role="weight")
    with trace.fuse("scope"):
        (x * 2.0).sum() + (y * 2.0).sum() + (x * 3.0).sum()
    assert marks(trace, None) == [(0, READ, 0), (1, READ, 0)]


def test_outside_of_scopes_every_operation_reads() -> None:
    trace, x = preloaded()
    with trace.fuse("scope"):
        x * 2.0
    x * 3.0
    x * 4.0
    assert marks(trace, None) == [(0, READ, 0), *[(0, READ, 0), (1, WRITE, 0)] * 2]


def test_every_access_has_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "CHUNK", 1)
    for operations in range(1, 40):
        trace, x = preloaded()
        for _ in range(operations):
            x *= 2.0
        # what is read is overwritten, what is written is read or lives on
        assert marks(trace) == [(0, READ, 1), (0, WRITE, 1)] * operations
