"""``x.flat`` of a traced array: NumPy's iterator over all elements, which counts what it moves."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from instrumented.books.booking import Booking, Share
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.operand import Array
from instrumented.books.traced import Elements, Traced, booking_of, plain_of
from instrumented.rules.indexing import (
    basic_view,
    has_mask,
    index_before,
    selected_elements,
    take_element,
)
from instrumented.rules.known import call_function
from instrumented.rules.traffic_rules import Args, Kwargs
from instrumented.rules.unwrap import strip, unwrap, unwrap_index


def _comparison(compare: Callable[[Any, Any], Any]) -> Any:
    def method(self: TracedFlat, other: Any) -> Any:
        return compare(self.as_array(), other)

    return method


class TracedFlat(Elements):
    """Does what ``numpy.flatiter`` does; see ``numpy.ndarray.flat``.

    An element is a traced scalar, a slice or a gather a counted copy of one axis, an assignment a
    store. As an operand it is a free view of one axis, or a counted copy where the elements do
    not lie one after the other.

    Args:
        base: the traced array, of any shape.
    """

    __slots__ = ("_base",)

    def __init__(self, base: Traced) -> None:
        self._base = base
        self.whole = booking_of(base).view(base, plain_of(base))
        self._iterator = plain_of(base).flat

    # ---- where it stands ---------------------------------------------------------------

    @property
    def base(self) -> Any:
        """The array that is iterated over."""
        return self._base

    @property
    def coords(self) -> tuple[int, ...]:
        """Index of the next element, an integer an axis."""
        coords: tuple[int, ...] = self._iterator.coords
        return coords

    @property
    def index(self) -> int:
        """Position of the next element."""
        index: int = self._iterator.index
        return index

    def __len__(self) -> int:
        return len(self._iterator)

    # ---- elements ----------------------------------------------------------------------

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        coords = self._iterator.coords
        return take_element(self._booking, self.whole, coords, next(self._iterator))

    def __getitem__(self, index: Any) -> Any:
        booking = self._booking
        found = self._iterator[strip(index, [])]  # a list stays one: NumPy takes none of Booleans
        plain, indices = unwrap_index(booking, index, "indexing")
        if type(found) is not np.ndarray:
            return take_element(booking, self.whole, self._place(plain), found, indices)
        result = booking.wrap_result(found)
        view = None if indices else self._view(plain)
        if view is not None:
            reads: list[Share] = [(booking.view(self.whole, view), None)]
            booking.record("copy", Kind.COPY, reads, [(result, None)], NO_WORK)
            return result
        reads = [(self.whole, found.nbytes), *((i, None) for i in indices)]
        entry = booking.record("gather", Kind.GATHER, reads, [(result, None)], NO_WORK)
        self._note_mask(plain, entry.index)
        return result

    def __setitem__(self, index: Any, value: Any) -> None:
        booking, array = self._booking, self._iterator.base
        plain, indices = unwrap_index(booking, index, "storing")
        values, operand = unwrap(booking, value, "storing")
        plain = index_before(array, plain)
        if not booking.leaves(array):
            if isinstance(value, (list, tuple)):
                values = strip(value, [])  # taken into the elements' dtype, not into the list's own
            self._iterator[strip(index, [])] = values
        reads: list[Share] = [] if operand is None else [(operand, None)]
        view = None if indices else self._view(plain)
        if view is not None:
            kind = Kind.COPY if reads else Kind.CREATE
            written = booking.view(self.whole, view)
            booking.record("store", kind, reads, [(written, None)], NO_WORK)
            return
        reads += [(i, None) for i in indices]
        stored = selected_elements((array.size,), plain) * array.itemsize
        entry = booking.record("scatter", Kind.SCATTER, reads, [(self.whole, stored)], NO_WORK)
        self._note_mask(plain, entry.index)

    def __delitem__(self, index: Any) -> None:
        raise TypeError("Cannot delete iterator elements")

    @property
    def _booking(self) -> Any:
        return booking_of(self.whole)

    def _place(self, index: Any) -> tuple[Any, ...]:
        """Return the index into the whole array of the one element that ``index`` selects."""
        array = self._iterator.base
        position = np.arange(array.size).flat[index]
        return tuple(int(k) for k in np.unravel_index(position, array.shape))

    def _view(self, index: Any) -> Array | None:
        """Return the view that ``index`` selects; None where no view can show it."""
        array = self._iterator.base
        if type(index) is tuple and len(index) == 1:
            (index,) = index
        if type(index) is int or isinstance(index, np.integer):
            return basic_view(array, self._place(index))
        if type(index) is tuple:  # all of them
            index = Ellipsis
        if not array.flags.c_contiguous or not (type(index) is slice or index is Ellipsis):
            return None
        view: Array = array.reshape(-1)[index]
        return view

    def _note_mask(self, index: Any, entry: int) -> None:
        if has_mask(index):
            self._booking.ledger.data_dependent.add(entry)

    # ---- as an operand -----------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Run a ufunc on the elements as an array."""
        if any(isinstance(target, Elements) for target in kwargs.get("out", ())):
            raise TypeError("return arrays must be of ArrayType")
        return getattr(ufunc, method)(*_as_arrays(inputs), **_as_arrays(kwargs))

    def __array_function__(self, function: Any, types: Any, args: Args, kwargs: Kwargs) -> Any:
        """Run a NumPy function on the elements as an array."""
        return call_function(self._booking, function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        plain: Array = self.as_array().__array__(dtype, copy)
        return plain

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle 'numpy.flatiter' object")

    def __getstate__(self) -> None:
        """Return nothing, as NumPy's iterator does."""

    __lt__, __le__ = _comparison(operator.lt), _comparison(operator.le)
    __gt__, __ge__ = _comparison(operator.gt), _comparison(operator.ge)
    __eq__, __ne__ = _comparison(operator.eq), _comparison(operator.ne)


def store_flat(target: Traced, values: Any) -> None:
    """Do ``target.flat = values``: values are read once, however often they are written."""
    booking: Booking = booking_of(target)
    plain, operand = unwrap(booking, values, "storing")
    if isinstance(values, (list, tuple)):
        plain = strip(values, [])  # taken into the target's dtype, not into the list's own first
    if not booking.leaves(plain_of(target)):
        plain_of(target).flat = plain
    reads: list[Share] = [] if operand is None else [(operand, None)]
    kind = Kind.COPY if reads else Kind.CREATE
    booking.record("store", kind, reads, [(target, None)], NO_WORK)


def _as_arrays(value: Any) -> Any:
    """Put arrays for iterators in nested tuples, lists and dicts."""
    if isinstance(value, Elements):
        return value.as_array()
    if type(value) in (tuple, list):
        return type(value)(map(_as_arrays, value))
    if type(value) is dict:
        return {key: _as_arrays(item) for key, item in value.items()}
    return value
