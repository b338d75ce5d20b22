"""Traced scalars that behave, in the user's code, as NumPy's own.

They are NumPy scalars (``float64`` is a ``float`` that JSON, pandas and C code take as it is) whose
arithmetic is traced. A library that does something with one gets plain values: an escape.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.traced import Traced, plain_of
from instrumented.scalar import (
    LEFT_BY_ATTRIBUTE,
    LEFT_BY_METHOD,
    ScalarValues,
    TracedScalar,
    leaving_method,
)
from instrumented.script.leaving import (
    AGAIN,
    handed,
    let_out,
    operator_without_rule,
    stripped,
)
from instrumented.script.script_arrays import BINARY, COMPARISONS, UNARY, ScriptArray


class ScriptScalar(ScalarValues):
    """What traced scalars of all kinds do that NumPy's own do not; never made by itself."""

    __slots__ = ()

    __array_ufunc__ = ScriptArray.__array_ufunc__
    __array_function__ = ScriptArray.__array_function__

    def _converted(self, plain: Any, name: str) -> Any:
        if self._booking.look():
            return let_out(self, f"a library: {name}") if name == "copy" else plain
        return handed(super()._converted(plain, name))

    def __reduce__(self) -> Any:
        return self._want_out("pickling").__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._want_out("pickling").__reduce_ex__(protocol)


TRACED_SCALARS = frozenset(
    kind
    for kind in np.sctypeDict.values()
    if issubclass(kind, np.number) and np.dtype(kind).kind in "iufc"
)
SLOTS = ("_array", "_booking", "_layout", "_memory")
NOT_TAKEN = ("__slots__", "__dict__", "__weakref__", "__doc__", "__module__", "__getattr__")


ATTRIBUTES = LEFT_BY_ATTRIBUTE | {"__array_interface__", "__array_struct__"}
METHODS = LEFT_BY_METHOD | {"__ceil__", "__floor__", "__getnewargs__", "__trunc__"}
"""What NumPy's numbers inherit in C, with their value in it."""


class _Absent:
    """An attribute that traced values have and NumPy's numbers have not."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        named = type(owner._array).__name__
        raise AttributeError(f"'numpy.{named}' object has no attribute '{self._name}'")


def _leaving_attribute(name: str) -> Any:
    return property(lambda self: getattr(self._want_out(name), name))


@functools.cache
def scalar_class(kind: type) -> Any:
    """Return the traced class of a kind of NumPy scalar: a subclass of it."""
    # NumPy finds the type of elements by the first base alone, so that must be its own; what
    # traced scalars do is therefore given to the class itself, ahead of its bases
    members: dict[str, Any] = {}
    for base in reversed(ScriptScalar.__mro__[:-1]):
        members |= {name: found for name, found in vars(base).items() if name not in NOT_TAKEN}
    members |= {"__slots__": SLOTS}
    del members["__init__"]
    members["__new__"] = lambda _, *args, **kwargs: kind(*args, **kwargs)  # ``type(x)(3)``: plain
    if hasattr(kind, "__index__"):
        members["__index__"] = TracedScalar.__index__
    members |= {name: _Absent(name) for name in ("role", "escape")}
    members |= {name: _leaving_attribute(name) for name in ATTRIBUTES if hasattr(kind, name)}
    members |= {name: leaving_method(name) for name in METHODS if hasattr(kind, name)}
    members |= {"__module__": "numpy", "__class__": property(lambda _: kind)}
    made = type(f"numpy.{kind.__name__}", (kind, ScriptScalar), members)  # so errors name it
    made.__qualname__ = kind.__name__
    return made


@functools.cache
def _maker(kind: Any) -> Callable[[Any, Any, int], Any]:
    """Return what traces scalars of a kind."""
    if kind not in TRACED_SCALARS:
        return TracedScalar
    new, traced = kind.__new__, scalar_class(kind)

    def make(booking: Any, plain: Any, layout: int) -> Any:
        made: Any = new(traced, plain)
        made._booking = booking
        made._array = plain
        made._layout = layout
        return made

    return make


def scalar_of(booking: Any, plain: Any, layout: int) -> Any:
    """Trace a NumPy scalar; a truth value, which cannot be subclassed, as a wrapper."""
    kind: Any = type(plain)
    return _maker(kind)(booking, plain, layout)


def plain_kind(value: Any) -> type:
    """Return the type that NumPy gives a value which is traced here."""
    return np.ndarray if isinstance(value, ScriptArray) else type(plain_of(value))


NUMBERS = (bool, int, float, complex, np.generic)
OPERANDS = (Traced, np.ndarray, *NUMBERS)
KINDS = {np.ndarray, *NUMBERS, *np.sctypeDict.values()}
"""Types of numbers that are nobody's own."""


REFLECTED = {f"__{name}__": f"__r{name}__" for name in BINARY}
REFLECTED |= {"__lt__": "__gt__", "__le__": "__ge__", "__gt__": "__lt__", "__ge__": "__le__"}
"""What Python calls of the right operand, for each operator of the left."""


def _with_object(number: Any, name: str, other: Any) -> Any:
    """Apply an operator of a number to what is none: a list, a fraction, an object."""
    if other is None or isinstance(other, str | bytes):
        return getattr(number._array, name)(other)  # types alone decide
    told = f"{name.strip('_')} with {type(other).__name__}"
    return operator_without_rule(name, number, other, told=told)


def _goes_first(right: type, left: type, name: str) -> bool:
    """Return whether Python asks the right operand first: of a subclass with its own operator."""
    reflected = REFLECTED.get(name)
    if reflected is None or issubclass(right, Traced) or not issubclass(right, left):
        return False
    return getattr(right, reflected) is not getattr(left, reflected)


def _scalar_operator(name: str, *, decides: bool) -> Callable[..., Any]:
    """Make an operator; one that ``decides`` answers with a truth value, which leaves."""
    counted = getattr(ScalarValues, name)

    def method(self: Any, *others: Any) -> Any:
        if self._booking.look():
            plain = let_out(self, "a library: arithmetic")
            return getattr(plain, name)(*stripped(others, "a library: arithmetic"))
        if others and type(others[0]) not in KINDS:
            if not isinstance(others[0], OPERANDS):
                return _with_object(self, name, others[0])
            if _goes_first(type(others[0]), type(self._array), name):
                return NotImplemented
        try:
            answer = counted(self, *others)
        except AGAIN:
            pass
        else:
            return handed(answer) if decides or type(answer) is tuple else answer
        return operator_without_rule(name, self, *others)

    method.__name__ = name
    return method


for _name in (
    *(f"__{name}__" for name in (*UNARY, *BINARY, *COMPARISONS)),
    *(f"__r{name}__" for name in BINARY),
):
    if hasattr(ScalarValues, _name):
        _decides = _name.strip("_") in COMPARISONS
        setattr(ScriptScalar, _name, _scalar_operator(_name, decides=_decides))
