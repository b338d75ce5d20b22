"""Operators between scalars: NumPy's scalar arithmetic, counted as the ufunc of the operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.ledger import Entry
from instrumented.books.traced import Traced, booking_of, layout_of, plain_of
from instrumented.rules.ufunc_work import element_work


def run_operator(
    booking: Booking, function: Callable[..., Any], ufunc: np.ufunc | str, *operands: Any
) -> tuple[Any, Entry]:
    """Run an operator on scalars, traced ones and constants; return its answer and its entry.

    ``ufunc`` names the operation: a ufunc with its arithmetic, or a conversion by name.
    """
    traced = [value for value in operands if isinstance(value, Traced)]
    for value in traced:
        if booking_of(value) is not booking:
            booking.admit(value, str(ufunc))
    plain = [plain_of(value) if isinstance(value, Traced) else value for value in operands]
    answer = function(*plain)
    results = tuple(map(booking.wrap_result, answer if type(answer) is tuple else (answer,)))
    key = (booking.place, ufunc, "scalar", *map(layout_of, (*traced, *results)))
    entry = booking.shortcuts.get(key)
    if entry is not None:
        booking.count(entry, traced, results)
    else:
        reads = [(value, None) for value in traced]
        writes = [(value, None) for value in results]
        if isinstance(ufunc, str):
            entry = booking.record(ufunc, Kind.COPY, reads, writes, NO_WORK)
        else:
            work = element_work(ufunc)
            entry = booking.record(ufunc.__name__, Kind.ELEMENTWISE, reads, writes, work)
        booking.remember(key, entry)
    return (results if type(answer) is tuple else results[0]), entry
