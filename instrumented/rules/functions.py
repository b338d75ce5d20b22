"""Runs NumPy functions on traced values: the values are NumPy's, the counts those of the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from instrumented.books.booking import OBJECTS, Booking, Share
from instrumented.books.ledger import Entry
from instrumented.books.traced import Elements, Operand, Traced, layout_of, memory_of, plainly
from instrumented.errors import InstrumentError, UncountedOperationError
from instrumented.rules import (  # noqa: F401 - their rules register themselves
    elementwise,
    fourier,
    linear_algebra,
    loops,
    moving,
    ordering,
    products,
    reductions,
)
from instrumented.rules.outside import run_outside
from instrumented.rules.traffic_rules import (
    RULES,
    Args,
    Call,
    Fate,
    Function,
    Kwargs,
    Moved,
    Role,
    TrafficRule,
    functions_named,
)
from instrumented.rules.unwrap import (
    IMMEDIATES,
    as_array,
    has_axes,
    holds_objects,
    let_settings_out,
    operands_in,
    strip,
)

OUT = "out"
"""Stands, in the outcome of a call, for the array that the result was written into."""

SCALARS_STAY = functions_named(("astype", "reshape"))
"""Functions that make an array of a scalar only where it has axes then."""


class KnownOutcome(NamedTuple):
    """What a call with known layouts does every time: its entry, the layouts of its answer.

    ``entry`` is None where nothing moves. ``layouts`` is the number of a layout, ``OUT``, None,
    or (type, parts) of a tuple or list. ``varies`` says that values decide the layouts of the
    answer, and these, with those of the operands, the entry.
    """

    entry: Entry | None
    layouts: Any
    varies: bool = False


def apply_function(
    booking: Booking,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    method: Function | None = None,
) -> Any:
    """Run one NumPy function and book it, as :func:`run_function`; return its answer alone."""
    return run_function(booking, function, args, kwargs, method)[0]


def run_function(
    booking: Booking,
    function: Function,
    args: Args,
    kwargs: Kwargs,
    method: Function | None = None,
    ran: tuple[Any] | None = None,
) -> tuple[Any, KnownOutcome | None]:
    """Run one NumPy function and book it by its rule, which is found before it runs.

    ``method`` is what was called of an array: run instead, it warns for the line that called it.
    ``ran`` has the plain answer of a call that was run already. Returns the answer, and what the
    next call with the same layouts will do (None: not known).

    Raises:
        UncountedOperationError: the function has no traffic rule.
        EscapeError: the function would take values out.
    """
    rule = RULES.get(function)
    if rule is None or rule.fate is Fate.ESCAPING:
        return run_outside(booking, function, rule, args, kwargs), None
    if rule.fate is Fate.FREE:
        return _ask(rule, args, kwargs), None
    return apply_rule(booking, rule, args, kwargs, method, ran)


def apply_rule(
    booking: Booking,
    rule: TrafficRule,
    args: Args,
    kwargs: Kwargs,
    method: Function | None = None,
    ran: tuple[Any] | None = None,
) -> tuple[Any, KnownOutcome | None]:
    """Run the function of a rule and book it; the answer and the outcome as of a function."""
    why = rule.misses_an_operand(args, kwargs) if rule.foreign else None
    if why is None:
        given = _Given(booking, rule, args, kwargs)
        why = rule.refuses(given.call) if rule.refuses is not None else None
    if why is not None:
        if booking.refuses_escapes:
            raise UncountedOperationError(f"numpy.{rule.name} {why}")
        return run_outside(booking, rule.function, None, args, kwargs), None
    is_array = method is not None and type(given.args[0]) is np.ndarray
    may_change = rule.writes and rule.by_values is not None  # the target may be its own mask
    moved = rule.moved(given.call) if may_change else None
    (answer,) = ran or (_answered(booking, rule, given, method if is_array else None),)
    results = _Results(booking, rule, given)
    wrapped = results.wrap(answer)
    entry = None
    depends = rule.by_values is not None and rule.by_values(given.call)
    if rule.fate is Fate.COUNTED and (results.found or rule.writes or depends):
        entry = _book(booking, rule, given, results, moved or rule.moved(given.call))
    if depends and entry is not None:
        booking.ledger.data_dependent.add(entry.index)
    elif entry is not None and entry.index in booking.ledger.data_dependent:
        return wrapped, None
    layouts = _layouts(wrapped, given.target, given.operands)
    if layouts is NotImplemented or (depends and not rule.is_told_by_its_answer):
        return wrapped, None
    return wrapped, KnownOutcome(entry, layouts, depends)


def change_in_place(
    booking: Booking, target: Traced, name: str, args: Args, kwargs: Kwargs
) -> None:
    """Run ``target.sort(…)`` or ``target.partition(…)``: all is read and written back."""
    apply_rule(booking, ordering.IN_PLACE[name], (target, *args), kwargs)


def _answered(booking: Booking, rule: TrafficRule, given: _Given, method: Function | None) -> Any:
    """Call the function, unless it would write into memory that the trace leaves alone."""
    call = given.call
    target = None if given.target is None else plainly(given.target)
    if rule.writes or (rule.overwrites is not None and rule.overwrites(call)):
        target = call.operands[0]
    if isinstance(target, np.ndarray) and booking.leaves(target):
        return None if rule.writes else target
    if call.get("overwrite_input") and booking.leaves(call.operands[0]):
        return rule.function(**{**call.arguments, "overwrite_input": False})
    return (method or rule.function)(*given.args, **given.kwargs)


def _ask(rule: TrafficRule, args: Args, kwargs: Kwargs) -> Any:
    """Run a function that asks for shapes and types alone, unless an operand has no axes."""
    for name, value in rule.parameters.named(rule.name, args, kwargs).items():
        role = rule.parameters.role(name)
        is_asked = role is Role.TYPE and isinstance(value, Traced) and not np.ndim(plainly(value))
        if is_asked or role is Role.SETTING:
            let_settings_out(value, f"numpy.{rule.name}: {name}")
    inside: list[Traced] = []
    return rule.function(*strip(args, inside), **strip(kwargs, inside))


class _Given:
    """The arguments of a call: plain for NumPy, and the operands among them in order."""

    def __init__(self, booking: Booking, rule: TrafficRule, args: Args, kwargs: Kwargs) -> None:
        self.operands: list[Operand] = []
        self.target: Operand | None = None
        self._booking = booking
        self._name = f"numpy.{rule.name}"
        self._function = rule.function
        # an array made of a scalar shows the scalar's own bytes
        self.bare: Callable[[Any], Any] = plainly
        if rule.views and not rule.keeps_scalars:
            self.bare = memory_of
        parameters = rule.parameters
        named = parameters.named(rule.name, args, kwargs)
        target = next(iter(named.values()), None) if rule.writes else None
        if isinstance(target, (list, tuple, range, Elements)):
            rule.function(*strip(args, []), **strip(kwargs, []))  # raises as NumPy does
            raise TypeError(f"{self._name} writes into an array, not into a list")
        plain: dict[str, Any] = {}
        for name, value in named.items():
            role = parameters.role(name)
            if name == parameters.variadic:
                plain[name] = tuple(self._plain(role, item, name) for item in value)
            else:
                plain[name] = self._plain(role, value, name)
            is_list = role is Role.VALUES and isinstance(value, (list, tuple))
            if is_list and self._changes_type(named.get("dtype")):
                plain[name] = strip(value, [])  # 300 is no uint8, though an int64 would become one
        for operand in self.operands if self.target is None else (*self.operands, self.target):
            booking.admit(operand, rule.name)
        by_position = parameters.positional[: len(args)]
        self.args = tuple(plain[name] for name in by_position)
        if parameters.variadic is not None:
            self.args += plain[parameters.variadic]
        self.kwargs = {name: plain[name] for name in kwargs}
        self.call = Call(rule.function, plain, [self.bare(operand) for operand in self.operands])

    def _changes_type(self, dtype: Any) -> bool:
        """Whether the last operand is taken into another type."""
        first, last = (plainly(operand).dtype for operand in (self.operands[0], self.operands[-1]))
        return bool(last != (first if dtype is None else np.dtype(dtype)))

    def _plain(self, role: Role, value: Any, name: str) -> Any:
        if role is Role.SETTING:
            return let_settings_out(value, f"{self._name}: {name}")
        if role is Role.OUT:
            return self._aim(value)
        if role is Role.ARRAYS and (isinstance(value, (list, tuple)) or holds_objects(value)):
            operands = [self._operand(item) for item in value]
            return tuple(operands) if isinstance(value, tuple) else operands
        if role is Role.ITEMS and isinstance(value, (list, tuple)):
            return self._items(value)
        if role is Role.NESTED and isinstance(value, list):
            return [self._plain(role, item, name) for item in value]
        if role is Role.COUNTS and isinstance(value, (list, tuple)):
            if any(map(has_axes, value)):  # bins an axis
                return type(value)([self._plain(role, item, name) for item in value])
            if reductions.counts_axes(self._function, value):
                value = let_settings_out(value, f"{self._name}: {name}")
        if (
            isinstance(value, Traced)
            and (role is Role.COUNTS or role is Role.TYPE)
            and np.ndim(plainly(value)) == 0
        ):
            return let_settings_out(value, f"{self._name}: {name}")
        return self._operand(value)

    def _aim(self, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) == 1:
            return (self._aim(value[0]),)
        if isinstance(value, (Traced, np.ndarray)):  # else NumPy refuses
            self.target = value
        return plainly(value)

    def _items(self, value: Any) -> Any:
        """Add what a list holds, and return it plain: the function makes its one array of it."""
        plain, inside = operands_in(value)
        self.operands += inside or [np.asarray(plain)]
        return plain

    def _operand(self, value: Any) -> Any:
        """Add an operand and return it plain; numbers, types and names are immediates."""
        if type(value) in IMMEDIATES or isinstance(value, (str, type, np.dtype, slice)):
            return value
        if value is None or value is np._NoValue:
            return value
        if isinstance(value, (Traced, Elements, list, tuple)) or type(value) is np.ndarray:
            operand = as_array(self._booking, value, self._name)
        elif isinstance(value, np.ndarray):
            raise UncountedOperationError(
                f"{self._name} was given a {type(value).__name__}, a subclass of arrays, which is "
                "not counted; numpy.asarray makes a plain array of it"
            )
        elif isinstance(value, range):
            operand = np.asarray(value)
        else:
            raise UncountedOperationError(
                f"{self._name} was given a {type(value).__name__}, which has no traffic rule; "
                "pass arrays or numbers"
            )
        self.operands.append(operand)
        if isinstance(value, (list, tuple, range)) and not value:
            return value  # NumPy takes an empty list for an index, an empty array of floats not
        return self.bare(operand)


ARGUMENTS_TAKEN = _Given.__init__.__code__
"""What lets settings out, before a function runs."""


class _Results:
    """Traces what a function returned; ``found`` are the plain arrays that it wrote."""

    def __init__(self, booking: Booking, rule: TrafficRule, given: _Given) -> None:
        self.found: list[Any] = given.call.results
        self.handles: dict[int, list[Operand]] = {}
        for operand, plain in zip(given.operands, given.call.operands, strict=True):
            self.handles.setdefault(id(plain), []).append(operand)
        self._booking = booking
        self._rule = rule
        self._operands = given.call.operands
        self._dtype = given.call.get("dtype")
        self._aim = None if given.target is None else plainly(given.target)
        self._overwrites = rule.overwrites is not None and rule.overwrites(given.call)
        if given.target is not None:
            self.handles[id(self._aim)] = [given.target]

    def wrap(self, answer: Any) -> Any:
        """Return an answer with its arrays and numbers traced."""
        if isinstance(answer, (tuple, list)):
            items = [self.wrap(item) for item in answer]
            if isinstance(answer, list):
                return items
            return type(answer)(*items) if hasattr(answer, "_fields") else tuple(items)
        if type(answer) in (bool, int, float, complex):
            if self._of_objects():
                raise InstrumentError(OBJECTS)
            answer = np.asarray(answer)[()]
        if not isinstance(answer, (np.ndarray, np.generic)):
            return answer
        if answer.ndim == 0 and self._rule.function in SCALARS_STAY and self._is_of_scalar():
            answer = np.asarray(answer)[()]
        given = self._given(answer)
        if given is None:
            return self._shown(answer) if self._rule.views else self._made(answer)
        was_written = answer is self._aim or self._overwrites
        if isinstance(given, Traced):
            if isinstance(answer, np.ndarray) and isinstance(plainly(given), np.generic):
                return self._booking.view(given, answer)  # it shows the scalar's bytes
        elif not was_written:
            return self._made(answer)  # a bare array enters
        if was_written:
            self.found.append(answer)
        return given

    def _is_of_scalar(self) -> bool:
        """Whether the first operand is a scalar."""
        (first, *_) = self.handles[id(self._operands[0])]
        return isinstance(plainly(first), np.generic)

    def _of_objects(self) -> bool:
        """Whether a number is one of Python's because the elements were objects."""
        of_objects = any(operand.dtype.hasobject for operand in self._operands)
        return of_objects or self._dtype in (object, "O")

    def _given(self, array: Any) -> Operand | None:
        """The operand that an answer is: written in place, or handed back as it is."""
        if isinstance(array, np.generic) and not self._rule.views:
            return None  # NumPy's True is one object, whoever made it
        known = self.handles.get(id(array))
        return None if known is None else known[0]

    def _shown(self, array: Any) -> Any:
        """Trace an array that may be a view of an operand, which gives it its role."""
        for operand in self._operands:
            if np.may_share_memory(array, operand) or isinstance(operand, np.generic):
                (first, *_) = self.handles[id(operand)]
                return self._booking.wrap(array, self._booking.role(first))
        return self._made(array)

    def _made(self, array: Any) -> Any:
        """Trace an array, or a number, that the function made."""
        traced = self._booking.wrap_result(array)
        made = memory_of(traced)
        self.handles[id(made)] = [traced]
        if made.size or not self._rule.views:  # an empty copy moves nothing
            self.found.append(made)
        return traced


def _book(
    booking: Booking, rule: TrafficRule, given: _Given, results: _Results, moved: Moved
) -> Entry:
    handles = {key: list(found) for key, found in results.handles.items()}

    def booked(pairs: Any) -> list[Share]:
        """Put operands for plain arrays; one array under two roles is taken in order."""
        found: list[Share] = []
        for array, nbytes in pairs:
            several = handles[id(array)]
            found.append((several.pop(0) if len(several) > 1 else several[0], nbytes))
        return found

    reads = booked(moved.reads)
    writes = booked(moved.writes)
    axes = loops.of_function(given.call) if booking.recorder is not None else ()
    entry = booking.record(rule.name, moved.kind, reads, writes, moved.work, axes)
    for written, nbytes in writes:
        if not isinstance(written, Traced):
            booking.let_out(written, f"numpy.{rule.name} into a plain array", nbytes)
    return entry


def _layouts(wrapped: Any, target: Operand | None, operands: list[Operand]) -> Any:
    """Return the layouts of an answer, for an outcome; NotImplemented if they do not tell it."""
    if wrapped is None:
        return None
    if isinstance(wrapped, Traced):
        if wrapped is target:
            return OUT
        if any(wrapped is operand for operand in operands):
            return NotImplemented
        return layout_of(wrapped)
    if isinstance(wrapped, (tuple, list)):
        parts = [_layouts(item, target, operands) for item in wrapped]
        if NotImplemented not in parts:
            return type(wrapped), parts
    return NotImplemented
