"""The books of a trace survive being written down."""

from __future__ import annotations

import json

import numpy as np
import pytest

from instrumented import InstrumentError, Trace
from instrumented.books.ledger import ledger_from, plain_ledger


def work(trace, steps):
    a = trace.array(np.arange(12.0).reshape(3, 4), role="weight")
    b = trace.array(np.ones((4, 2), np.float32))
    for number in range(steps):
        with trace.step("odd" if number % 2 else "even"), trace.scope(layer="l", phase="forward"):
            np.maximum(a @ b, 0)
            np.broadcast_to(a[:1], (3, 4)) + a
            trace.escape(np.sum(a.T))
    return a


def test_a_ledger_written_as_json_and_read_back_is_the_same():
    trace = Trace()
    work(trace, 5)
    again = ledger_from(json.loads(json.dumps(plain_ledger(trace.ledger))))
    assert [(e.operation, e.calls, e.index) for e in again.entries] == [
        (e.operation, e.calls, e.index) for e in trace.ledger.entries
    ]
    assert again.signatures == trace.ledger.signatures
    assert again.step_signatures == trace.ledger.step_signatures


def test_counting_goes_on_where_the_books_end():
    whole, first, second = Trace(), Trace(), Trace()
    work(whole, 5)
    work(first, 2)
    work(second, 3)  # counted, then dropped
    second.continue_from(ledger_from(plain_ledger(first.ledger)))
    work(second, 3)  # even, odd, even: as the third to the fifth step of the whole
    assert second.by_role().equals(whole.by_role())
    assert second.signatures == whole.signatures


def test_books_that_were_tampered_with_are_refused():
    trace = Trace()
    work(trace, 1)
    plain = plain_ledger(trace.ledger)
    plain["signatures"][0][2] = "0" * 16
    with pytest.raises(ValueError, match="digests"):
        ledger_from(plain)


def test_a_recording_trace_keeps_its_own_books():
    trace = Trace(record=True)
    with pytest.raises(InstrumentError, match="records none"):
        trace.continue_from(Trace().ledger)
