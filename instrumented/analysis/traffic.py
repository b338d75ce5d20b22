"""Bytes and flops of one step, per place: eager as the trace counts them, or what fusion leaves."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pandas as pd

from instrumented.analysis.histogram import PLACE
from instrumented.books.events import Event
from instrumented.lowering.scopes import scope_of

NUMBERS = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]


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
