"""The registry of traffic rules for NumPy functions that are not ufuncs.

A rule turns one call into what it moved and computed. Most functions behave like many others
and stand in the tables of :mod:`instrumented.rules.behaviour`; the odd ones have a function of
their own, registered with :func:`traffic_rule`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.books.operand import Array

Function = Callable[..., Any]


@dataclass(slots=True)
class Call:
    """One call of a NumPy function on bare arrays, after it ran.

    ``operands`` are the arrays among the arguments in order (``out`` excluded), ``results`` the
    arrays that came back in order.
    """

    function: Function
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    operands: list[Array]
    results: list[Array]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument given by position or by name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def size_in(self) -> int:
        """Elements of the first operand."""
        return self.operands[0].size

    @property
    def size_out(self) -> int:
        """Elements of the first result."""
        return self.results[0].size


@dataclass(slots=True)
class Moved:
    """What a call read and wrote: (array, bytes) pairs in order, and its arithmetic.

    Bytes of None mean all the bytes that the array covers.
    """

    kind: Kind
    reads: Sequence[tuple[Array, int | None]]
    writes: Sequence[tuple[Array, int | None]]
    work: Work = field(default=NO_WORK)


Rule = Callable[[Call], Moved]

RULES: dict[Function, Rule] = {}


def traffic_rule(*functions: Function) -> Callable[[Rule], Rule]:
    """Register the decorated rule for each NumPy function; a duplicate raises at import."""

    def register(rule: Rule) -> Rule:
        for function in functions:
            if function in RULES:
                raise ValueError(f"{name_of(function)} has two traffic rules")
            RULES[function] = rule
        return rule

    return register


def streaming(kind: Kind, work: Callable[[Call], Work]) -> Rule:
    """Make the common rule: every operand is read once, every result is written once."""

    def rule(call: Call) -> Moved:
        return Moved(
            kind,
            [(operand, None) for operand in call.operands],
            [(result, None) for result in call.results],
            work(call),
        )

    return rule


def name_of(function: Function) -> str:
    """Return how users write the function: ``numpy.linalg.norm``."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"


def operation_name(function: Function) -> str:
    """Return the name the trace gives the operation: ``linalg.norm``, ``sum``."""
    return name_of(function).removeprefix("numpy.")
