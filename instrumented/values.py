"""What traced arrays and traced scalars have in common: NumPy's protocols, and ways out.

NumPy asks a function's dispatcher which arguments may take a call over. A few dispatchers answer
with the argument itself, where a list of arrays is meant; a vector given there is run through, and
each of its elements was counted as taken out, though nothing has been computed by then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.operand import Array
from instrumented.books.traced import TEXTS, Traced, layout_of, plain_of, traced
from instrumented.methods import Methods
from instrumented.rules.known import call_function, is_axes
from instrumented.rules.traffic_rules import RULES, Args, Function, Kwargs, function_named
from instrumented.rules.ufuncs import COUNTED_BY_INDEX, run_ufunc
from instrumented.rules.unwrap import NUMBERS, strip

_DECLARED = """
    choose: choices
    column_stack: tup
    concatenate: arrays
    dstack: tup
    histogram2d: bins
    histogramdd: bins
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


LIKE_SHAPES = frozenset((np.empty, np.zeros))
"""Functions of which NumPy takes the shape as it looks for `like`: numbers in it have left."""


def take_back_elements(booking: Booking, function: Function, args: Args, kwargs: Kwargs) -> None:
    """Take back what running through vectors booked, just before NumPy hands the call over."""
    rule = RULES[function]
    named = rule.parameters.named(rule.name, args, kwargs)
    for name in reversed(RUN_THROUGH[function]):
        vector = named.get(name)
        if isinstance(vector, Traced) and plain_of(vector).ndim == 1:
            if function is np.histogram2d and plain_of(vector).size != 2:
                continue  # not a number of bins an axis: edges, which are not run through
            one: tuple[Any, ...] = (booking.place, "element", layout_of(vector))
            for element in reversed(plain_of(vector)):
                key = (*one, element.dtype) if type(element) in TEXTS else one
                known = booking.shortcuts.get(key)
                if known is not None and booking.take_back(known[0], 1):
                    del booking.shortcuts[key]


def _is_simple(setting: Any) -> bool:
    """Return whether a keyword argument of a ufunc can be part of a shortcut's key."""
    return setting is None or type(setting) in (int, bool, type, str) or is_axes(setting)


def _several(booking: Booking, values: Any, layouts: tuple[int, ...]) -> Any:
    """Trace what a ufunc with several results made; ``at`` makes nothing."""
    if not layouts:
        return None
    return tuple(map(traced, (booking,) * len(layouts), values, layouts))


class TracedValues(Methods):
    """Counts whatever NumPy does with it; its results are traced as well."""

    __slots__ = ()

    # ---- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Args = (), **kwargs: Any
    ) -> Any:
        """Run one ufunc call or ufunc method and book it.

        Operands of layouts seen before, in the same place, move the same bytes: such a call
        finds its entry in the books at once and only counts it.
        """
        booking = self._booking
        array_type = booking.array_type
        plain: list[Any] = []
        key: list[Any] = [booking.place, ufunc]
        for value in inputs + out if out else inputs:
            kind = type(value)
            if (kind is array_type or isinstance(value, Traced)) and value._booking is booking:
                plain.append(value._array)
                key.append(value._layout)
            else:
                plain.append(value)
                key.append(kind)
        given = kwargs
        if kwargs or method != "__call__":
            if "where" in kwargs and booking.recorder is None:
                mask = kwargs["where"]
                if isinstance(mask, Traced) and mask._booking is booking:
                    key += "where", mask._layout
                    kwargs = {name: value for name, value in kwargs.items() if name != "where"}
            if not all(map(_is_simple, kwargs.values())):
                return self._first(ufunc, method, inputs, out, given)[0]
            key += method, *kwargs.items()
            if kwargs is not given:
                kwargs["where"] = mask._array
        known = booking.shortcuts.get(tuple(key))
        if known is None:
            result, known = self._first(ufunc, method, inputs, out, given)
            if known is not None:
                booking.remember(tuple(key), known)
            return result
        entry, layout, axes = known
        run: Any = ufunc if method == "__call__" else getattr(ufunc, method)
        if not out:
            values = run(*plain, **kwargs) if kwargs else run(*plain)
            if type(layout) is int:
                result = traced(booking, values, layout)
            else:
                result = _several(booking, values, layout)
        else:
            result = out[0]
            target = plain.pop()
            if booking.computes_up_to is None or not booking.leaves(target):
                run(*plain, out=target, **kwargs)
        if booking.recorder is None:
            entry.calls += 1
            if booking.program is not None:
                booking.program.append(entry.index)
        else:
            written = result if type(result) is tuple else [result]
            booking.count(entry, [v for v in inputs if isinstance(v, Traced)], written, axes)
        return result

    def _first(
        self, ufunc: np.ufunc, method: str, inputs: Args, out: Args, kwargs: Kwargs
    ) -> tuple[Any, Any]:
        """Run a call of which nothing is known; return its result, and what to remember of it.

        The layout of an operand, or the type of a constant, has to tell what it moves.
        """
        given = {**kwargs, "out": out} if out else kwargs
        result, entry, axes = run_ufunc(self._booking, ufunc, method, inputs, given)
        if not all(isinstance(v, Traced) or type(v) in NUMBERS for v in (*inputs, *out)):
            return result, None
        if method in COUNTED_BY_INDEX and not self._index_tells(method, inputs):
            return result, None
        results = result if type(result) is tuple else (result,) if result is not None else ()
        if not all(isinstance(v, Traced) and type(plain_of(v)) not in TEXTS for v in results):
            return result, None
        if isinstance(result, Traced):
            return result, (entry, layout_of(result), axes)
        if out:
            return result, None
        return result, (entry, tuple(map(layout_of, results)), axes)

    def _index_tells(self, method: str, inputs: Args) -> bool:
        """Return whether the layout of a ufunc's index tells what it moves: a mask's does not."""
        booking = self._booking
        is_mask = np.dtype(getattr(inputs[1], "dtype", type(inputs[1]))) == bool
        is_counted_only = booking.recorder is None and booking.computes_up_to is None
        return method == "at" and is_counted_only and not is_mask

    def __array_function__(self, function: Any, types: Any, args: Args, kwargs: Kwargs) -> Any:
        """Run a NumPy function and book it; where all is known of the call, only count it."""
        if function in LIKE_SHAPES:
            args, kwargs = strip(args, []), strip(kwargs, [])
        if function in RUN_THROUGH and self._booking.scalar_type in types:
            take_back_elements(self._booking, function, args, kwargs)
        return call_function(self._booking, function, args, kwargs, by_method=not types)

    # ---- ways out ----------------------------------------------------------------------

    def escape(self, *, copy: bool = False) -> Any:
        """Let the values out, on the record; see :meth:`instrumented.Trace.escape`."""
        plain = self._booking.let_out(self, "escape()")
        if isinstance(plain, np.ndarray):
            plain = plain[()] if plain.ndim == 0 else plain.view()
        return plain.copy() if copy else plain

    def _want_out(self, how: str) -> Any:
        return self._booking.want_out(self, how)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.array(self._want_out("numpy.asarray").view(), dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self._want_out("float()"))

    def __int__(self) -> int:
        return int(self._want_out("int()"))

    def __complex__(self) -> complex:
        return complex(self._want_out("complex()"))

    def __bool__(self) -> bool:
        return bool(self._want_out("bool()"))

    def item(self, *index: Any) -> Any:
        """Return an element as a Python number: an escape."""
        nbytes = self._array.itemsize
        return self._booking.want_out(self, "item()", nbytes).item(*index)

    def tolist(self) -> Any:
        """Return the elements as Python numbers: an escape."""
        return self._want_out("tolist()").tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """Return the elements as raw bytes: an escape."""
        raw: bytes = self._want_out("tobytes()").tobytes(order)
        return raw

    def tofile(self, *args: Any, **kwargs: Any) -> None:
        """Write the elements to a file: an escape."""
        self._want_out("tofile()").tofile(*args, **kwargs)

    def dump(self, file: Any) -> None:
        """Pickle the elements to a file: an escape."""
        self._want_out("dump()").dump(file)

    def __reduce__(self) -> Any:
        return self._want_out("pickling").__reduce__()

    def __getstate__(self) -> None:
        """Return nothing, as NumPy's arrays do: the values are in what ``__reduce__`` lets out."""

    def __repr__(self) -> str:
        if self._booking.refuses_escapes:
            return str(self._booking.named(self))
        return repr(self._want_out("printing"))

    def __str__(self) -> str:
        if self._booking.refuses_escapes:
            return repr(self)
        return str(self._want_out("printing"))

    def __format__(self, specification: str) -> str:
        if self._booking.refuses_escapes and not specification:
            return repr(self)
        return format(self._want_out("formatting"), specification)
