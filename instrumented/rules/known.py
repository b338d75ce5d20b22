"""Calls of NumPy functions whose counts are known from layouts alone: counted at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.traced import Traced, plainly, traced
from instrumented.rules.functions import OUT, KnownOutcome, apply_function, run_function
from instrumented.rules.traffic_rules import RULES, Args, Function, Kwargs, Role, TrafficRule
from instrumented.rules.unwrap import NUMBERS

METHODS: dict[Any, Any] = {
    getattr(np, name): getattr(np.ndarray, name)
    for name in """
        all any argmax argmin argpartition argsort choose copy cumprod cumsum diagonal dot max mean
        min nonzero prod ravel repeat reshape round searchsorted squeeze std sum swapaxes take trace
        transpose var
    """.split()
}
"""NumPy's methods by the functions they are counted as: the same values, found sooner."""

_SETTING, _COUNTS, _TYPE, _ARRAY, _ARRAYS, _ITEMS, _OUT = (
    Role.SETTING,
    Role.COUNTS,
    Role.TYPE,
    Role.ARRAY,
    Role.ARRAYS,
    Role.ITEMS,
    Role.OUT,
)
_SETTINGS = frozenset((int, bool, str, float, type(None), type))

MOST_ITEMS = 64
"""Items of a list that an array is made of; of longer ones the keys would fill memory."""


def call_function(
    booking: Booking,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    *,
    by_method: bool = False,
) -> Any:
    """Run a NumPy function and book it; where all is known of the call, only count it.

    ``by_method`` says that a method of the first argument was called, which NumPy runs sooner.
    """
    rule = RULES.get(function)
    method = METHODS.get(function) if by_method else None
    if rule is None or booking.recorder is not None:
        return apply_function(booking, function, args, kwargs, method)
    parts: list[Any] = [booking.place, function]
    plain: list[Any] = []
    roles, roles_by_name = rule.parameters.by_position, rule.parameters.roles
    if len(args) > len(roles):
        return apply_function(booking, function, args, kwargs, method)
    array_type = booking.array_type
    for position, value in enumerate(args):  # half the time of zip
        kind, role = type(value), roles[position]
        if kind is array_type and role is _ARRAY and value._booking is booking:
            parts.append(value._layout)
            plain.append(value._array)
        elif kind in _SETTINGS and role is _SETTING:
            parts += kind, value
            plain.append(value)
        elif not _is_known(booking, rule, role, value, parts, plain):
            return apply_function(booking, function, args, kwargs, method)
    named: dict[str, Any] = {}
    for name, value in kwargs.items():
        kind = type(value)
        role = roles_by_name.get(name, _OUT)
        parts.append(name)
        if kind in _SETTINGS and role is _SETTING:
            parts += kind, value
            named[name] = value
        elif _is_known(booking, rule, role, value, parts, plain):
            named[name] = plain.pop()
        else:
            return apply_function(booking, function, args, kwargs, method)
    key = tuple(parts)
    known = booking.shortcuts.get(key)
    if known is None or booking.computes_up_to is not None:
        return _first(booking, key, function, args, kwargs, method)
    called = function if method is None or type(plain[0]) is not np.ndarray else method
    answer = called(*plain, **named)
    if known is _VARIES:
        known = booking.shortcuts.get((key, _form(answer)))
        if known is None:
            return _first(booking, key, function, args, kwargs, method, (answer,))
    entry, layouts, _ = known
    if entry is not None:
        entry.calls += 1
        if booking.program is not None:
            booking.program.append(entry.index)
    if type(layouts) is int:
        return traced(booking, answer, layouts)
    if layouts == OUT:
        return _target(roles, args, kwargs)
    return _rebuilt(booking, answer, layouts)


_VARIES = KnownOutcome(None, None, varies=True)
"""What is known of a call whose answer has to be seen first: the outcome stands under its form."""


def _first(
    booking: Booking,
    key: tuple[Any, ...],
    function: Function,
    args: Args,
    kwargs: Kwargs,
    method: Function | None,
    ran: tuple[Any] | None = None,
) -> Any:
    """Run and book a call of which too little is known, and remember what it did."""
    answer, outcome = run_function(booking, function, args, kwargs, method, ran)
    if outcome is not None and outcome.varies:
        booking.remember(key, _VARIES)
        key = key, _form(answer)
    if outcome is not None:
        booking.remember(key, outcome)
    return answer


def _form(answer: Any) -> Any:
    """Return types and layouts of an answer, traced or plain, which is the same."""
    if isinstance(answer, (tuple, list)):
        return tuple(map(_form, answer))
    plain = plainly(answer)
    if type(plain) is np.ndarray:
        return plain.shape, plain.strides, plain.dtype
    if type(plain) in (bool, int, float, complex):
        plain = np.asarray(plain)[()]
    return plain.dtype if isinstance(plain, np.generic) else type(plain)


def _is_known(
    booking: Booking, rule: TrafficRule, role: Role, value: Any, parts: list[Any], plain: list[Any]
) -> bool:
    """Add an argument to a shortcut's key and to the plain ones; False where it has no place.

    Of operands the key has the layout, of numbers among them the type, of settings the value.
    """
    kind = type(value)
    if isinstance(value, Traced):
        if role is _SETTING or value._booking is not booking:
            return False
        if (role is _COUNTS or role is _TYPE) and not value._array.ndim:
            return False  # its value decides, and leaves
        if rule.views and kind is not booking.array_type:
            return False
        parts.append(value._layout)
        plain.append(value._array)
        return True
    if role is _SETTING or role is _COUNTS or value is None or kind is str:
        if kind in _SETTINGS or isinstance(value, np.dtype) or is_axes(value):
            parts += kind, value
            plain.append(value)
            return True
        return False
    if kind is int and value.bit_length() > 63:
        return False  # what an array of it holds is no int64
    if kind in NUMBERS or value is np._NoValue:
        parts.append(kind)
        plain.append(value)
        return True
    if role is _ITEMS and kind in (list, tuple):
        return _are_known(booking, value, parts, plain)
    if role is _ARRAYS and kind in (list, tuple):
        inside: list[Any] = []
        layouts: list[Any] = [kind]
        for item in value:
            if not _is_known(booking, rule, _ARRAY, item, layouts, inside):
                return False
        parts.append(tuple(layouts))
        plain.append(kind(inside))
        return True
    return False


def _are_known(booking: Booking, items: Any, parts: list[Any], plain: list[Any]) -> bool:
    """Add a list that an array is made of: arrays and numbers, in lists or not."""
    if len(items) > MOST_ITEMS:
        return False
    inside: list[Any] = []
    layouts: list[Any] = [type(items)]
    for item in items:
        kind = type(item)
        if kind in (list, tuple):
            if not _are_known(booking, item, layouts, inside):
                return False
        elif isinstance(item, Traced) and item._booking is booking:
            layouts.append(item._layout)
            inside.append(item._array)
        elif kind in NUMBERS and (kind is not int or item.bit_length() < 64):
            layouts.append(kind)
            inside.append(item)
        else:
            return False
    parts.append(tuple(layouts))
    plain.append(type(items)(inside))
    return True


def _target(roles: Sequence[Role], args: Args, kwargs: Kwargs) -> Any:
    """The array that a call was told to write into, by name or by position."""
    if "out" in kwargs:
        return kwargs["out"]
    return next(value for value, role in zip(args, roles, strict=False) if role is _OUT)


def _rebuilt(booking: Booking, answer: Any, layouts: Any) -> Any:
    """Trace an answer of known layouts."""
    if layouts is None:
        return None
    if type(layouts) is int:
        return traced(booking, answer, layouts)
    kind, parts = layouts
    items = [_rebuilt(booking, a, part) for a, part in zip(answer, parts, strict=True)]
    return kind(items) if kind is tuple or kind is list else kind(*items)


def is_axes(value: Any) -> bool:
    """Return whether a value is a tuple of Python's integers: axes, or a shape."""
    return type(value) is tuple and all(type(item) is int for item in value)
