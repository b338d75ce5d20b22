"""Traced arrays that behave, in the user's code, as NumPy's own.

They stay wrappers, so that no library can reach their bytes unseen; to the user's ``isinstance``
they are ``numpy.ndarray``. A library that does something with one gets plain values, and each time
is an escape. What fails on traced values is run again on plain ones, so that errors are NumPy's.
"""

from __future__ import annotations

import builtins
import functools
import operator
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from typing import Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.errors import InstrumentError
from instrumented.flat import store_flat
from instrumented.rules.indexing import store_item
from instrumented.rules.known import METHODS, call_function
from instrumented.rules.traffic_rules import Args, Kwargs
from instrumented.rules.unwrap import IMMEDIATES, strip
from instrumented.script.leaving import (
    AGAIN,
    TRACED_KINDS,
    again,
    answered,
    array_of,
    counted_ufunc,
    defers,
    handed,
    index_of,
    is_array_like,
    is_free,
    let_out,
    operator_without_rule,
    plainly,
    ran_plainly,
    settled,
    stripped,
    taken_out,
    without_rule,
)
from instrumented.script.own import Whose
from instrumented.script.script_flat import ScriptFlat

UNARY = "neg pos abs invert".split()
BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor".split()
COMPARISONS = "lt le gt ge eq ne".split()
IN_PLACE = [name for name in BINARY if name != "divmod"]

SHOWN_TO_ALL = frozenset(
    """
    __array_interface__ __array_namespace__ __array_struct__ __array_wrap__ __dlpack__
    __dlpack_device__
    """.split()
)
"""Attributes of NumPy's arrays that look like Python's own but hold values."""


def owned(answer: Any, args: Args) -> Any:
    """Return what a function answered; a view of an argument knows whose memory it looks into."""
    if type(answer) is ScriptArray:
        if answer._array.base is not None and args and type(args[0]) is ScriptArray:
            look_into(answer, args[0])
    elif (type(answer) is list or type(answer) is tuple) and args:
        for item in answer:
            owned(item, args)
    return answer


def look_into(view: Any, source: Any) -> None:
    """Note whose memory a view looks into: its source's, or that which its source looks into."""
    if view is not source:
        is_owner = view._array.base is source._array
        view._owner = source if is_owner else getattr(source, "_owner", None)


class ScriptArray(TracedArray):
    """A traced array that the user's code takes for NumPy's."""

    __slots__ = ("__weakref__", "_owner")
    __doc__ = np.ndarray.__doc__
    __array_priority__ = 0.0

    @property  # type: ignore[misc]  # read only, and not the truth: what isinstance asks for
    def __class__(self) -> Any:
        """``numpy.ndarray`` to the user's code and the standard library, its own to others."""
        asked_by = self._booking.callers.asked_by(sys._getframe(1))
        return ScriptArray if asked_by is Whose.LIBRARY or asked_by is Whose.BETWEEN else np.ndarray

    # ---- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self._booking.look():
            return plainly(getattr(ufunc, method), inputs, kwargs, f"a library: {ufunc.__name__}")
        return counted_ufunc(self, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Args, kwargs: Kwargs) -> Any:
        booking = self._booking
        if booking.look() and not is_free(function):
            return plainly(function, args, kwargs, f"a library: {function.__name__}")
        try:
            answer = call_function(booking, function, args, kwargs, by_method=not types)
            return owned(answered(function, answer), args)
        except AGAIN as error:
            if not again(function, error):
                raise
            args, kwargs = settled(function, error, args, kwargs)
        if not types and type(self) is ScriptArray:
            function = METHODS.get(function, function)  # whose errors name the method
        return without_rule(function, function.__name__, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        if self._booking.look():
            return taken_out(self, self._array, index, "a library: indexing")
        index = index_of(index)
        try:
            return handed(super().__getitem__(index))
        except AGAIN:
            pass
        return taken_out(self, self._array, index, "indexing")

    def __setitem__(self, index: Any, value: Any) -> None:
        self._booking.look()
        index = index_of(index)
        try:
            store_item(self._booking, self, index, value)
        except AGAIN:
            pass
        else:
            return
        self._array[stripped(index, "use as an index")] = stripped(value, "storing")

    def __delitem__(self, index: Any) -> None:
        del self._array[index]  # raises as NumPy does

    def __iter__(self) -> Iterator[Any]:
        if not self._array.ndim:
            return iter(self._array)  # raises as NumPy does
        return (self[row] for row in range(len(self._array)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __bytes__(self) -> bytes:
        return bytes(self._want_out("bytes()"))

    def __copy__(self) -> Any:
        if self._booking.look() and self._booking.callers.is_library_in(sys._getframe(1)):
            return let_out(self, "a library: copy").copy("K")
        return call_function(self._booking, np.copy, (self,), {})

    def __deepcopy__(self, memo: Any) -> Any:
        return self.__copy__()

    def __reduce__(self) -> Any:
        return self._want_out("pickling").__reduce__()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._want_out("pickling").__reduce_ex__(protocol)

    # ---- what TracedArray does not have --------------------------------------------------

    def astype(self, *args: Any, **kwargs: Any) -> Any:
        """Return the elements converted to another dtype; see numpy.ndarray.astype."""
        if self._booking.look():
            return let_out(self, "a library: astype").astype(*args, **kwargs)
        with suppress(*AGAIN):
            return handed(super().astype(*args, **kwargs))
        return let_out(self, "astype").astype(*args, **kwargs)

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place; see numpy.ndarray.sort."""
        self._in_place("sort", args, kwargs)

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place; see numpy.ndarray.partition."""
        self._in_place("partition", args, kwargs)

    def _in_place(self, name: str, args: Args, kwargs: Kwargs) -> None:
        self._booking.look()
        with suppress(*AGAIN):
            getattr(TracedArray, name)(self, *args, **kwargs)
            return
        plain = let_out(self, name)
        getattr(plain, name)(*strip(args, []), **strip(kwargs, []))  # which have left

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy of one axis; see numpy.ndarray.flatten."""
        if self._booking.look():
            return let_out(self, "a library: flatten").flatten(order)
        return super().flatten(order)

    @property
    def flat(self) -> Any:
        """An iterator over the elements."""
        if self._booking.look():
            return let_out(self, "a library: flat").flat
        return ScriptFlat(self)

    @flat.setter
    def flat(self, values: Any) -> None:
        """Write values, over and over, to the elements in order."""
        self._booking.look()
        try:
            store_flat(self, values)
        except AGAIN:
            self._array.flat = stripped(values, "storing")

    @property
    def base(self) -> Any:
        """The array whose memory this one looks into, or None."""
        base = self._array.base
        if type(base) is not np.ndarray or base.dtype.kind not in TRACED_KINDS:
            return base
        owner = getattr(self, "_owner", None)
        if owner is not None and owner._array is base:
            return owner
        self._owner = self._booking.handle(base, self.role)
        return self._owner

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes; another shape of the same array may be assigned."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        self._booking.look()
        self._array.shape = stripped(shape, "numpy.ndarray.shape")
        self._layout = self._booking.layout_number(self._array, self.role)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements; the same bytes may be given another one."""
        dtype: np.dtype[Any] = self._array.dtype
        return dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        self._booking.look()
        view = self._array.view()
        view.dtype = dtype  # raises as NumPy does
        if view.dtype.kind not in TRACED_KINDS:
            raise InstrumentError(
                f"elements that become {view.dtype} in place are not traced; take x.view(dtype)"
            )
        self._array.dtype = dtype
        self._layout = self._booking.layout_number(self._array, self.role)

    def view(self, dtype: Any = np._NoValue, type: Any = None) -> Any:  # noqa: A002 - NumPy's name
        """Return the same bytes under another dtype; as another class they leave."""
        self._booking.look()
        kind = type or dtype
        is_class = isinstance(kind, builtins.type) and issubclass(kind, np.ndarray)
        if is_class and kind is not np.ndarray:
            return self._want_out("view()").view(kind)
        return handed(super().view(dtype))

    def resize(self, *shape: Any, refcheck: bool = True, is_held: bool = False) -> None:
        """Change shape and size in place: of another size, the elements are read and written.

        Others that look into this memory keep what they see; NumPy refuses where it ``is_held``.
        """
        self._booking.look()
        plain = stripped(shape, "numpy.ndarray.resize")
        flags = self._array.flags
        grown = self._array.copy("K") if flags.owndata else self._array
        grown.resize(*plain, refcheck=False)  # raises as NumPy does
        if grown.size == self._array.size:
            self._array.resize(*plain, refcheck=False)
            self._layout = self._booking.layout_number(self._array, self.role)
            return
        if is_held and refcheck:
            held = [self._array] * 3
            held[0].resize(*plain)  # raises as NumPy does
        grown.flags.writeable = flags.writeable
        made = self._booking.wrap_result(grown)
        self._booking.record("resize", Kind.COPY, [(self, None)], [(made, None)], NO_WORK)
        self._array, self._layout = grown, made._layout

    def __getattr__(self, name: str) -> Any:
        """Return what only NumPy's own array has; its values are then out of the trace."""
        if name.startswith("__") and name not in SHOWN_TO_ALL:
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        found = getattr(self._array, name)  # raises as NumPy does
        if name not in ("device", "setflags"):
            self._want_out(name.replace("__array_struct__", "numpy.asarray"))  # as C code does it
        return found


ScriptArray.__name__ = "numpy.ndarray"  # as others' error messages name it
ScriptArray.__qualname__, ScriptArray.__module__ = "ndarray", "numpy"


# ---- operators -------------------------------------------------------------------------


class OtherSide(IntEnum):
    """What the other side of an operator is to NumPy's arrays."""

    OPERAND = 0
    IN_CHARGE = 1  # its own method decides
    SUBCLASS = 2
    ARRAY_LIKE = 3


@functools.cache
def _side(kind: type) -> OtherSide:
    if kind in IMMEDIATES or kind in (ScriptArray, np.ndarray, list, tuple):
        return OtherSide.OPERAND
    if defers(kind):
        return OtherSide.IN_CHARGE
    if issubclass(kind, np.ndarray):
        return OtherSide.SUBCLASS
    return OtherSide.ARRAY_LIKE if is_array_like(kind) else OtherSide.OPERAND


def _array_operator(
    name: str, function: Callable[..., Any], *, swaps: bool = False, in_place: bool = False
) -> Callable[..., Any]:
    """Make an operator of two: counted for the user, plain for a library."""
    counted = getattr(TracedArray, name)

    def method(self: ScriptArray, other: Any) -> Any:
        if self._booking.look():
            plain = let_out(self, "a library: arithmetic")
            return getattr(plain, name)(stripped(other, "a library: arithmetic"))
        kind: Any = type(other)
        if kind is not ScriptArray and (side := _side(kind)) is not OtherSide.OPERAND:
            if side is OtherSide.IN_CHARGE:
                if in_place and hasattr(kind, "__array_ufunc__"):
                    return function(self._array, other)  # raises as NumPy does
                return NotImplemented
            if side is OtherSide.SUBCLASS:
                plain = let_out(self, f"arithmetic with {kind.__name__}")
                return function(other, plain) if swaps else function(plain, other)
            other = array_of(other)
        try:
            answer = counted(self, other)
        except AGAIN as error:
            if ran_plainly(error):
                raise
            answer = NotImplemented
        if answer is not NotImplemented:
            return handed(answer)
        return operator_without_rule(name, self, other)

    method.__name__ = name
    return method


def _sign(name: str) -> Callable[..., Any]:
    """Make an operator of one."""
    counted = getattr(TracedArray, name)

    def method(self: ScriptArray) -> Any:
        if self._booking.look():
            return getattr(let_out(self, "a library: arithmetic"), name)()
        try:
            return handed(counted(self))
        except AGAIN as error:
            if ran_plainly(error):
                raise
        return operator_without_rule(name, self)

    method.__name__ = name
    return method


def _operator(name: str) -> Callable[..., Any]:
    return divmod if name == "divmod" else getattr(operator, f"__{name}__")


for _name in UNARY:
    setattr(ScriptArray, f"__{_name}__", _sign(f"__{_name}__"))
for _name in (*BINARY, *COMPARISONS):
    _method = _array_operator(f"__{_name}__", _operator(_name))
    setattr(ScriptArray, f"__{_name}__", _method)
for _name in BINARY:
    _method = _array_operator(f"__r{_name}__", _operator(_name), swaps=True)
    setattr(ScriptArray, f"__r{_name}__", _method)
for _name in IN_PLACE:
    _method = _array_operator(f"__i{_name}__", _operator(f"i{_name}"), in_place=True)
    setattr(ScriptArray, f"__i{_name}__", _method)
