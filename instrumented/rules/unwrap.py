"""From traced arrays, plain arrays and constants to plain values and operands to count."""

from __future__ import annotations

from array import array as python_array
from collections.abc import Sequence
from typing import Any

import numpy as np

from instrumented.books.booking import Booking, Share
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.traced import (
    Elements,
    Operand,
    Traced,
    booking_of,
    iterator_of,
    plain_of,
    plainly,
)
from instrumented.errors import UncountedOperationError

IMMEDIATES = frozenset((bool, int, float, complex, *np.sctypeDict.values()))
"""Types of constants that live in the instruction, not in memory: 0 bytes."""

TEXTS_AND_BUFFERS = (str, bytes, bytearray, memoryview, python_array)
"""Sequences that NumPy does not take item by item: texts, and memory as it lies."""

NUMBERS = IMMEDIATES.difference((np.str_, np.bytes_, np.void, np.datetime64, np.timedelta64))
"""Those whose type alone tells the type of a result; of texts and dates lengths and units do."""


def unwrap(booking: Booking, value: Any, operation: str) -> tuple[Any, Operand | None]:
    """Return the plain value, and the operand to count (None for an immediate)."""
    if isinstance(value, Traced):
        if booking_of(value) is not booking:
            booking.admit(value, operation)
        return plain_of(value), value
    kind = type(value)
    if kind in IMMEDIATES:
        return value, None
    if kind in (np.ndarray, list, tuple, range) or isinstance(value, Elements):
        array = as_array(booking, value, operation)
        if isinstance(array, Traced):
            return plain_of(array), array
        booking.admit(array, operation)
        return array, array
    raise UncountedOperationError(
        f"{operation} was given a {kind.__name__}, which has no traffic rule; "
        "pass arrays or numbers"
        + (" (numpy.asarray gives a plain array)" if isinstance(value, np.ndarray) else "")
    )


def as_array(booking: Booking, value: Any, operation: str) -> Operand:
    """Return what stands in memory for an array, or for a list or range given in its place.

    A list with traced values in it is put together in the trace, as ``numpy.stack`` would: these
    and the plain arrays beside them are read.
    """
    if isinstance(value, Elements):
        elements: Operand = value.as_array()
        return elements
    if not isinstance(value, (list, tuple, range)):
        array: Operand = value
        return array
    items, inside = operands_in(value)
    plain = np.asarray(items)
    if not inside:
        return plain
    for operand in inside:
        booking.admit(operand, operation)
    made: Traced = booking.wrap_result(plain)
    reads: list[Share] = [(operand, None) for operand in inside]
    booking.record("array", Kind.COPY, reads, [(made, None)], NO_WORK)
    return made


def operands_in(value: Any) -> tuple[Any, list[Operand]]:
    """Return a list of plain values, and the operands that an array is put together of.

    They are the arrays in it, in order; none where nothing in it is traced, so that the array that
    is made of it is itself the one that enters.
    """
    if isinstance(value, range):
        return value, []
    inside: list[Any] = []
    plain = strip(value, inside, with_arrays=True)
    is_traced = any(isinstance(operand, Traced) for operand in inside)
    return plain, inside if is_traced else []


def strip(value: Any, inside: list[Any], *, with_arrays: bool = False) -> Any:
    """Replace traced values by plain ones in nested tuples, lists and dicts; list them too.

    ``with_arrays`` lists plain arrays as well, and what else NumPy takes for one where it stands.
    """
    if isinstance(value, Traced):
        inside.append(value)
        return plain_of(value)
    if isinstance(value, tuple):
        items = [strip(item, inside, with_arrays=with_arrays) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [strip(item, inside, with_arrays=with_arrays) for item in value]
    if isinstance(value, dict):
        return {key: strip(item, inside, with_arrays=with_arrays) for key, item in value.items()}
    if isinstance(value, Elements):
        inside.append(value.whole)
        return iterator_of(value)
    if with_arrays and type(value) not in IMMEDIATES and _is_array(value):
        inside.append(np.asarray(value))
        return inside[-1]
    return value


def _is_array(value: Any) -> bool:
    """Return whether a value in a list is an array to NumPy, or memory that it takes for one."""
    return isinstance(value, (np.ndarray, memoryview, bytearray, python_array)) or (
        hasattr(value, "__array__") and not isinstance(value, np.generic)
    )


def unwrap_index(booking: Booking, index: Any, operation: str) -> tuple[Any, list[Operand]]:
    """Return an index of plain values, and the index arrays to count.

    Integers, slices, ``None``, ``...`` and names of fields are immediates; arrays, lists, other
    sequences (a ``range``) and tuples inside the index are index arrays.
    """
    if isinstance(index, tuple):
        parts = [
            unwrap_index(booking, list(part) if isinstance(part, tuple) else part, operation)
            for part in index
        ]
        return tuple(p for p, _ in parts), [a for _, found in parts for a in found]
    if index is None or index is Ellipsis or isinstance(index, (slice, str)):
        return index, []
    if _is_taken_by_item(index):
        index = list(index)
    if isinstance(index, list) and index and all(isinstance(item, str) for item in index):
        return index, []
    plain, operand = unwrap(booking, index, operation)
    if isinstance(index, list) and plain.size == 0:
        plain = plain.astype(np.intp)
    return plain, [] if operand is None else [operand]


def _is_taken_by_item(index: Any) -> bool:
    """Return whether an index, no tuple, is to NumPy the list of what is in it: a ``range`` is."""
    return (
        isinstance(index, Sequence)
        and not isinstance(index, (list, TEXTS_AND_BUFFERS))
        and not hasattr(index, "__array__")
    )


def has_axes(value: Any) -> bool:
    """Return whether a value is an array with axes, or a list, which would be one."""
    return isinstance(value, (list, tuple)) or np.ndim(plainly(value)) > 0


def holds_objects(value: Any) -> bool:
    """Return whether a value is a plain array of objects: to who joins arrays, a list of them."""
    return type(value) is np.ndarray and value.dtype.hasobject


def let_settings_out(value: Any, how: str) -> Any:
    """Return a setting (a shape, an axis, a count) without traced values; each is an escape.

    Of whatever trace: a setting is no operand, so it leaves the one that it is in.

    Raises:
        EscapeError: there are some, and their trace refuses what nobody let out by name.
    """
    inside: list[Traced] = []
    plain = strip(value, inside)
    for operand in inside:
        booking_of(operand).want_out(operand, how)
    return plain
