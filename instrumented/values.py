"""What traced arrays and traced scalars have in common: NumPy's protocols, and ways out."""

from __future__ import annotations

from typing import Any

import numpy as np

from instrumented.books.operand import Array
from instrumented.books.traced import Traced, traced
from instrumented.methods import METHODS, Methods
from instrumented.rules.functions import OUT, apply_function, run_function
from instrumented.rules.registry import RULES, Role, Rule
from instrumented.rules.ufuncs import COUNTED_BY_INDEX, run_ufunc
from instrumented.rules.unwrap import IMMEDIATES

_SETTING, _COUNTS, _ARRAY, _ARRAYS, _OUT = (
    Role.SETTING,
    Role.COUNTS,
    Role.ARRAY,
    Role.ARRAYS,
    Role.OUT,
)
_SETTINGS = frozenset((int, bool, str, float, type(None), type))


class TracedValues(Methods):
    """Counts whatever NumPy does with it; its results are traced as well."""

    __slots__ = ()

    # ---- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Run one ufunc call or ufunc method and book it.

        Operands of layouts seen before, in the same place, move the same bytes: such a call
        finds its entry in the books at once and only counts it.
        """
        booking = self._booking
        array_type = booking.array_type
        plain: list[Any] = []
        parts: list[Any] = [booking.place, ufunc, method]
        for value in inputs:
            kind = type(value)
            if (kind is array_type or isinstance(value, Traced)) and value._booking is booking:
                plain.append(value._array)
                parts.append(value._layout)
            elif kind in IMMEDIATES:
                plain.append(value)
                parts.append(kind)
            else:
                return run_ufunc(booking, ufunc, method, inputs, kwargs)[0]
        target = None
        if kwargs:
            target = kwargs.get("out", (None,))[0]
            if not self._is_simple(kwargs, parts, target):
                return run_ufunc(booking, ufunc, method, inputs, kwargs)[0]
            if target is not None:
                kwargs["out"] = (target._array,)
        key = tuple(parts)
        known = booking.shortcuts.get(key)
        if known is None:
            if target is not None:
                kwargs["out"] = (target,)
            result, entry, axes = run_ufunc(booking, ufunc, method, inputs, kwargs)
            if isinstance(result, Traced) and method not in COUNTED_BY_INDEX:
                booking.remember(key, (entry, result._layout, axes))
            return result
        if target is None or booking.computes_up_to is None or not booking.leaves(target._array):
            run: Any = ufunc if method == "__call__" else getattr(ufunc, method)
            values = run(*plain, **kwargs)
        entry, layout, axes = known
        result = target if target is not None else traced(booking, values, layout)
        if booking.recorder is None:
            entry.calls += 1
            if booking.program is not None:
                booking.program.append(entry.index)
        else:
            booking.count(entry, [v for v in inputs if isinstance(v, Traced)], [result], axes)
        return result

    def _is_simple(self, kwargs: dict[str, Any], parts: list[Any], target: Any) -> bool:
        """Add keyword arguments to a shortcut's key; False where there can be no shortcut."""
        for name, value in kwargs.items():
            if name == "out":
                if (
                    len(value) != 1
                    or not isinstance(target, Traced)
                    or target._booking is not self._booking
                ):
                    return False
                parts.append(("out", target._layout))
            elif value is None or type(value) in (int, bool, type, str) or _is_axes(value):
                parts.append((name, value))
            else:
                return False
        return True

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Run a NumPy function and book it; where all is known of the call, only count it."""
        booking = self._booking
        rule = RULES.get(function)
        if rule is None or booking.recorder is not None:
            return apply_function(booking, function, args, kwargs)
        parts: list[Any] = [booking.place, function]
        plain: list[Any] = []
        roles, roles_by_name = rule.parameters.by_position, rule.parameters.roles
        if len(args) > len(roles):
            return apply_function(booking, function, args, kwargs)
        array_type = booking.array_type
        for position, value in enumerate(args):  # half the time of zip
            kind, role = type(value), roles[position]
            if kind is array_type and role is not _SETTING and value._booking is booking:
                parts.append(value._layout)
                plain.append(value._array)
            elif kind in _SETTINGS and role is _SETTING:
                parts += kind, value
                plain.append(value)
            elif not self._is_known(rule, role, value, parts, plain):
                return apply_function(booking, function, args, kwargs)
        named: dict[str, Any] = {}
        for name, value in kwargs.items():
            kind = type(value)
            role = roles_by_name.get(name, _OUT)
            parts.append(name)
            if kind in _SETTINGS and role is _SETTING:
                parts += kind, value
                named[name] = value
            elif self._is_known(rule, role, value, parts, plain):
                named[name] = plain.pop()
            else:
                return apply_function(booking, function, args, kwargs)
        key = tuple(parts)
        known = booking.shortcuts.get(key)
        if known is None or booking.computes_up_to is not None:
            answer, outcome = run_function(booking, function, args, kwargs)
            if outcome is not None:
                booking.remember(key, outcome)
            return answer
        by_method = not types and type(plain[0]) is np.ndarray
        answer = (METHODS.get(function, function) if by_method else function)(*plain, **named)
        entry, layouts = known
        if entry is not None:
            entry.calls += 1
            if booking.program is not None:
                booking.program.append(entry.index)
        if type(layouts) is int:
            return traced(booking, answer, layouts)
        return kwargs["out"] if layouts == OUT else self._rebuilt(answer, layouts)

    def _is_known(
        self, rule: Rule, role: Role, value: Any, parts: list[Any], plain: list[Any]
    ) -> bool:
        """Add an argument to a shortcut's key and to the plain ones; False where it has no place.

        Of operands the key has the layout, of numbers among them the type, of settings the value.
        """
        kind = type(value)
        if isinstance(value, Traced):
            if role is _SETTING or value._booking is not self._booking:
                return False
            if rule.views and kind is not self._booking.array_type:
                return False
            parts.append(value._layout)
            plain.append(value._array)
            return True
        if role is _SETTING or role is _COUNTS or value is None or kind is str:
            if kind in _SETTINGS or isinstance(value, np.dtype) or _is_axes(value):
                parts += kind, value
                plain.append(value)
                return True
            return False
        if kind in IMMEDIATES or value is np._NoValue:
            parts.append(kind)
            plain.append(value)
            return True
        if role is _ARRAYS and kind in (list, tuple):
            inside: list[Any] = []
            layouts: list[Any] = [kind]
            for item in value:
                if not self._is_known(rule, _ARRAY, item, layouts, inside):
                    return False
            parts.append(tuple(layouts))
            plain.append(kind(inside))
            return True
        return False

    def _rebuilt(self, answer: Any, layouts: Any) -> Any:
        """Trace an answer of known layouts."""
        booking = self._booking
        if layouts is None:
            return None
        if type(layouts) is int:
            return traced(booking, answer, layouts)
        kind, parts = layouts
        return kind([self._rebuilt(a, part) for a, part in zip(answer, parts, strict=True)])

    # ---- ways out ----------------------------------------------------------------------

    def escape(self, *, copy: bool = False) -> Any:
        """Let the values out, on the record; see :meth:`instrumented.Trace.escape`."""
        plain = self._booking.let_out(self, "escape()")
        if isinstance(plain, np.ndarray):
            plain = plain[()] if plain.ndim == 0 else plain
        return plain.copy() if copy else plain

    def _want_out(self, how: str) -> Any:
        return self._booking.want_out(self, how)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return np.array(self._want_out("numpy.asarray"), dtype=dtype, copy=copy)

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


def _is_axes(value: Any) -> bool:
    return type(value) is tuple and all(type(item) is int for item in value)
