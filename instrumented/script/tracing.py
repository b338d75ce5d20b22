"""The trace of a script: it records what leaves, and books every operation on its source line."""

from __future__ import annotations

import functools
import operator
from collections import deque
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.recorder import Recorder
from instrumented.books.traced import Traced
from instrumented.rules.known import call_function
from instrumented.rules.traffic_rules import RULES, Args, Kwargs, Role
from instrumented.rules.unwrap import IMMEDIATES, holds_objects, strip
from instrumented.script.callers import Callers
from instrumented.script.leaving import (
    AGAIN,
    DEEPEST,
    TRACED_KINDS,
    Asked,
    again,
    answered,
    array_of,
    becomes_array,
    counted_ufunc,
    settled,
    without_rule,
    without_settings,
    wraps_answers,
)
from instrumented.script.script_arrays import ScriptArray, owned
from instrumented.script.script_booking import ScriptBooking
from instrumented.script.script_flat import ScriptFlat
from instrumented.script.script_scalars import plain_kind
from instrumented.trace import Trace
from instrumented.values import TracedValues

CONVERSIONS = frozenset(
    (np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray)
)
"""Functions that ask an object for an array of a type, and to copy it or not."""

LISTS = (list, tuple)
"""Types whose items are looked at for plain arrays."""


class ScriptTrace(Trace):
    """A trace whose arrays behave, in the user's code, as NumPy's own.

    Args:
        callers: knows the line being run and who asks.
        recorder: where events go; None keeps none.
    """

    def __init__(self, callers: Callers, recorder: Recorder | None = None) -> None:
        self._booking = ScriptBooking(callers, recorder)

    @property
    def booking(self) -> ScriptBooking:
        """The booking of this trace."""
        booking: ScriptBooking = self._booking  # type: ignore[assignment]
        return booking

    # ---- in ----------------------------------------------------------------------------

    def enter(self, value: Any, role: str = "data") -> Any:
        """Trace a plain array of numbers that came from elsewhere; anything else stays."""
        if type(value) is not np.ndarray or value.dtype.kind not in TRACED_KINDS:
            return value
        known = self.booking.handle(value, role)
        if self.booking.recorder is not None:
            self.booking.recorder.meet(value, role, None, preloaded=True)
        return known

    def _all(self, answer: Any, take: Callable[[Any], Any]) -> Any:
        if isinstance(answer, (tuple, list)):
            items = [self._all(item, take) for item in answer]
            if isinstance(answer, list):
                return items
            return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
        return take(answer)

    def _made(
        self, answer: Any, operation: str, given: Args = (), *, is_shown: bool = False
    ) -> Any:
        """Trace arrays that a call made: nothing read, their bytes written.

        Views of what was ``given``, a memory map, say, or another subclass, enter for nothing, and
        so do those of what an object of a library ``is_shown`` to hold.
        """
        taken: dict[int, Any] = {}

        def take(value: Any) -> Any:
            if id(value) not in taken:  # np.diag_indices answers with one array twice
                taken[id(value)] = take_first(value)
            return taken[id(value)]

        def take_first(value: Any) -> Any:
            if type(value) is not np.ndarray or value.dtype.kind not in TRACED_KINDS:
                return value
            known = self.booking.known(value)
            if known is None:
                is_view = value.base is not None and (is_shown or _is_of(value, given))
                return self.enter(value) if is_view else self.made(value, operation=operation)
            self.booking.made(known, operation)  # an operand that was written into
            return known

        return take_first(answer) if type(answer) is np.ndarray else self._all(answer, take)

    # ---- out ---------------------------------------------------------------------------

    def let_out(self, value: Any, how: str) -> Any:
        """Return a value without traced ones in it; each is an escape.

        Lists and dicts stay the objects they are (somebody may change them): numbers in them are
        noted only, for arrays see :class:`instrumented.script.lending.Lending`.
        """
        kind = type(value)
        if issubclass(kind, Traced):
            if kind is ScriptArray:
                self.booking.keep_handle(value)
            return _out(value, how)
        if kind is tuple:
            return tuple(self.let_out(item, how) for item in value)
        if kind is list:
            for item in value:
                self._note(item, how)
        elif kind is dict:
            for item in value.values():
                self._note(item, how)
        elif kind is ScriptFlat:
            return _out(value.whole, how).flat
        return value

    def _note(self, value: Any, how: str, depth: int = DEEPEST) -> None:
        kind = type(value)
        if issubclass(kind, np.generic) and issubclass(kind, Traced):
            _out(value, how)
        elif depth and (kind in (tuple, list) or kind is dict):
            for item in value.values() if kind is dict else value:
                self._note(item, how, depth - 1)

    @staticmethod
    def plain_type(value: Any) -> type:
        """Return the type that a traced value has in NumPy."""
        return plain_kind(value)

    # ---- NumPy's functions, called by the user -------------------------------------------

    def call(self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs) -> Any:
        """Run a function of NumPy's: counted on traced values, else what it makes is new."""
        self.booking.look()
        if type(kwargs.get("like")) is ScriptArray:  # asked for its type, no value
            kwargs = {name: value for name, value in kwargs.items() if name != "like"}
        first: Any = type(args[0]) if args else None
        if first is not None and _is_asked(first) and function in CONVERSIONS:
            args, kwargs = self._asked(function, args, kwargs)
        if args and _joins(function, args[0]):
            args = (list(args[0]), *args[1:])
        args, kwargs = self._entered(args, kwargs)
        if not (_holds(args) or (kwargs and _holds(kwargs.values()))):
            is_shown = function in RULES and RULES[function].views and any(map(_is_librarys, args))
            answer = self._booking.call(function, *args, **kwargs)
            return self._made(answer, operation, args, is_shown=is_shown)
        try:
            answer = call_function(self._booking, function, args, kwargs)
            return owned(answered(function, answer), args)
        except AGAIN as error:
            if not again(function, error):
                raise
            args, kwargs = settled(function, error, args, kwargs)
        return self._made(without_rule(function, operation, args, kwargs), operation)

    def uncounted(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        """Run a call that no rule counts: its operands leave, its result comes in written."""
        self.booking.look()
        answer = self._booking.call(without_rule, function, operation, args, kwargs)
        return self._made(answer, operation)

    def ufunc(self, ufunc: np.ufunc, method: str, args: Args, kwargs: Kwargs) -> Any:
        """Run a ufunc or a method of one; lists are arrays that are made first."""
        self.booking.look()
        if method == "__call__" and not kwargs and len(args) == ufunc.nin:
            traced = _traced_among(args)
            if traced is not None:
                return counted_ufunc(traced, ufunc, method, args, kwargs)
        args, kwargs = self._entered(args, kwargs)
        if any(type(value) in LISTS for value in args) and method != "at":
            args = tuple(self._listed(value) for value in args)
        if not (_holds(args) or (kwargs and _holds(kwargs.values()))):
            return self._made(getattr(ufunc, method)(*args, **kwargs), ufunc.__name__)
        return getattr(ufunc, method)(*args, **kwargs)

    def loaded(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        """Run a function that brings in what was there before: its arrays enter for nothing."""
        plain = [self.let_out(value, operation) for value in args]
        return self._all(function(*plain, **kwargs), self.enter)

    def allocated(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        """Run a function that makes memory without content: nothing moves."""
        if _holds(args) or (kwargs and _holds(kwargs.values())):
            self.booking.look()
            parameters = RULES[function].parameters
            args, kwargs = without_settings(parameters, f"numpy.{operation}", args, kwargs)
        made = function(*strip(args, []), **strip(kwargs, []))
        if type(made) is not np.ndarray or made.dtype.kind not in TRACED_KINDS:
            return made
        return self._booking.wrap(made, "temporary")

    def joined(self, function: Callable[..., Any], operation: str, key: Any) -> Any:
        """Run the brackets of ``np.r_`` and ``np.c_``: what is in them is read, the whole made."""
        self.booking.look()
        (key,), _ = self._entered((key,), {})
        answer = function(strip(key, []))
        operands: tuple[Any, ...] = ()
        for part in key if type(key) is tuple else (key,):
            inside: list[Traced] = []
            plain = strip(part, inside)
            is_bare = not inside and isinstance(plain, (list, tuple, np.ndarray))
            operands += (np.asarray(plain),) if is_bare else tuple(inside)
        if not _holds(operands):
            return self._made(answer, operation)
        if type(answer) is not np.ndarray or answer.dtype.kind not in TRACED_KINDS:
            self.let_out(operands, operation)
            return answer
        made = self._booking.wrap_result(answer)
        reads = [(operand, None) for operand in operands]
        self._booking.record(operation, Kind.COPY, reads, [(made, None)], NO_WORK)
        return made

    # ---- within ------------------------------------------------------------------------

    def _entered(self, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Let the plain arrays among the arguments of a call in, and what is like an array."""
        if any(map(_enters, map(type, args))):
            args = tuple(map(self._entered_one, args))
        if kwargs and any(map(_enters, map(type, kwargs.values()))):
            kwargs = {name: self._entered_one(value) for name, value in kwargs.items()}
        return args, kwargs

    def _asked(
        self, function: Callable[..., Any], args: Args, kwargs: Kwargs
    ) -> tuple[Args, Kwargs]:
        """Put the array that an object makes of itself for it, asked as NumPy asks it."""
        asked = Asked(args[0])
        plain = function(asked, *args[1:], **kwargs)  # raises as NumPy does
        if np.may_share_memory(plain, strip(asked.made, [])):
            takes_copy = function is np.array or "copy" in kwargs  # which the object has seen to
            kwargs = {**kwargs, "copy": None} if takes_copy else kwargs
        return (asked.made, *args[1:]), kwargs

    def _entered_one(self, value: Any) -> Any:
        kind: Any = type(value)
        if not _enters(kind):
            return value
        if kind is deque:
            value, kind = list(value), list
        if kind in LISTS:
            return self._entered_items(value)
        made = value if kind is np.ndarray else array_of(value)
        return self.enter(made)

    def _entered_items(self, value: Any, depth: int = DEEPEST) -> Any:
        """Let the plain arrays in lists of lists in; a list without any is returned as it is."""
        kinds = set(map(type, value))
        if np.ndarray not in kinds and (not depth or kinds.isdisjoint(LISTS)):
            return value
        items = [
            self._entered_items(item, depth - 1) if type(item) in LISTS else self.enter(item)
            for item in value
        ]
        return value if all(map(operator.is_, items, value)) else type(value)(items)

    def _listed(self, value: Any) -> Any:
        kind = type(value)  # a tuple without traced values may be the axes
        fills_array = (kind is list and value) or (kind is tuple and _holds(value))
        return self.call(np.array, "array", (value,), {}) if fills_array else value


def _traced_among(operands: tuple[Any, ...]) -> TracedValues | None:
    """Return a traced value if all others are that, or numbers: NumPy would hand it the call."""
    traced = None
    for value in operands:
        if isinstance(value, TracedValues):
            traced = value
        elif type(value) not in IMMEDIATES:
            return None
    return traced


@functools.cache
def _enters(kind: type) -> bool:
    """Return whether values of a type are brought in before NumPy gets them."""
    if kind in (np.ndarray, list, tuple, deque):
        return True
    return _is_asked(kind) and not wraps_answers(kind)


@functools.cache
def _is_asked(kind: type) -> bool:
    """Return whether NumPy asks objects of a type for an array by a method written in Python."""
    return becomes_array(kind) and isinstance(getattr(kind, "__array__", None), FunctionType)


def _joins(function: Any, value: Any) -> bool:
    """Return whether a function runs through the arrays in a value, no list, and joins them."""
    if not holds_objects(value) and not (_is_librarys(value) and function is not np.concatenate):
        return False
    rule = RULES.get(function)
    return rule is not None and rule.parameters.by_position[:1] == (Role.ARRAYS,)


def _is_librarys(value: Any) -> bool:
    """Return whether a value is no array, but shows one that it holds: a column of pandas."""
    kind = type(value)
    return not issubclass(kind, Traced | np.ndarray | np.generic) and hasattr(kind, "__array__")


def _is_of(view: np.ndarray[Any, Any], given: Args) -> bool:
    """Return whether an array looks into the memory of one of these values."""
    arrays = (value for value in given if isinstance(value, np.ndarray))
    return any(np.may_share_memory(view, array) for array in arrays)


def _holds(values: Any, depth: int = 3) -> bool:
    """Return whether there is a traced value in nested tuples, lists and dicts."""
    for value in values:
        kind = type(value)
        if issubclass(kind, Traced) or kind is ScriptFlat:
            return True
        if depth and (
            (kind in (list, tuple) and _holds(value, depth - 1))
            or (kind is dict and _holds(value.values(), depth - 1))
        ):
            return True
    return False


def _out(value: Any, how: str) -> Any:
    return value._booking.let_out(value, how)
