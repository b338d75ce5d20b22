"""Traced arrays and scalars that behave, in the user's code, as NumPy's own.

Arrays stay wrappers, so that no library can reach their bytes unseen; to the user's ``isinstance``
they are ``numpy.ndarray``. Scalars are real NumPy scalars (``float64`` is a ``float`` that JSON,
pandas and C code take as it is) whose arithmetic is traced. A library that does something with
either gets plain values, and each time is an escape.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.traced import Traced, plain_of
from instrumented.errors import InstrumentError
from instrumented.rules.unwrap import strip
from instrumented.scalar import ScalarValues, TracedScalar
from instrumented.script.own import Whose
from instrumented.values import TracedValues

UNARY = "neg pos abs invert".split()
BINARY = """
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor
""".split()
COMPARISONS = "lt le gt ge eq ne".split()
IN_PLACE = [name for name in BINARY if name != "divmod"]


class ScriptArray(TracedArray):
    """A traced array that the user's code takes for NumPy's."""

    __slots__ = ()

    @property  # type: ignore[misc]  # read only, and not the truth: what isinstance asks for
    def __class__(self) -> Any:
        """``numpy.ndarray`` to the user's code, its own class to everybody else."""
        asked_by = self._booking.callers.asked_by(sys._getframe(1))
        return np.ndarray if asked_by is Whose.USER else ScriptArray

    # ---- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self._booking.look():
            return _plainly(getattr(ufunc, method), inputs, kwargs, f"a library: {ufunc.__name__}")
        try:
            return handed(TracedValues.__array_ufunc__(self, ufunc, method, *inputs, **kwargs))
        except InstrumentError:
            name = f"{ufunc.__name__}, which has no rule for this"
            return _plainly(getattr(ufunc, method), inputs, kwargs, name)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if self._booking.look():
            return _plainly(function, args, kwargs, f"a library: {function.__name__}")
        try:
            return handed(TracedValues.__array_function__(self, function, types, args, kwargs))
        except InstrumentError:
            name = f"{function.__name__}, which has no rule for this"
            return _plainly(function, args, kwargs, name)

    def __getitem__(self, index: Any) -> Any:
        if self._booking.look():
            return _let_out(self, "a library: indexing")[_stripped(index, "use as an index")]
        try:
            return handed(super().__getitem__(_index(index)))
        except InstrumentError:
            return _let_out(self, "indexing")[_stripped(index, "use as an index")]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._booking.look()
        try:
            super().__setitem__(_index(index), value)
        except InstrumentError:
            self._array[_stripped(index, "use as an index")] = _stripped(value, "storing")

    def __iter__(self) -> Iterator[Any]:
        if not self._array.ndim:
            return iter(self._array)  # raises as NumPy does
        return (self[row] for row in range(len(self._array)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __bytes__(self) -> bytes:
        return bytes(self._want_out("bytes()"))

    def __copy__(self) -> Any:
        return np.copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return np.copy(self)

    def __reduce__(self) -> Any:
        return self._want_out("pickling").__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._want_out("pickling").__reduce_ex__(protocol)

    # ---- what TracedArray does not have --------------------------------------------------

    def sort(self, axis: Any = -1, kind: Any = None, **kwargs: Any) -> None:
        """Sort in place: the elements are read and written back."""
        self[...] = np.sort(self, axis=axis, kind=kind, **kwargs)

    def partition(self, kth: Any, axis: Any = -1, **kwargs: Any) -> None:
        """Partition in place: the elements are read and written back."""
        self[...] = np.partition(self, kth, axis=axis, **kwargs)

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """Return the elements converted to another dtype; see numpy.ndarray.astype."""
        if self._booking.look():
            return _let_out(self, "a library: astype").astype(*args, **kwargs)
        return super().astype(*args, **kwargs)

    @property
    def flat(self) -> Any:
        """The elements as one axis."""
        self._booking.look()
        if self._array.flags.c_contiguous:
            return super().flat
        return _let_out(self, "flat of an array with gaps").flat

    @property
    def base(self) -> Any:
        """The array whose memory this one looks into, or None."""
        base = self._array.base
        return self._booking.wrap(base, self.role) if type(base) is np.ndarray else base

    def view(self, dtype: Any = None, type: Any = None) -> Any:  # noqa: A002 - NumPy's name
        """Return the same bytes under another dtype; as another class they leave."""
        self._booking.look()
        kind = type or dtype
        if (
            isinstance(kind, builtin_type)
            and issubclass(kind, np.ndarray)
            and kind is not np.ndarray
        ):
            return self._want_out("view()").view(kind)
        return super().view(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        """Give the array another shape over the same memory."""
        self._array.shape = shape
        self._layout = self._booking.layout_number(self._array, self.role)

    def resize(self, *shape: Any, refcheck: bool = True) -> None:
        """Change shape and size in place: the elements are read and written."""
        del refcheck  # others that look into this memory keep what they see
        wanted = shape[0] if len(shape) == 1 else shape
        grown = np.zeros(wanted, self._array.dtype)
        size = min(grown.size, self._array.size)
        grown.reshape(-1)[:size] = self._array.reshape(-1)[:size]
        made = self._booking.wrap_result(grown)
        self._booking.record("resize", Kind.COPY, [(self, None)], [(made, None)], NO_WORK)
        self._array, self._layout = grown, made._layout

    def __getattr__(self, name: str) -> Any:
        """Return what only NumPy's own array has; its values are then out of the trace."""
        if name.startswith("__"):
            asked_by = self._booking.callers.asked_by(sys._getframe(1))
            if name != "__array_interface__" or asked_by is not Whose.LIBRARY:
                raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        found = getattr(self._array, name)  # raises as NumPy does
        self._want_out(name)
        return found


ScriptArray.__name__ = "ndarray"  # as others' error messages name it

builtin_type = type


# ---- operators -------------------------------------------------------------------------


def _array_operator(name: str) -> Callable[..., Any]:
    """Make an operator: counted for the user, plain for a library."""
    counted = getattr(TracedArray, name)

    def method(self: ScriptArray, *others: Any) -> Any:
        if self._booking.look():
            plain = _let_out(self, "a library: arithmetic")
            return getattr(plain, name)(*_stripped(others, "a library: arithmetic"))
        if others and not _is_operand(others[0]):
            return NotImplemented
        try:
            return handed(counted(self, *others))
        except InstrumentError:
            plain = _let_out(self, f"{name}, which has no rule for this")
            return getattr(plain, name)(*_stripped(others, name))

    method.__name__ = name
    return method


def _is_operand(value: Any) -> bool:
    """Return whether NumPy would take the other side of an operator for an array."""
    deferred = getattr(type(value), "__array_ufunc__", True)
    return deferred is not None


for _name in (
    *(f"__{name}__" for name in (*UNARY, *BINARY, *COMPARISONS)),
    *(f"__r{name}__" for name in BINARY),
    *(f"__i{name}__" for name in IN_PLACE),
):
    if hasattr(TracedArray, _name):
        setattr(ScriptArray, _name, _array_operator(_name))


# ---- scalars ---------------------------------------------------------------------------


class ScriptScalar(ScalarValues):
    """What traced scalars of all kinds do that NumPy's own do not; never made by itself."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self._booking.look():
            return _plainly(getattr(ufunc, method), inputs, kwargs, f"a library: {ufunc.__name__}")
        try:
            return handed(TracedValues.__array_ufunc__(self, ufunc, method, *inputs, **kwargs))
        except InstrumentError:
            name = f"{ufunc.__name__}, which has no rule for this"
            return _plainly(getattr(ufunc, method), inputs, kwargs, name)

    __array_function__ = ScriptArray.__array_function__

    def _converted(self, plain: Any, name: str) -> Any:
        if self._booking.look():
            return _let_out(self, f"a library: {name}") if name == "copy" else plain
        return handed(super()._converted(plain, name))

    def __reduce__(self) -> Any:
        return self._want_out("pickling").__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._want_out("pickling").__reduce_ex__(protocol)


SLOTS = ("_array", "_booking", "_layout", "_memory")
NOT_TAKEN = ("__slots__", "__dict__", "__weakref__", "__doc__", "__module__", "__getattr__")


@functools.cache
def scalar_class(kind: type) -> Any:
    """Return the traced class of a kind of NumPy scalar: a subclass of it."""

    def make(cls: Any, booking: Any, plain: Any, layout: int) -> Any:
        made: Any = kind.__new__(cls, plain)
        made._booking, made._array, made._layout = booking, plain, layout
        return made

    # NumPy finds the type of elements by the first base alone, so that must be its own; what
    # traced scalars do is therefore given to the class itself, ahead of its bases
    members: dict[str, Any] = {}
    for base in reversed(ScriptScalar.__mro__[:-1]):
        members |= {name: found for name, found in vars(base).items() if name not in NOT_TAKEN}
    members |= {"__slots__": SLOTS, "__new__": make, "__init__": lambda *_: None}
    return type(kind.__name__, (kind, ScriptScalar), {**members, "__module__": "numpy"})


def scalar_of(booking: Any, plain: Any, layout: int) -> Any:
    """Trace a NumPy scalar; a truth value, which cannot be subclassed, as a wrapper."""
    kind: Any = type(plain)
    if kind.__module__ == "numpy" and issubclass(kind, np.number):
        return scalar_class(kind)(booking, plain, layout)
    return TracedScalar(booking, plain, layout)


def plain_kind(value: Any) -> type:
    """Return the type that NumPy gives a value which is traced here."""
    return np.ndarray if isinstance(value, ScriptArray) else type(plain_of(value))


def _scalar_operator(name: str) -> Callable[..., Any]:
    counted = getattr(ScalarValues, name)

    def method(self: Any, *others: Any) -> Any:
        if self._booking.look():
            plain = _let_out(self, "a library: arithmetic")
            return getattr(plain, name)(*_stripped(others, "a library: arithmetic"))
        if others and not isinstance(others[0], (Traced, np.ndarray, *NUMBERS)):
            return getattr(self._array, name)(*others)
        try:
            return handed(counted(self, *others))
        except InstrumentError:
            plain = _let_out(self, f"{name}, which has no rule for this")
            return getattr(plain, name)(*_stripped(others, name))

    method.__name__ = name
    return method


NUMBERS = (bool, int, float, complex, np.generic)

for _name in (
    *(f"__{name}__" for name in (*UNARY, *BINARY, *COMPARISONS)),
    *(f"__r{name}__" for name in BINARY),
):
    if hasattr(ScalarValues, _name):
        setattr(ScriptScalar, _name, _scalar_operator(_name))


# ---- ways out --------------------------------------------------------------------------


def handed(answer: Any) -> Any:
    """Give the user what NumPy gives; a truth value without axes is a plain one and leaves."""
    kind = type(answer)
    if kind is TracedScalar:
        return _let_out(answer, "a truth value")
    if kind is tuple or kind is list:
        return kind(handed(item) for item in answer)
    return answer


def _let_out(value: Any, how: str) -> Any:
    return value._booking.let_out(value, how)


def _index(index: Any) -> Any:
    """Return an index whose traced scalars have left: they are Python's to use."""
    if isinstance(index, ScalarValues):
        return _let_out(index, "use as an index")
    if type(index) is tuple:
        return tuple(_index(part) for part in index)
    if type(index) is slice:
        return slice(_index(index.start), _index(index.stop), _index(index.step))
    return index


def _stripped(value: Any, how: str) -> Any:
    inside: list[Traced] = []
    plain = strip(value, inside)
    for operand in inside:
        _let_out(operand, how)
    return plain


def _plainly(function: Callable[..., Any], args: Any, kwargs: Any, how: str) -> Any:
    """Run on plain values, each of them an escape."""
    return function(*_stripped(args, how), **_stripped(kwargs, how))
