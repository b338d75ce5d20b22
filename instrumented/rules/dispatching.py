"""Vectors that NumPy runs through before it hands a call over: nothing has been computed by then.

NumPy asks a function's dispatcher which arguments may take the call over. A few dispatchers answer
with the argument itself, where a list of arrays is meant; a vector given there is run through, and
each of its elements was counted as taken out.
"""

from __future__ import annotations

from instrumented.books.booking import Booking
from instrumented.books.traced import Traced, layout_of, plain_of
from instrumented.rules.traffic_rules import RULES, Args, Function, Kwargs, function_named

_DECLARED = """
    choose: choices
    column_stack: tup
    concatenate: arrays
    dstack: tup
    hstack: tup
    linalg.multi_dot: arrays
    poly: seq_of_zeros
    ravel_multi_index: multi_index
    roots: p
    select: condlist choicelist
    stack: arrays
    vstack: tup
"""

RUN_THROUGH: dict[Function, list[str]] = {
    found: names.split()
    for name, names in (line.split(":") for line in _DECLARED.strip().split("\n"))
    if (found := function_named(name.strip())) is not None
}
"""Parameters that the dispatcher of a function runs through, in this order."""


def take_back_elements(booking: Booking, function: Function, args: Args, kwargs: Kwargs) -> None:
    """Take back what running through vectors booked, just before NumPy hands the call over."""
    rule = RULES[function]
    named = rule.parameters.named(rule.name, args, kwargs)
    for name in reversed(RUN_THROUGH[function]):
        vector = named.get(name)
        if isinstance(vector, Traced) and plain_of(vector).ndim == 1:
            key = (booking.place, "element", layout_of(vector))
            known = booking.shortcuts.get(key)
            if known is not None and booking.take_back(known[0], plain_of(vector).size):
                del booking.shortcuts[key]
