"""What every traced value is to the books: its plain values, their layout, the booking it is in.

:class:`instrumented.TracedArray` and :class:`instrumented.TracedScalar` add what users see. The
rules know traced values through the functions here alone.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.operand import Array

NO_SLOTS: tuple[str, ...] = ()
SLOTS = ("_array", "_booking", "_layout", "_memory")
"""What a concrete class of traced values holds."""


class Traced:
    """A plain array or NumPy scalar, the number of its layout, and its booking.

    The concrete classes have the slots, so that one may inherit from a class of NumPy's as well.
    """

    __slots__ = NO_SLOTS

    _array: Any
    _booking: Any
    _layout: int
    _memory: Array

    def __init__(self, booking: Any, plain: Any, layout: int) -> None:
        self._booking = booking
        self._array = plain
        self._layout = layout

    def _held(self) -> Array:
        """Return the array that holds the values; a scalar's is made when it is first asked for."""
        if isinstance(self._array, np.ndarray):
            return self._array
        try:
            return self._memory
        except AttributeError:
            self._memory = np.array(self._array)
            return self._memory


_new = object.__new__


def traced(booking: Any, plain: Any, layout: int) -> Any:
    """Trace plain values of a known layout: as the constructor does, in half the time."""
    if type(plain) is not np.ndarray:
        value = plain if isinstance(plain, np.generic) else np.asarray(plain)[()]
        return booking.scalar_type(booking, value, layout)
    made = _new(booking.array_type)
    made._booking = booking
    made._array = plain
    made._layout = layout
    return made


Operand = Traced | Array
"""What a rule may count: a traced value, or a bare array (role ``data``)."""

plain_of: Callable[[Traced], Any] = attrgetter("_array")
"""The plain array or NumPy scalar of a traced value."""

layout_of: Callable[[Traced], int] = attrgetter("_layout")
"""The number of its layout in its booking."""

booking_of: Callable[[Traced], Any] = attrgetter("_booking")
"""The booking it is in."""


def memory_of(operand: Operand) -> Array:
    """Return the array whose memory an operand is read from or written to."""
    return operand._held() if isinstance(operand, Traced) else operand


class Elements:
    """The elements of a traced array as something else than an array: ``x.flat``.

    Attributes:
        whole: the traced array that they are of.
    """

    __slots__ = ("_iterator", "whole")

    _iterator: Any
    whole: Any

    def copy(self) -> Any:
        """Return the elements as a new array of one axis: read and written."""
        booking = booking_of(self.whole)
        result = booking.wrap_result(self._iterator.copy())
        booking.record("copy", Kind.COPY, [(self.whole, None)], [(result, None)], NO_WORK)
        return result

    def as_array(self) -> Any:
        """Return the elements as a traced array of one axis: a free view, else a counted copy."""
        array = self._iterator.base
        if not array.flags.c_contiguous:
            return self.copy()
        return booking_of(self.whole).view(self.whole, array.reshape(-1))


iterator_of: Callable[[Elements], Any] = attrgetter("_iterator")
"""NumPy's own iterator over the elements."""


TEXTS = frozenset((np.str_, np.bytes_))
"""NumPy's texts: of one alone, its own letters tell the size, whatever the array it came from."""


def plainly(operand: Any) -> Any:
    """Return the plain values of an operand, which may be plain already."""
    return plain_of(operand) if isinstance(operand, Traced) else operand
