"""Runs functions that cannot be counted, on values let out, where a trace records escapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.traced import Traced, plainly
from instrumented.errors import UncountedOperationError
from instrumented.rules.traffic_rules import Args, Function, Kwargs, TrafficRule, name_of
from instrumented.rules.unwrap import strip


def run_outside(
    booking: Booking, function: Function, rule: TrafficRule | None, args: Args, kwargs: Kwargs
) -> Any:
    """Run a function on values let out; what one without a rule makes enters as written.

    Raises:
        UncountedOperationError: it has no rule, and the trace refuses what nobody let out by name.
        EscapeError: its rule says that values leave, and the trace refuses that.
    """
    if rule is None and booking.refuses_escapes:
        raise UncountedOperationError(
            f"{name_of(function)} has no traffic rule and is not guessed; write it with functions "
            "that have one, add a rule with instrumented.rules.traffic_rules.traffic_rule "
            "(it declares every parameter), or let the values out with .escape()"
        )
    inside: list[Traced] = []
    args, kwargs = strip(args, inside), strip(kwargs, inside)
    for operand in inside:
        booking.admit(operand, name_of(function))
    for operand in inside:
        booking.want_out(operand, name_of(function))
    answer = booking.call(function, *args, **kwargs)
    return answer if rule is not None else _enter(booking, answer, name_of(function), inside)


def _enter(booking: Booking, answer: Any, name: str, given: list[Traced]) -> Any:
    """Trace what a function without a rule made: its bytes are written, nothing else is known."""
    if isinstance(answer, (tuple, list)):
        items = [_enter(booking, item, name, given) for item in answer]
        if isinstance(answer, list):
            return items
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    if not (type(answer) is np.ndarray or isinstance(answer, np.generic)):
        return answer
    if answer.dtype.hasobject:
        return answer
    same = [operand for operand in given if plainly(operand) is answer]
    made = same[0] if same else booking.wrap_result(answer)
    booking.made(made, name.removeprefix("numpy."))
    return made
