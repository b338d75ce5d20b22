"""Runs NumPy functions on traced arrays: the values are NumPy's, the counts those of the rules."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.operand import Array
from instrumented.books.traced import Operand, Traced, memory_of, plainly
from instrumented.errors import UncountedOperationError
from instrumented.rules import behaviour, loops, odd_rules
from instrumented.rules.odd_rules import unravel_arguments
from instrumented.rules.registry import RULES, Call, Function, Moved, name_of, operation_name
from instrumented.rules.unwrap import as_array, let_settings_out, strip

MAY_VIEW = behaviour.VIEWING | {np.einsum}
"""Functions whose result may be a view of an operand, which costs nothing."""

KEEPING_SCALARS = frozenset((np.real, np.imag, np.squeeze, np.transpose))
"""Functions that answer a scalar with a scalar."""


def apply_function(
    booking: Booking, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one NumPy function and book it by its rule.

    Raises:
        UncountedOperationError: the function has no traffic rule.
        EscapeError: the function would take values out.
    """
    name = operation_name(function)
    if function in behaviour.ESCAPING_FUNCTIONS:
        return _let_all_out(booking, function, args, kwargs)
    if function in behaviour.FREE:
        return function(*_plain(args), **_plain(kwargs))
    if function in behaviour.ALLOCATING:  # memory without content: nothing moves
        args, kwargs, _ = _arguments(booking, function, args, kwargs)
        return booking.wrap_result(function(*_plain(args), **_plain(kwargs)))
    rule = _rule(function)
    if rule is None:
        if booking.refuses_escapes:
            raise UncountedOperationError(
                f"{name_of(function)} has no traffic rule and is not guessed; write it with "
                "functions that have one, add a rule with "
                "instrumented.rules.registry.traffic_rule, or let the values out with .escape()"
            )
        answer = _let_all_out(booking, function, args, kwargs)
        return _enter(booking, answer, name)
    args, kwargs, target = _arguments(booking, function, args, kwargs)
    operands: list[Operand] = []
    unravel_arguments((args, kwargs), operands, (Traced, np.ndarray))
    if function in behaviour.NEEDING_TWO_ARRAYS and len(operands) < 2:
        raise UncountedOperationError(
            f"{name_of(function)} is counted between arrays; bring the number in with trace.array"
        )
    for operand in operands if target is None else (*operands, target):
        booking.admit(operand, name)
    # an array made of a scalar shows the scalar's own bytes
    bare = memory_of if function in MAY_VIEW - KEEPING_SCALARS else plainly
    plain_args, plain_kwargs = _plain(args, bare), _plain(kwargs, bare)
    aim = plainly(target)
    traced_by_id = {id(bare(operand)): operand for operand in operands}
    if target is not None:
        plain_kwargs["out"] = aim
        traced_by_id[id(aim)] = target
    answer = function(*plain_args, **plain_kwargs)

    plain_operands = [bare(operand) for operand in operands]
    results: list[Array] = []
    wrapped = _wrap_results(booking, function, answer, plain_operands, traced_by_id, results, aim)
    if results or function in odd_rules.IN_PLACE:
        call = Call(function, plain_args, plain_kwargs, plain_operands, results)
        moved = rule(call)
        writes: list[tuple[Operand, int | None]] = [
            (traced_by_id[id(array)], nbytes) for array, nbytes in moved.writes
        ]
        booking.record(
            name,
            moved.kind,
            [(traced_by_id[id(array)], nbytes) for array, nbytes in moved.reads],
            writes,
            moved.work,
            loops.of_function(call, moved.kind) if booking.recorder is not None else (),
        )
        for written, nbytes in writes:
            if not isinstance(written, Traced):
                booking.let_out(written, f"{name_of(function)} into a plain array", nbytes)
    return wrapped


def _let_all_out(
    booking: Booking, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run a function on plain values, each of them recorded as it leaves."""
    inside: list[Traced] = []
    args, kwargs = strip(args, inside), strip(kwargs, inside)
    for operand in inside:
        booking.admit(operand, operation_name(function))
        booking.want_out(operand, name_of(function))
    return function(*args, **kwargs)


def _enter(booking: Booking, answer: Any, name: str) -> Any:
    """Trace what a function without a rule made: its bytes are written, nothing else is known."""
    if isinstance(answer, (tuple, list)):
        items = [_enter(booking, item, name) for item in answer]
        if isinstance(answer, list):
            return items
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    if type(answer) is not np.ndarray and not isinstance(answer, np.generic):
        return answer
    made = booking.wrap_result(answer)
    booking.record(name, Kind.CREATE, [], [(made, None)], NO_WORK)
    return made


def _rule(function: Function) -> Any:
    if function in RULES:
        return RULES[function]
    if function in behaviour.VIEWING:
        return _copy_rule
    if function in behaviour.CREATING:
        return _creation_rule
    return None


def _copy_rule(call: Call) -> Moved:
    """Read every operand, write every result that is not a view."""
    return Moved(
        Kind.COPY,
        [(operand, None) for operand in call.operands],
        [(result, None) for result in call.results],
    )


def _creation_rule(call: Call) -> Moved:
    return Moved(Kind.CREATE, [], [(result, None) for result in call.results])


def _wrap_results(
    booking: Booking,
    function: Function,
    answer: Any,
    operands: list[Array],
    traced_by_id: dict[int, Any],
    results: list[Array],
    target: Array | None,
) -> Any:
    """Wrap what a function returned; append to ``results`` what it wrote."""
    if answer is None:
        return None
    if isinstance(answer, (tuple, list)):
        items = [
            _wrap_results(booking, function, item, operands, traced_by_id, results, target)
            for item in answer
        ]
        if isinstance(answer, list):
            return items
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    known = traced_by_id.get(id(answer))
    array: Any = answer
    if not isinstance(answer, (np.ndarray, np.generic)):
        array = np.asarray(answer)[()]
    if known is not None:  # written in place, unless it is an operand handed back as it is
        if array is target or function not in MAY_VIEW:
            results.append(array)
        return known
    source = _source(function, array, operands)
    if source is not None:
        owner = traced_by_id[id(source)]
        return booking.wrap(array, booking.role(owner))
    traced = booking.wrap_result(array)
    traced_by_id[id(array)] = traced
    if array.size or function not in MAY_VIEW:  # an empty copy moves nothing
        results.append(array)
    return traced


def _source(function: Function, array: Any, operands: list[Any]) -> Any:
    """Return the operand that ``array`` is a view of, if any."""
    if function in MAY_VIEW:
        for operand in operands:
            if np.may_share_memory(array, operand) or isinstance(operand, np.generic):
                return operand
    return None


def _arguments(
    booking: Booking, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], Any]:
    """Return the arguments in the order of the signature, lists of data as arrays, and ``out``."""
    bound = _signature(function).bind(*args, **kwargs)
    target = bound.arguments.pop("out", None)
    if isinstance(target, tuple):
        (target,) = target
    # the lists of numpy.block say where the blocks stand
    sequences = behaviour.SEQUENCE_PARAMETERS if function is not np.block else ()
    for name, value in bound.arguments.items():
        if name in behaviour.DATA_PARAMETERS:
            bound.arguments[name] = as_array(booking, value, name_of(function))
        elif name in sequences and isinstance(value, (list, tuple)):
            bound.arguments[name] = tuple(
                as_array(booking, item, name_of(function)) for item in value
            )
        elif name in behaviour.SETTING_PARAMETERS and name not in ("operands", "where"):
            bound.arguments[name] = let_settings_out(booking, value, f"{name_of(function)}: {name}")
    return bound.args, bound.kwargs, target


_signature = cache(inspect.signature)


def _plain(value: Any, bare: Callable[[Any], Any] = plainly) -> Any:
    """Replace traced values by plain ones inside nested tuples, lists and dicts."""
    if isinstance(value, Traced):
        return bare(value)
    if isinstance(value, tuple):
        items = [_plain(item, bare) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [_plain(item, bare) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, bare) for key, item in value.items()}
    return value
