"""The registry of traffic rules for NumPy functions that are not ufuncs.

A rule declares the function's parameters, all of them, in the order of NumPy's own signature, and
says of each what it is to memory::

    @traffic_rule("interp(x: array, xp: array, fp: array, left, right, period)")
    def _interp(call: Call) -> Moved: ...

=========  ==================================================================================
(nothing)  a setting: a shape, an axis, a type, a tolerance. A traced value in it is an escape;
           see below for arrays and floats.
setting    a setting, said aloud: arrays and lists of floats in it are not counted
array      an operand; a list given for it is read like any bare array, a number is an immediate
values     an operand that NumPy takes into ``dtype``, or else into the type of the first operand: a
           list is not made into an array of its own type first
items      an operand, or a list of which the function itself makes its one array: each traced value
           in it is read
arrays     a sequence of operands
nested     operands in nested lists
counts     an operand that decides the shape of the result, or a number; a traced number in it
           is an escape
mask       ``where``: True, or an operand
type       an operand of which only shape and type are asked, unless it has no axes
out        the array that the result is written into
=========  ==================================================================================

``tests/instrumented/rules/test_completeness.py`` holds the declarations against NumPy's
signatures. Of those of other packages the names are held against NumPy's as they register; the
roles nothing holds: calls are refused, before they run, where an array, or a list or tuple with
floats or arrays in it, is given for a parameter without a role. A function that this version of
NumPy lacks is skipped.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from operator import attrgetter
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.errors import InstrumentError

Function = Callable[..., Any]
Args = tuple[Any, ...]
Kwargs = dict[str, Any]


class Role(Enum):
    """What a parameter is to memory; see the table above."""

    SETTING = auto()
    ARRAY = auto()
    ARRAYS = auto()
    NESTED = auto()
    COUNTS = auto()
    MASK = auto()
    TYPE = auto()
    OUT = auto()
    VALUES = auto()
    ITEMS = auto()


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of a function as NumPy declares them, each with its role.

    ``by_position`` has the roles of arguments given by position (of ``*name``, eight of them);
    ``variadic`` names the parameter ``*name`` and ``rest`` the parameter ``**name``, if any;
    ``unsaid`` those without a role, which are settings.
    """

    roles: dict[str, Role]
    positional: tuple[str, ...]
    by_position: tuple[Role, ...]
    variadic: str | None = None
    rest: str | None = None
    unsaid: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Parameters:
        """Read ``a: array, axis, *, keepdims, **kwargs``.

        Raises:
            InstrumentError: a role that there is not.
        """
        roles: dict[str, Role] = {}
        positional: list[str] = []
        unsaid: set[str] = set()
        variadic = rest = None
        by_position = True
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, role = part.partition(":")
            stars, name = part.count("*"), name.strip().lstrip("*")
            if stars:
                by_position = False
                if not name:
                    continue
                variadic, rest = (name, rest) if stars == 1 else (variadic, name)
            elif by_position:
                positional.append(name)
            roles[name] = _role(name, role.strip()) if role else Role.SETTING
            if not role:
                unsaid.add(name)
        by_role = [roles[name] for name in positional]
        by_role += [] if variadic is None else [roles[variadic]] * 8
        return cls(roles, tuple(positional), tuple(by_role), variadic, rest, frozenset(unsaid))

    @classmethod
    def unknown(cls) -> Parameters:
        """Take whatever is given for an operand, by position or by name."""
        return cls({"args": Role.ARRAY, "kwargs": Role.ARRAY}, (), (), "args", "kwargs")

    def named(self, name: str, args: Args, kwargs: Kwargs) -> dict[str, Any]:
        """Return the arguments by parameter, in the order of the signature.

        Raises:
            TypeError: there is no such parameter.
        """
        found = dict(zip(self.positional, args, strict=False))
        more = args[len(self.positional) :]
        if more and self.variadic is None:
            raise TypeError(
                f"{name}() takes {len(self.positional)} positional arguments, not {len(args)}"
            )
        if self.variadic is not None:
            found[self.variadic] = more
        for key in kwargs:
            if key in found or (key not in self.roles and self.rest is None):
                raise TypeError(f"{name}() got an unknown or a second argument {key!r}")
        found.update(kwargs)
        order = [key for key in self.roles if key in found]
        return {key: found[key] for key in (*order, *(found.keys() - self.roles.keys()))}

    def role(self, name: str) -> Role:
        """Return the role of a parameter; ``where`` among ``**kwargs`` is a mask."""
        role = self.roles.get(name)
        if role is None:
            role = Role.MASK if name == "where" else self.roles[self.rest or ""]
        return role

    def undeclared(self, name: str, args: Args, kwargs: Kwargs) -> str | None:
        """Return the first parameter without a role that holds an operand, if there is one."""
        for key, value in self.named(name, args, kwargs).items():
            values = value if key == self.variadic else (value,)
            told = key if key in self.roles else self.rest
            said = told not in self.unsaid or self.role(key) is not Role.SETTING
            if not said and any(map(_is_operand, values)):
                return key
        return None


def _role(name: str, role: str) -> Role:
    if role.upper() not in Role.__members__:
        known = ", ".join(member.lower() for member in Role.__members__)
        raise InstrumentError(f"{name}: there is no role {role!r}; use one of {known}")
    return Role[role.upper()]


def _is_operand(value: Any) -> bool:
    """Return whether a setting looks like an operand: an array, or a list that would be one."""
    if isinstance(value, (list, tuple)):
        return any(isinstance(v, (float, np.inexact)) or _is_operand(v) for v in value)
    return isinstance(value, np.ndarray)


@dataclass(slots=True)
class Call:
    """One call of a NumPy function on plain values, after it ran.

    ``arguments`` are those given, by name. ``operands`` are the arrays among them in the order
    of the signature (``out`` excluded), traced scalars as NumPy scalars; ``results`` the arrays
    that came back in order.
    """

    function: Function
    arguments: dict[str, Any]
    operands: list[Any]
    results: list[Any] = field(default_factory=list)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, however it was given."""
        return self.arguments.get(name, default)

    @property
    def size_in(self) -> int:
        """Elements of the first operand."""
        return int(self.operands[0].size)

    @property
    def size_out(self) -> int:
        """Elements of the first result."""
        return int(self.results[0].size)


@dataclass(slots=True)
class Moved:
    """What a call read and wrote: (array, bytes) pairs in order, and its arithmetic.

    Bytes of None mean all the bytes that the array covers. The arrays are operands and results
    of the call, or views of them.
    """

    kind: Kind
    reads: Sequence[tuple[Any, int | None]]
    writes: Sequence[tuple[Any, int | None]]
    work: Work = field(default=NO_WORK)


Movement = Callable[[Call], Moved]


class Fate(Enum):
    """What becomes of a call."""

    COUNTED = auto()
    FREE = auto()  # answered from shapes and types
    ALLOCATED = auto()  # memory without content
    ESCAPING = auto()  # prints or saves values


@dataclass(frozen=True, slots=True, eq=False)
class TrafficRule:
    """How a function is counted.

    Attributes:
        function, name: the function, and as the trace calls it.
        parameters: its parameters and what they are to memory.
        moved: what a call moves and computes, of its plain operands and results.
        fate: whether it is counted at all.
        views: its results may be views of operands, which are free.
        keeps_scalars: it answers a scalar with a scalar.
        writes: it writes into its first operand and returns None.
        overwrites: tells whether a call writes its result into its first operand.
        by_values: tells whether values, not shapes, decide what a call moves.
        refuses: returns why a call has no rule, before it runs; None if it has.
        foreign: it was registered outside of this package, so no test holds its parameters.
    """

    function: Function
    name: str
    parameters: Parameters
    moved: Movement
    fate: Fate = Fate.COUNTED
    views: bool = False
    keeps_scalars: bool = False
    writes: bool = False
    overwrites: Callable[[Call], bool] | None = None
    by_values: Callable[[Call], bool] | None = None
    refuses: Callable[[Call], str | None] | None = None
    foreign: bool = False

    @property
    def is_told_by_its_answer(self) -> bool:
        """Whether the layouts of an answer tell what was moved, where values decide it."""
        return not (self.writes or self.foreign)

    def misses_an_operand(self, args: Args, kwargs: Kwargs) -> str | None:
        """Return why a call cannot be counted: what the rule calls a setting is an operand."""
        missed = self.parameters.undeclared(self.name, args, kwargs)
        if missed is None:
            return None
        return (
            f"was given an array or floats for {missed}, to which its traffic rule gives no role; "
            f'declare one: "{missed}: array" is counted, "{missed}: setting" is not'
        )


RULES: dict[Function, TrafficRule] = {}


def traffic_rule(*declarations: str | Function, **traits: Any) -> Callable[[Movement], Movement]:
    """Register the decorated rule for each NumPy function; a duplicate raises at import.

    Args:
        declarations: ``"name(parameter: role, …)"`` as in the table above; the name may be
            dotted (``linalg.norm``). A function itself is taken too: then whatever array, list
            or tuple a call gives it is an operand.
        traits: ``fate``, ``views``, ``keeps_scalars``, ``writes``, ``overwrites``, ``by_values``,
            ``refuses`` of :class:`TrafficRule`.

    Raises:
        InstrumentError: a role that there is not, or, outside of this package, parameters other
            than those of NumPy's signature.
    """
    where = sys._getframe(1).f_globals.get("__name__") or ""
    foreign = not f"{where}.".startswith("instrumented.")

    def register(moved: Movement) -> Movement:
        fresh: set[Function] = set()
        for declaration in declarations:
            if isinstance(declaration, str):
                name, _, text = declaration.rstrip(") \n").partition("(")
                found, parameters = function_named(name), Parameters.parse(text)
            else:
                found, parameters = declaration, Parameters.unknown()
            if found is None or found in fresh:  # or two names of one function
                continue
            if found in RULES:
                raise ValueError(f"{name_of(found)} has two traffic rules")
            if foreign and isinstance(declaration, str):
                _check_parameters(found, parameters)
            fresh.add(found)
            RULES[found] = TrafficRule(
                found, operation_name(found), parameters, moved, foreign=foreign, **traits
            )
        return moved

    return register


def _check_parameters(function: Function, parameters: Parameters) -> None:
    """Refuse a declaration that is not of the function's own parameters, where it tells them."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return
    by_position = [
        name
        for name, one in signature.parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    is_all = parameters.roles.keys() == signature.parameters.keys()
    if not is_all or list(parameters.positional) != by_position:
        raise InstrumentError(
            f"a traffic rule declares {name_of(function)} with other parameters than it has, "
            f"which are {', '.join(signature.parameters)}: {signature}"
        )


def streaming(kind: Kind, work: Callable[[Call], Work] | Work = NO_WORK) -> Movement:
    """Make the common rule: every operand is read once, every result is written once."""

    def moved(call: Call) -> Moved:
        return Moved(
            kind,
            [(operand, None) for operand in call.operands],
            [(result, None) for result in call.results],
            work if isinstance(work, Work) else work(call),
        )

    return moved


def function_named(name: str) -> Function | None:
    """Return NumPy's function of a dotted name; None where this version has none."""
    try:
        found: Function = attrgetter(name)(np)
    except AttributeError:
        return None
    return found


def functions_named(names: Iterable[str]) -> frozenset[Function]:
    """Return the NumPy functions of a table of names, those that this version has."""
    return frozenset(found for name in names if (found := function_named(name)) is not None)


def name_of(function: Function) -> str:
    """Return how users write the function: ``numpy.linalg.norm``."""
    module = getattr(function, "__module__", None) or "numpy"
    return f"{module}.{getattr(function, '__name__', function)}"


def operation_name(function: Function) -> str:
    """Return the name the trace gives the operation: ``linalg.norm``, ``sum``."""
    return name_of(function).removeprefix("numpy.")
