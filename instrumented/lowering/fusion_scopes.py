"""What fusion scopes change before lowering: which events form one kernel, and how they tile."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from instrumented.books.events import Access, Event, Kind
from instrumented.lowering.layout import Ints, view_of

NO_SCOPE = -1


def scope_of(event: Event, names: Collection[str] | None) -> tuple[str, int] | None:
    """Return the outermost fusion scope of an event that is enabled (None: all are)."""
    return next((scope for scope in event.fusion if names is None or scope[0] in names), None)


def name_of(event: Event, names: Collection[str] | None = ()) -> str:
    """Return the name of the enabled fusion scope that swallows an event, or of its operation."""
    scope = scope_of(event, names)
    return event.operation if scope is None else scope[0]


def scope_instances(events: Sequence[Event], names: Collection[str] | None) -> Ints:
    """Number the enabled fusion scope instances: `(events,)` int64, NO_SCOPE outside of them."""
    numbers: dict[tuple[str, int], int] = {}
    instances = np.full(len(events), NO_SCOPE, np.int64)
    for k, event in enumerate(events):
        scope = scope_of(event, names)
        if scope is not None:
            instances[k] = numbers.setdefault(scope, len(numbers))
    return instances


Writer = tuple[Access, Event]


def see_through(events: Sequence[Event], scope: Ints) -> list[Event]:
    """Let fused matrix products read their sources instead of operands made in the same scope.

    A normalised copy that only feeds the product is never stored: tiles of what it was computed
    from are loaded, and scaled on the way. The source is the operand of the same shape, followed
    back to outside the scope; an operand without such a source stays, and costs nothing.
    """
    writers: dict[tuple[int, int], Writer] = {}
    result = list(events)
    for k, (event, instance) in enumerate(zip(events, scope.tolist(), strict=True)):
        if instance == NO_SCOPE:
            continue
        if event.kind is Kind.MATMUL:
            reads = tuple(_source(access, instance, writers) for access in event.reads)
            result[k] = event._replace(reads=reads)
        for access in event.writes:
            writers[instance, access.buffer] = (access, event)
    return result


def _source(access: Access, instance: int, writers: dict[tuple[int, int], Writer]) -> Access:
    """Return the outside array that an operand is computed from, element by element."""
    found, transposed = access, False
    while writer := writers.get((instance, found.buffer)):
        written, event = writer
        if view_of(found) == view_of(_transpose(written)) != view_of(written):
            transposed = not transposed
        elif view_of(found) != view_of(written):
            return access
        source = next((read for read in event.reads if _same_elements(read, written)), None)
        if source is None or event.kind not in (Kind.ELEMENTWISE, Kind.COPY):
            return access
        if source.buffer == written.buffer:  # overwritten in place: the source is gone
            return access
        found = source
    return _transpose(found) if transposed else found


def _same_elements(read: Access, written: Access) -> bool:
    return read.shape == written.shape and read.nbytes >= written.nbytes


def _transpose(access: Access) -> Access:
    return access._replace(shape=access.shape[::-1], strides=access.strides[::-1])
