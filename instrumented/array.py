"""A NumPy array that writes down every byte it moves."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.traced import SLOTS, TEXTS, traced
from instrumented.errors import UncountedOperationError
from instrumented.flat import TracedFlat, store_flat
from instrumented.rules.functions import change_in_place
from instrumented.rules.indexing import (
    convert,
    flatten,
    read_item,
    refuse_swaps_in_c,
    reinterpret,
    store_item,
)
from instrumented.rules.ufuncs import equality, meet_object, power, run_ufunc
from instrumented.rules.unwrap import NUMBERS, let_settings_out, strip
from instrumented.values import TracedValues


def _forward(ufunc: np.ufunc) -> Any:
    """Make an operator; in a known place, on operands of known layouts, it only counts."""

    def method(self: TracedArray, other: Any) -> Any:
        booking = self._booking
        kind = type(other)
        if kind is type(self) and other._booking is booking:
            known = booking.shortcuts.get((booking.place, ufunc, self._layout, other._layout))
            if known is not None:
                return _counted(booking, known, ufunc(self._array, other._array), self, other)
            return _first(ufunc, (self, other), self._layout, other._layout)
        if kind in NUMBERS:
            known = booking.shortcuts.get((booking.place, ufunc, self._layout, kind))
            if known is not None:
                return _counted(booking, known, ufunc(self._array, other), self)
            return _first(ufunc, (self, other), self._layout, kind)
        return meet_object(ufunc, self, other)

    return method


def _backward(ufunc: np.ufunc) -> Any:
    """Make the operator of a constant and an array, in this order."""

    def method(self: TracedArray, other: Any) -> Any:
        booking = self._booking
        kind = type(other)
        if kind in NUMBERS:
            known = booking.shortcuts.get((booking.place, ufunc, kind, self._layout))
            if known is not None:
                return _counted(booking, known, ufunc(other, self._array), self)
            return _first(ufunc, (other, self), kind, self._layout)
        return ufunc(other, self)

    return method


def _in_place(ufunc: np.ufunc) -> Any:
    """Make the operator that writes its result into its first operand."""

    def method(self: TracedArray, other: Any) -> Any:
        booking = self._booking
        kind = type(other)
        if kind is type(self) and other._booking is booking:
            part, right = other._layout, other._array
        elif kind in NUMBERS:
            part, right = kind, other
        else:
            return ufunc(self, other, out=(self,))
        key = (booking.place, ufunc, "out", self._layout, part)
        known = booking.shortcuts.get(key)
        if known is None:
            _, entry, axes = run_ufunc(booking, ufunc, "__call__", (self, other), {"out": (self,)})
            booking.remember(key, (entry, axes))
            return self
        if booking.computes_up_to is None or not booking.leaves(self._array):
            ufunc(self._array, right, out=self._array)
        entry, axes = known
        if booking.recorder is None:
            entry.calls += 1
            if booking.program is not None:
                booking.program.append(entry.index)
        else:
            operands = (self, other) if isinstance(other, TracedArray) else (self,)
            booking.count(entry, operands, [self], axes)
        return self

    return method


def _alone(ufunc: np.ufunc) -> Any:
    def method(self: TracedArray) -> Any:
        booking = self._booking
        known = booking.shortcuts.get((booking.place, ufunc, self._layout))
        if known is not None:
            return _counted(booking, known, ufunc(self._array), self)
        return _first(ufunc, (self,), self._layout)

    return method


def _counted(booking: Booking, known: Any, values: Any, *operands: TracedArray) -> Any:
    """Count one more call of a known operation and trace its result."""
    entry, layout, axes = known
    result = traced(booking, values, layout)
    if booking.recorder is None:
        entry.calls += 1
        if booking.program is not None:
            booking.program.append(entry.index)
    else:
        booking.count(entry, operands, [result], axes)
    return result


def _first(ufunc: np.ufunc, operands: tuple[Any, ...], *layouts: Any) -> Any:
    """Run an operator as its ufunc and remember what it did."""
    booking = next(value for value in operands if isinstance(value, TracedArray))._booking
    result, entry, axes = run_ufunc(booking, ufunc, "__call__", operands, {})
    if type(result._array) not in TEXTS:
        booking.remember((booking.place, ufunc, *layouts), (entry, result._layout, axes))
    return result


def _in_place_product() -> Any:
    """Make ``@=``, which takes no vector: `matmul` would write its product into all rows."""
    multiply = _in_place(np.matmul)

    def method(self: TracedArray, other: Any) -> Any:
        if not self._array.ndim or np.ndim(other) < 2:
            plain: Any = self._array
            plain @= strip(other, [])  # raises as NumPy does
        return multiply(self, other)

    return method


class TracedArray(TracedValues):
    """Wraps a NumPy array and counts, in its :class:`instrumented.Trace`, whatever is done with it.

    Behaves like the array (operators, ufuncs, NumPy functions, indexing, the usual methods)
    and gives the same values bit for bit, but its results are traced too: arrays, or
    :class:`instrumented.TracedScalar` where NumPy makes a scalar (``x[0]``, ``x.sum()``). Views
    share memory as in NumPy. Values come out through :meth:`escape` alone, unless the trace
    records escapes. Made by ``trace.array(…)``, ``trace.made(…)`` and by operations, never
    directly.
    """

    __slots__ = SLOTS

    # ---- operators ---------------------------------------------------------------------

    __add__, __radd__, __iadd__ = _forward(np.add), _backward(np.add), _in_place(np.add)
    __sub__, __rsub__ = _forward(np.subtract), _backward(np.subtract)
    __isub__ = _in_place(np.subtract)
    __mul__, __rmul__ = _forward(np.multiply), _backward(np.multiply)
    __imul__ = _in_place(np.multiply)
    __matmul__, __rmatmul__ = _forward(np.matmul), _backward(np.matmul)
    __imatmul__ = _in_place_product()
    __truediv__, __rtruediv__ = _forward(np.divide), _backward(np.divide)
    __itruediv__ = _in_place(np.divide)
    __floordiv__, __rfloordiv__ = _forward(np.floor_divide), _backward(np.floor_divide)
    __ifloordiv__ = _in_place(np.floor_divide)
    __mod__, __rmod__ = _forward(np.remainder), _backward(np.remainder)
    __imod__ = _in_place(np.remainder)
    __lshift__, __rlshift__ = _forward(np.left_shift), _backward(np.left_shift)
    __ilshift__ = _in_place(np.left_shift)
    __rshift__, __rrshift__ = _forward(np.right_shift), _backward(np.right_shift)
    __irshift__ = _in_place(np.right_shift)
    __and__, __rand__ = _forward(np.bitwise_and), _backward(np.bitwise_and)
    __iand__ = _in_place(np.bitwise_and)
    __or__, __ror__ = _forward(np.bitwise_or), _backward(np.bitwise_or)
    __ior__ = _in_place(np.bitwise_or)
    __xor__, __rxor__ = _forward(np.bitwise_xor), _backward(np.bitwise_xor)
    __ixor__ = _in_place(np.bitwise_xor)
    __lt__, __le__, __gt__ = _forward(np.less), _forward(np.less_equal), _forward(np.greater)
    __ge__ = _forward(np.greater_equal)
    __eq__ = equality(_forward(np.equal), np.equal, operator.eq)
    __ne__ = equality(_forward(np.not_equal), np.not_equal, operator.ne)
    __neg__, __pos__ = _alone(np.negative), _alone(np.positive)
    __abs__, __invert__ = _alone(np.absolute), _alone(np.invert)
    __hash__ = None  # type: ignore[assignment]  # as NumPy's arrays

    def __divmod__(self, other: Any) -> Any:
        return np.divmod(self, other)

    def __rdivmod__(self, other: Any) -> Any:
        return np.divmod(other, self)

    def __pow__(self, exponent: Any, modulus: None = None) -> Any:
        return power(self, exponent, None) if modulus is None else NotImplemented

    def __rpow__(self, base: Any) -> Any:
        return np.power(base, self)

    def __ipow__(self, exponent: Any, modulus: None = None) -> Any:
        return power(self, exponent, self)

    # ---- elements ----------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Any:
        return read_item(self._booking, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if (
            type(value) is TracedArray
            and value is not self
            and value._array.base is not None  # else its memory is its own
            and np.may_share_memory(self._array, value._array)
        ):
            refuse_swaps_in_c(sys._getframe(1))
        store_item(self._booking, self, index, value)

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __index__(self) -> int:
        if self._array.ndim or self._array.dtype.kind not in "iu":
            return operator.index(self._array)  # raises as NumPy does; no value has left
        return operator.index(self._want_out("use as an index"))

    def __len__(self) -> int:
        return len(self._array)

    def __contains__(self, value: Any) -> bool:
        if self._booking.refuses_escapes:
            self._want_out("the in operator")
        return bool(np.any(self == value))

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        if isinstance(value, (list, tuple)) or (hasattr(value, "shape") and value.shape):
            self._array.fill(strip(value, []))  # raises as NumPy does
        self[...] = value

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """Store values at flat positions; see numpy.put."""
        target: Any = self
        np.put(target, indices, values, mode)

    @property
    def flat(self) -> Any:
        """An iterator over the elements in C order, which takes indices too."""
        return TracedFlat(self)

    @flat.setter
    def flat(self, values: Any) -> None:
        """Write values, over and over, to the elements in order."""
        store_flat(self, values)

    @property
    def real(self) -> Any:
        """The real part: a view of a complex array, else the array itself."""
        return self._call(np.real) if self._array.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        """The imaginary part: a view of a complex array."""
        return self._call(np.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self._array.dtype.kind != "c":
            self._array.imag = 0  # raises as NumPy does
        self.imag[...] = value

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; another shape over the same memory may be assigned."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        plain = let_settings_out(shape, "numpy.ndarray.shape")
        view = self._array.view()
        view.shape = plain  # raises where NumPy would have to copy
        self._layout = self._booking.layout_number(view, self.role)
        self._array = view

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place; see numpy.ndarray.sort."""
        change_in_place(self._booking, self, "sort", args, kwargs)

    def dot(self, other: Any, out: Any = None) -> Any:
        """Dot product; see numpy.dot."""
        return self._call(np.dot, other) if out is None else self._call(np.dot, other, out=out)

    def argpartition(self, *args: Any, **kwargs: Any) -> Any:
        """Order of the elements around some positions; see numpy.argpartition."""
        return self._call(np.argpartition, *args, **kwargs)

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place; see numpy.ndarray.partition."""
        change_in_place(self._booking, self, "partition", args, kwargs)

    # ---- views -------------------------------------------------------------------------

    @property
    def mT(self) -> Any:  # noqa: N802 - NumPy's own name
        """The view with the last two axes exchanged."""
        if self._array.ndim < 2:
            return self._array.mT  # raises as NumPy does
        return np.matrix_transpose(self)

    def view(self, dtype: Any = np._NoValue, type: Any = None) -> Any:  # noqa: A002 - NumPy's own name
        """Return the same bytes, under another dtype if one is given; None is float64."""
        if type is not None:
            raise UncountedOperationError("views of an array as a subclass are not counted")
        return reinterpret(self._booking, self, dtype)

    # ---- copies ------------------------------------------------------------------------

    def copy(self, order: Any = "C") -> Any:
        """Return a copy."""
        return self._call(np.copy, order=order)

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy of one axis."""
        return flatten(self._booking, self, order)

    def __copy__(self) -> Any:
        return self.copy("K")  # as NumPy: the order in memory stays

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy("K")

    def astype(
        self,
        dtype: Any,
        order: Any = "K",
        casting: Any = "unsafe",
        subok: bool = True,
        copy: bool = True,
    ) -> Any:
        """Return the elements converted to another dtype; see numpy.ndarray.astype."""
        return convert(self._booking, self, dtype, order, casting, copy)
