"""A NumPy scalar that writes down every byte it moves."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.ledger import Entry
from instrumented.books.traced import SLOTS, Traced, booking_of, layout_of, plain_of
from instrumented.rules.indexing import read_scalar
from instrumented.rules.ufunc_work import element_work
from instrumented.rules.ufuncs import equality, meet_object
from instrumented.rules.unwrap import IMMEDIATES, NUMBERS
from instrumented.values import TracedValues

_TEXT = frozenset((str, bytes))
_ON_TEXT = "arithmetic on text"

LEFT_BY_ATTRIBUTE = frozenset("data denominator flat numerator".split())
LEFT_BY_METHOD = frozenset(
    "as_integer_ratio bit_count byteswap dumps getfield hex is_integer to_device".split()
)
"""What NumPy's numbers inherit in C, with their value in it."""

LEAVE_NOTHING = frozenset("base device fill put resize setfield setflags sort".split())
"""What they inherit from arrays, though they cannot be changed."""


def leaving_method(name: str) -> Callable[..., Any]:
    """Make a method of NumPy's that answers with the value, which leaves."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._want_out(f"{name}()"), name)(*args, **kwargs)

    method.__name__ = name
    return method


def _run_operator(
    booking: Booking, function: Callable[..., Any], ufunc: np.ufunc | str, *operands: Any
) -> tuple[Any, Entry | None]:
    """Run an operator on scalars, traced ones and constants; return its answer and its entry.

    ``ufunc`` names the operation: a ufunc with its arithmetic, or a conversion by name. There is
    no entry where the answer is text, for which the operands leave.
    """
    traced = [value for value in operands if isinstance(value, Traced)]
    for value in traced:
        if booking_of(value) is not booking:
            booking.admit(value, str(ufunc))
    plain = [plain_of(value) if isinstance(value, Traced) else value for value in operands]
    answer = function(*plain)
    if not isinstance(answer, np.generic | np.ndarray | tuple):
        for value in traced:
            booking.want_out(value, _ON_TEXT if type(answer) in _TEXT else "Python's own object")
        return answer, None
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


def _again(
    booking: Booking,
    key: tuple[Any, ...],
    function: Callable[..., Any],
    ufunc: np.ufunc,
    operands: tuple[Any, ...],
    plain: tuple[Any, ...],
) -> Any:
    """Run an operator whose result is of the layout that it was of before, under the same key."""
    known = booking.shortcuts.get(key)
    if known is None or booking.recorder is not None:
        result, entry = _run_operator(booking, function, ufunc, *operands)
        if isinstance(result, Traced):
            booking.remember(key, (entry, result._layout))
        return result
    entry, layout = known
    values = function(*plain)
    entry.calls += 1
    if booking.program is not None:
        booking.program.append(entry.index)
    return booking.scalar_type(booking, values, layout)


def _forward(ufunc: np.ufunc, function: Callable[[Any, Any], Any]) -> Any:
    def method(self: ScalarValues, other: Any) -> Any:
        booking = self._booking
        kind = type(other)
        if kind in NUMBERS:
            part: Any = kind
            right = other
        elif isinstance(other, ScalarValues) and other._booking is booking:
            part, right = other._layout, other._array
        elif kind in _TEXT:
            return function(self._want_out(_ON_TEXT), other)
        elif kind in IMMEDIATES:
            return _run_operator(booking, function, ufunc, self, other)[0]
        else:
            return meet_object(ufunc, self, other)
        key = (booking.place, ufunc, "pair", self._layout, part)
        return _again(booking, key, function, ufunc, (self, other), (self._array, right))

    return method


def _backward(ufunc: np.ufunc, function: Callable[[Any, Any], Any]) -> Any:
    def method(self: ScalarValues, other: Any) -> Any:
        booking = self._booking
        kind = type(other)
        if kind in NUMBERS:
            key = (booking.place, ufunc, "pair", kind, self._layout)
            return _again(booking, key, function, ufunc, (other, self), (other, self._array))
        if kind in IMMEDIATES:
            return _run_operator(booking, function, ufunc, other, self)[0]
        if kind in _TEXT:
            return function(other, self._want_out(_ON_TEXT))
        return ufunc(other, self)

    return method


def _alone(ufunc: np.ufunc, function: Callable[[Any], Any]) -> Any:
    def method(self: ScalarValues) -> Any:
        booking = self._booking
        key = (booking.place, ufunc, "alone", self._layout)
        return _again(booking, key, function, ufunc, (self,), (self._array,))

    return method


def _repeating(multiply: Callable[[Any, Any], Any]) -> Any:
    """Make the product of a scalar, which of a whole number and a sequence repeats the sequence."""

    def method(self: ScalarValues, other: Any) -> Any:
        if type(other) in (list, tuple, str, bytes):
            if self._array.dtype.kind in "iub":
                return other * operator.index(self._want_out("use as an index"))
            return self._array * other  # raises as NumPy does
        return multiply(self, other)

    return method


def _to_the_power() -> Any:
    raise_to = _forward(np.power, operator.pow)

    def method(self: ScalarValues, exponent: Any, modulus: Any = None) -> Any:
        return raise_to(self, exponent) if modulus is None else NotImplemented

    return method


def _rebinding(compute: Any, function: Callable[[Any, Any], Any]) -> Any:
    """Make an operator that binds a name anew; NumPy's error, of complex numbers, names itself."""

    def method(self: ScalarValues, other: Any) -> Any:
        if self._array.dtype.kind == "c" and type(other) in NUMBERS:
            return function(self._array, other)  # raises as NumPy does
        return compute(self, other)

    return method


class ScalarValues(TracedValues):
    """What traced scalars do, whatever class holds them."""

    __slots__ = ()

    __add__, __radd__ = _forward(np.add, operator.add), _backward(np.add, operator.add)
    __sub__, __rsub__ = _forward(np.subtract, operator.sub), _backward(np.subtract, operator.sub)
    __mul__ = _repeating(_forward(np.multiply, operator.mul))
    __rmul__ = _repeating(_backward(np.multiply, operator.mul))
    __truediv__ = _forward(np.divide, operator.truediv)
    __rtruediv__ = _backward(np.divide, operator.truediv)
    __floordiv__ = _forward(np.floor_divide, operator.floordiv)
    __rfloordiv__ = _backward(np.floor_divide, operator.floordiv)
    __mod__, __rmod__ = _forward(np.remainder, operator.mod), _backward(np.remainder, operator.mod)
    __divmod__, __rdivmod__ = _forward(np.divmod, divmod), _backward(np.divmod, divmod)
    __ifloordiv__ = _rebinding(__floordiv__, operator.ifloordiv)
    __imod__ = _rebinding(__mod__, operator.imod)
    __pow__, __rpow__ = _to_the_power(), _backward(np.power, operator.pow)
    __lshift__ = _forward(np.left_shift, operator.lshift)
    __rlshift__ = _backward(np.left_shift, operator.lshift)
    __rshift__ = _forward(np.right_shift, operator.rshift)
    __rrshift__ = _backward(np.right_shift, operator.rshift)
    __and__ = _forward(np.bitwise_and, operator.and_)
    __rand__ = _backward(np.bitwise_and, operator.and_)
    __or__, __ror__ = (
        _forward(np.bitwise_or, operator.or_),
        _backward(np.bitwise_or, operator.or_),
    )
    __xor__ = _forward(np.bitwise_xor, operator.xor)
    __rxor__ = _backward(np.bitwise_xor, operator.xor)
    __lt__, __le__ = _forward(np.less, operator.lt), _forward(np.less_equal, operator.le)
    __gt__, __ge__ = _forward(np.greater, operator.gt), _forward(np.greater_equal, operator.ge)
    __eq__ = equality(_forward(np.equal, operator.eq), np.equal, operator.eq)
    __ne__ = equality(_forward(np.not_equal, operator.ne), np.not_equal, operator.ne)
    __neg__, __pos__ = _alone(np.negative, operator.neg), _alone(np.positive, operator.pos)
    __abs__, __invert__ = _alone(np.absolute, abs), _alone(np.invert, operator.invert)

    def __hash__(self) -> int:
        return hash(self._want_out("hashing"))

    def __round__(self, digits: Any = None) -> Any:
        if not hasattr(self._array, "__round__"):
            return round(self._array, digits)  # raises as NumPy does: of complex numbers
        if digits is None:
            return round(self._want_out("round()"))
        return np.round(self, digits)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the value converted to another dtype."""
        return self._converted(self._array.astype(dtype, *args, **kwargs), "astype")

    def copy(self, order: Any = "C") -> Any:
        """Return a copy of the value."""
        return self._converted(self._array.copy(order), "copy")

    def flatten(self, order: Any = "C") -> Any:
        """Return an array with one element."""
        return self._converted(self._array.flatten(order), "copy")

    def view(self, *dtype: Any) -> Any:
        """Return the same bytes under another dtype."""
        return self._converted(self._array.view(*dtype), "view")

    def _converted(self, plain: Any, name: str) -> Any:
        return _run_operator(self._booking, lambda _: plain, name, self)[0]

    def __copy__(self) -> Traced:
        return self

    def __deepcopy__(self, memo: Any) -> Traced:
        return self


class TracedScalar(ScalarValues):
    """A value without axes that an operation made: a sum, an element taken out, a mean.

    As NumPy's scalars it cannot be changed: ``s += x`` makes a new scalar and binds it to
    ``s``. Arithmetic between scalars is NumPy's scalar arithmetic, bit for bit. Counted like an
    array of one element: itemsize read wherever it is an operand, itemsize written where it is
    made.
    """

    __slots__ = SLOTS

    __iter__ = None  # as NumPy's scalars, which are no sequences

    def __getitem__(self, index: Any) -> Any:
        return read_scalar(self._booking, self, index)

    def __trunc__(self) -> int:
        has_none = not hasattr(self._array, "__trunc__")  # then it raises as NumPy does
        whole: int = math.trunc(self._array if has_none else self._want_out("__trunc__()"))
        return whole

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu":
            return operator.index(self._array)  # raises as NumPy does; no value has left
        return operator.index(self._want_out("use as an index"))


class _NumpysOwn:
    """What else NumPy's own numbers have; where their value is in it, that leaves."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, owner: TracedScalar | None, kind: Any = None) -> Any:
        if owner is None:
            return self
        name = self._name
        found = getattr(owner._array, name)  # raises as NumPy does: not all kinds have all
        if name in LEFT_BY_METHOD:
            return partial(leaving_method(name), owner)
        if name in LEFT_BY_ATTRIBUTE:
            return getattr(owner._want_out(name), name)
        return (lambda *args, **kwargs: found(*args, **kwargs)) if callable(found) else found


for _name in LEFT_BY_METHOD | LEFT_BY_ATTRIBUTE | LEAVE_NOTHING:  # `__getattr__` costs all others
    setattr(TracedScalar, _name, _NumpysOwn(_name))
