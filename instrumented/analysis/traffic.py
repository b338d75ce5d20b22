"""Bytes and flops of one step, per place: eager as the trace counts them, or what fusion leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.books.events import BufferInfo, Event
from instrumented.lowering.kinds import Grain
from instrumented.lowering.scopes import scope_of

NUMBERS = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]


def fused_traffic(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> pd.DataFrame:
    """Bytes and flops under the fused reading.

    Args:
        events: a recorded trace of several steps.
        buffers: its buffers.
        scopes: names of the fusion scopes that are fused; None: all. Of nested ones the outermost
            counts.
        step: only this training step; None: all events.

    Returns:
        One row per layer, phase, operation (the scope's name inside one) and role, with calls,
        flops, flops_special, bytes_read and bytes_written. A byte stands where the event stands
        that reads it first or writes it last; calls (array operations) and flops, which fusion
        leaves as they are, on the role of the result.
    """
    from instrumented.lowering.lower import lower
    from instrumented.lowering.stream import Stream

    stream = Stream(lower(events, buffers, grain=Grain.OPERATION, scopes=scopes))
    table = stream.table
    moved = np.zeros((2, len(table.operands)), np.int64)
    for _, (chunk, _) in stream.parts():
        np.add.at(moved, (chunk.write, chunk.operand), chunk.nbytes)
    rows = []
    for number, (which, access) in enumerate(table.operands):
        event = table.events[which]
        if step is None or event.step == step:
            place = (event.layer, event.phase, operation_name(event, scopes), access.role)
            rows.append((*place, *moved[:, number].tolist()))
    frame = pd.DataFrame(rows, columns=[*PLACE, *NUMBERS[3:]])
    chosen = [event for event in events if step is None or event.step == step]
    return with_work(frame, chosen, scopes)


def with_work(
    moved: pd.DataFrame, events: Iterable[Event], scopes: Collection[str] | None
) -> pd.DataFrame:
    """Add calls and flops of events to rows of bytes; one row per place."""
    rows = []
    for event in events:
        results = event.writes or event.reads
        role = results[0].role if results else "temporary"
        place = (event.layer, event.phase, operation_name(event, scopes), role)
        rows.append((*place, 1, event.work.flops, event.work.special))
    work = pd.DataFrame(rows, columns=[*PLACE, *NUMBERS[:3]])
    frame = pd.concat([moved[[*PLACE, *NUMBERS[3:]]], work], ignore_index=True).fillna(0)
    summed = frame.groupby(PLACE, sort=False)[NUMBERS].sum().astype(np.int64)
    return summed[(summed != 0).any(axis=1)].reset_index()


def operation_name(event: Event, scopes: Collection[str] | None = ()) -> str:
    """Return the name of the fusion scope that swallows an event, or of its operation."""
    scope = scope_of(event, scopes)
    return event.operation if scope is None else scope[0]
