"""What leaves the trace of a script, and what a call answers when no rule counts it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import chain, repeat
from types import CodeType
from typing import Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.traced import Traced, plain_of
from instrumented.errors import InstrumentError
from instrumented.rules.functions import ARGUMENTS_TAKEN
from instrumented.rules.outside import run_outside
from instrumented.rules.traffic_rules import RULES, Args, Fate, Kwargs, Parameters, Role
from instrumented.rules.ufuncs import NO_LOOP
from instrumented.rules.unwrap import IMMEDIATES, strip
from instrumented.scalar import ScalarValues, TracedScalar
from instrumented.values import TracedValues

AGAIN = (InstrumentError, TypeError, ValueError, IndexError)
"""Errors before anything was written: the call is repeated on plain values, which decides."""

DATES = "mM"
DEEPEST = 8
"""Levels of lists in lists that are looked into for what a library is given."""

KNOWN = IMMEDIATES | {np.ndarray, list, tuple, range}
"""Types of operands that NumPy makes arrays of by itself."""

SAY_YES_OR_NO = frozenset((np.allclose, np.array_equal, np.array_equiv))
TRACED_KINDS = "biufc"
"""Kinds of elements that are traced; text, dates and objects stay NumPy's own."""


def handed(answer: Any) -> Any:
    """Give the user what NumPy gives; truth values and dates without axes are plain ones."""
    kind = type(answer)
    if kind is TracedScalar:
        is_date = answer.dtype.kind in DATES
        return let_out(answer, "a date" if is_date else "a truth value")
    if issubclass(kind, TracedArray) and answer.dtype.kind not in TRACED_KINDS:
        return let_out(answer, "text, dates or objects")
    if kind is tuple or kind is list:
        return kind(handed(item) for item in answer)
    return answer


def answered(function: Callable[..., Any], answer: Any) -> Any:
    """Give the user what a function of NumPy gives: of some, a truth value of Python's own."""
    told = handed(answer)
    return bool(told) if function in SAY_YES_OR_NO else told


def again(function: Any, error: Exception) -> bool:
    """Whether a call is to be repeated: not if it ran on plain values already, which decided."""
    if isinstance(error, InstrumentError):
        return True
    return function in RULES and not _ran(run_outside.__code__, error)


def let_out(value: Any, how: str) -> Any:
    """Record that a traced value leaves on the line in force, and return it plain."""
    return value._booking.let_out_here(value, how)


def index_of(index: Any) -> Any:
    """Return an index whose traced scalars have left: they are Python's to use."""
    kind = type(index)
    if kind in _PLAIN or (kind is tuple and _PLAIN.issuperset(map(type, index))):
        return index
    if kind is tuple:
        return tuple(map(index_of, index))
    if kind is slice:
        return slice(index_of(index.start), index_of(index.stop), index_of(index.step))
    return let_out(index, "use as an index") if isinstance(index, ScalarValues) else index


_PLAIN = frozenset((int, str, list, type(None), type(Ellipsis)))


def is_free(function: Callable[..., Any]) -> bool:
    """Return whether a function of NumPy's asks for shapes and types alone: no value leaves."""
    rule = RULES.get(function)
    return rule is not None and rule.fate is Fate.FREE


def stripped(value: Any, how: str) -> Any:
    """Return a value without traced ones in it; each has left."""
    inside: list[Traced] = []
    plain = strip(value, inside)
    for operand in inside:
        let_out(operand, how)
    return plain


def taken_out(array: TracedArray, elements: Any, index: Any, how: str) -> Any:
    """Return what an index takes of an array, or of its iterator, plain: that much leaves."""
    taken = elements[stripped(index, "use as an index")]
    nbytes = taken.nbytes if isinstance(taken, np.ndarray | np.generic) else None
    array._booking.let_out_here(array, how, nbytes)
    return taken


def plainly(function: Callable[..., Any], args: Any, kwargs: Any, how: str) -> Any:
    """Run on plain values, each of them an escape."""
    return function(*stripped(args, how), **stripped(kwargs, how))


def without_settings(
    parameters: Parameters, name: str, args: Args, kwargs: Kwargs
) -> tuple[Args, Kwargs]:
    """Return the arguments of a call whose settings (a shape, a count) have left, by name.

    Of ``like`` the type is asked, no value.
    """

    def plain(parameter: str | None, value: Any) -> Any:
        leaves = parameter != "like" and _is_setting(parameters, parameter, value)
        return stripped(value, f"{name}: {parameter}") if leaves else value

    return _by_parameter(parameters, plain, args, kwargs)


def _is_setting(parameters: Parameters, parameter: str | None, value: Any) -> bool:
    """Return whether an argument is a shape, an axis, a count; what is too much, NumPy refuses."""
    role = parameters.roles.get(parameter or "")
    if role is Role.COUNTS or role is Role.TYPE:
        return isinstance(value, Traced) and not np.ndim(plain_of(value))
    return role is Role.SETTING


def _by_parameter(
    parameters: Parameters, take: Callable[[str | None, Any], Any], args: Args, kwargs: Kwargs
) -> tuple[Args, Kwargs]:
    """Return arguments as ``take`` gives them, which is told the parameter of each."""
    by_position = chain(parameters.positional, repeat(parameters.variadic))
    given = tuple(map(take, by_position, args))
    return given, {name: take(name, value) for name, value in kwargs.items()}


def settled(
    function: Callable[..., Any], error: Exception, args: Args, kwargs: Kwargs
) -> tuple[Args, Kwargs]:
    """Return the arguments of a call that raised, for its repetition: settings have left."""
    rule = RULES.get(function)
    if rule is None or _ran(ARGUMENTS_TAKEN, error):
        return args, kwargs

    def plain(parameter: str | None, value: Any) -> Any:
        return strip(value, []) if _is_setting(rule.parameters, parameter, value) else value

    return _by_parameter(rule.parameters, plain, args, kwargs)


def without_rule(function: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    """Run a call that no rule counts on plain values, each of them an escape that says why.

    It says so too if the call raises, as NumPy does on values that it refuses: once.
    """
    inside: list[Traced] = []
    plain, named = strip(args, inside), strip(kwargs, inside)
    try:
        answer = function(*plain, **named)
        if answer is NotImplemented:
            inside.clear()  # nobody looked at a value; Python asks the other operand
        return answer
    except NO_LOOP:
        inside.clear()  # types alone decided
        raise
    except Exception as error:
        if inside:
            how = f"{name}, which raised {type(error).__name__}"
            inside[0]._booking.let_out_together(inside, how)
            inside.clear()
        raise
    finally:
        for operand in inside:  # the function may have called the user's own lines meanwhile
            operand._booking.let_out(operand, f"{name}, which has no rule")


def ran_plainly(error: Exception) -> bool:
    """Return whether a call raised on plain values, which is noted: not to be repeated."""
    return _ran(without_rule.__code__, error)


def _ran(code: CodeType, error: Exception) -> bool:
    """Return whether an error passed through a function."""
    at = error.__traceback__
    while at is not None and at.tb_frame.f_code is not code:
        at = at.tb_next
    return at is not None


def counted_ufunc(
    value: TracedValues, ufunc: np.ufunc, method: str, inputs: Args, kwargs: Kwargs
) -> Any:
    """Run a ufunc for the user, on the line in force; ``value`` is one of its operands."""
    try:
        return handed(TracedValues.__array_ufunc__(value, ufunc, method, *inputs, **kwargs))
    except AGAIN:
        pass
    given = {name: v if name in ("out", "where") else strip(v, []) for name, v in kwargs.items()}
    return _ufunc_without_rule(value._booking, ufunc, method, inputs, given)  # settings have left


def _ufunc_without_rule(
    booking: Any, ufunc: np.ufunc, method: str, operands: Args, kwargs: Kwargs
) -> Any:
    """Run a ufunc that no rule counts; an object that it asks is named: ``multiply with Unit``."""
    kinds = (type(operand) for operand in operands)
    others = [kind.__name__ for kind in kinds if kind not in KNOWN and not issubclass(kind, Traced)]
    name = f"{ufunc.__name__} with {others[0]}" if others else ufunc.__name__
    answer = without_rule(getattr(ufunc, method), name, operands, kwargs)
    return written(booking, answer, ufunc.__name__)


def operator_without_rule(name: str, *operands: Any, told: str = "") -> Any:
    """Apply an operator, by the name of its method, that no rule counts; ``told`` says of what."""

    def apply(one: Any, *others: Any) -> Any:
        return getattr(one, name)(*others)

    answer = without_rule(apply, told or name, operands, {})
    return written(operands[0]._booking, answer, name)


def written(booking: Any, answer: Any, operation: str) -> Any:
    """Return what NumPy made where no rule counts: an array of numbers comes in, written."""
    if type(answer) is not np.ndarray or answer.dtype.kind not in TRACED_KINDS:
        return answer
    made = booking.handle(answer, "temporary")  # the operand itself that was changed in place
    booking.made(made, operation)
    return made


def defers(kind: type) -> bool:
    """Return whether NumPy's arrays leave an operator to an object of this type."""
    if hasattr(kind, "__array_ufunc__"):
        return getattr(kind, "__array_ufunc__", True) is None
    priority = getattr(kind, "__array_priority__", None)
    return isinstance(priority, int | float) and priority > 0


def becomes_array(kind: type) -> bool:
    """Return whether NumPy asks an object of this type, which is no array, for an array."""
    return (
        hasattr(kind, "__array__")
        and not issubclass(kind, (Traced, np.ndarray, np.generic))
        and not hasattr(kind, "__array_ufunc__")
        and not hasattr(kind, "__array_function__")
    )


def wraps_answers(kind: type) -> bool:
    """Return whether NumPy hands what it makes of objects of this type to the type: no array."""
    return hasattr(kind, "__array_wrap__") or issubclass(kind, np.poly1d)


def is_array_like(kind: type) -> bool:
    """Return whether an object of this type is, to NumPy, the array that it makes of itself."""
    return becomes_array(kind) and not wraps_answers(kind)


def array_of(value: Any, *args: Any, **kwargs: Any) -> Any:
    """Return the array that an object makes of itself: of the user's classes, a traced one."""
    method = type(value).__array__
    return getattr(method, "__wrapped__", method)(value, *args, **kwargs)


class Asked:
    """Stands for an object that NumPy asks for its array, and says of which type, and if a copy.

    Attributes:
        made: what the object answered: of the user's classes, a traced array.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self.made: Any = None

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self.made = array_of(self._value, *args, **kwargs)
        return strip(self.made, [])  # NumPy looks where it lies, and throws it away


def array_method(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``__array__`` of a class of the user's for NumPy, which needs a plain array."""

    @functools.wraps(method)
    def plain(*args: Any, **kwargs: Any) -> Any:
        return stripped(method(*args, **kwargs), "numpy.asarray")

    return plain
