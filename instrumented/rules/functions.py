"""Runs NumPy functions on traced arrays: the values are NumPy's, the counts those of the rules."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.events import Kind
from instrumented.books.operand import Array
from instrumented.errors import EscapeError, UncountedOperationError
from instrumented.rules import behaviour, loops, odd_rules
from instrumented.rules.odd_rules import unravel_arguments
from instrumented.rules.registry import RULES, Call, Function, Moved, name_of, operation_name

if TYPE_CHECKING:
    from instrumented.trace import Trace


MAY_VIEW = behaviour.VIEWING | {np.einsum}
"""Functions whose result may be a view of an operand, which costs nothing."""


def apply_function(
    trace: Trace, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one NumPy function and book it by its rule.

    Raises:
        UncountedOperationError: the function has no traffic rule.
        EscapeError: the function would print or save values.
    """
    name = operation_name(function)
    if function in behaviour.ESCAPING_FUNCTIONS:
        raise EscapeError(
            f"{name_of(function)} would take values out of the trace unseen; pass it array.escape()"
        )
    if function in behaviour.FREE:
        return function(*_plain(args), **_plain(kwargs))
    if function in behaviour.ALLOCATING:  # memory without content: nothing moves
        return trace._wrap(function(*_plain(args), **_plain(kwargs)), trace._made_role())
    rule = _rule(function)
    args, kwargs, target = _arguments(function, args, kwargs)
    operands: list[TracedArray | Array] = []
    unravel_arguments((args, kwargs), operands, (TracedArray, np.ndarray))
    if function in behaviour.NEEDING_TWO_ARRAYS and len(operands) < 2:
        raise UncountedOperationError(
            f"{name_of(function)} is counted between arrays; bring the number in with trace.array"
        )
    for operand in operands if target is None else (*operands, target):
        if isinstance(operand, TracedArray):
            trace._refuse_foreign(operand, name)
        else:
            trace._refuse_bare(operand, name)
    plain_args, plain_kwargs = _plain(args), _plain(kwargs)
    aim = _plain(target)
    traced_by_id = {id(_plain(operand)): operand for operand in operands}
    if target is not None:
        plain_kwargs["out"] = aim
        traced_by_id[id(aim)] = target
    answer = function(*plain_args, **plain_kwargs)

    plain_operands = [_plain(operand) for operand in operands]
    results: list[Array] = []
    wrapped = _wrap_results(trace, function, answer, plain_operands, traced_by_id, results, aim)
    if results or function in odd_rules.IN_PLACE:
        call = Call(function, plain_args, plain_kwargs, plain_operands, results)
        moved = rule(call)
        trace._record(
            name,
            moved.kind,
            [(traced_by_id[id(array)], nbytes) for array, nbytes in moved.reads],
            [(traced_by_id[id(array)], nbytes) for array, nbytes in moved.writes],
            moved.work,
            loops.of_function(call, moved.kind) if trace._recorder is not None else (),
        )
    return wrapped


def _rule(function: Function) -> Any:
    if function in RULES:
        return RULES[function]
    if function in behaviour.VIEWING:
        return _copy_rule
    if function in behaviour.CREATING:
        return _creation_rule
    raise UncountedOperationError(
        f"{name_of(function)} has no traffic rule and is not guessed; write it with functions "
        "that have one, add a rule with instrumented.rules.registry.traffic_rule, or let the "
        "values out with .escape()"
    )


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
    trace: Trace,
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
            _wrap_results(trace, function, item, operands, traced_by_id, results, target)
            for item in answer
        ]
        if isinstance(answer, list):
            return items
        return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
    known = traced_by_id.get(id(answer))
    array = answer if isinstance(answer, np.ndarray) else np.asarray(answer)
    if known is not None:  # written in place, unless it is an operand handed back as it is
        if array is target or function not in MAY_VIEW:
            results.append(array)
        return known
    source = _source(function, array, operands)
    if source is not None:
        owner = traced_by_id[id(source)]
        return trace._wrap(array, owner.role if isinstance(owner, TracedArray) else "data")
    traced = trace._wrap(array, trace._made_role())
    traced_by_id[id(array)] = traced
    if array.size or function not in MAY_VIEW:  # an empty copy moves nothing
        results.append(array)
    return traced


def _source(function: Function, array: Array, operands: list[Array]) -> Array | None:
    """Return the operand that ``array`` is a view of, if any."""
    if function in MAY_VIEW:
        for operand in operands:
            if np.may_share_memory(array, operand):
                return operand
    return None


def _arguments(
    function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]
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
            bound.arguments[name] = _array_of(value)
        elif name in sequences and isinstance(value, (list, tuple)):
            bound.arguments[name] = tuple(_array_of(item) for item in value)
    return bound.args, bound.kwargs, target


def _array_of(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, (list, tuple)) else value


_signature = cache(inspect.signature)


def _plain(value: Any) -> Any:
    """Replace traced arrays by plain ones inside nested tuples, lists and dicts."""
    if isinstance(value, TracedArray):
        return value._array
    if isinstance(value, tuple):
        items = [_plain(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
