"""The booking of a trace: the place in force, layouts by number, and every call that is booked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.escapes import Escapes, Line
from instrumented.books.events import OUTSIDE, Axes, Kind
from instrumented.books.ledger import Entry, Ledger, Operation, Place
from instrumented.books.operand import ROLES, Array, Layout, root_of
from instrumented.books.recorder import Recorder
from instrumented.books.traced import (
    TEXTS,
    Operand,
    Traced,
    booking_of,
    layout_of,
    memory_of,
    plain_of,
    plainly,
    traced,
)
from instrumented.errors import BareArrayError, EscapeError, InstrumentError

Share = tuple[Operand, int | None]
"""An operand and the bytes moved through it; None stands for all that it covers."""

MOST_SHORTCUTS = 1 << 16

OBJECTS = "elements of dtype object have no bytes to count; use a numeric dtype"


class Booking:
    """Books what is done with the traced values of one trace.

    Args:
        array_type, scalar_type: classes of the traced values that it hands out.
        strict: refuse plain arrays as operands.
        refuses_escapes: refuse every way out but ``escape()``; else they are recorded.
        recorder: where events go, or None.
        line_of_user: returns the file and line that an escape is booked on.
        computes_up_to: bytes; larger memory that was handed to an operation as its target is not
            written (see :class:`instrumented.Trace`). None: all values are computed.

    Attributes:
        ledger: the books proper.
        place: number of the place in force.
        program: entries of the step under way, or None outside of steps.
        shortcuts: what is known of a call from its place, function and layouts alone.
        fusion: the fusion scopes in force, as (name, instance), from the outermost.
        escapes: where values left.
        recorder: where events go, or None.
    """

    def __init__(
        self,
        array_type: type[Traced],
        scalar_type: type[Traced],
        *,
        strict: bool,
        refuses_escapes: bool,
        recorder: Recorder | None,
        line_of_user: Callable[[], Line],
        computes_up_to: int | None = None,
    ) -> None:
        self.strict = strict
        self.computes_up_to = computes_up_to
        self.refuses_escapes = refuses_escapes
        self.recorder = recorder
        self.ledger = Ledger()
        self.escapes = Escapes(line_of_user)
        self.place = 0
        self.program: list[int] | None = None
        self.fusion: tuple[tuple[str, int], ...] = ()
        self.shortcuts: dict[tuple[Any, ...], Any] = {}
        self.array_type = array_type
        self.scalar_type = scalar_type
        self._fusions = 0
        self._places: list[Place] = [Place("unscoped", "unscoped", "temporary")]
        self._place_numbers = {self._places[0]: 0}
        self._outer_places: list[int] = []
        self._layouts: list[Layout] = []
        self._layout_numbers: tuple[dict[Any, int], dict[Any, int]] = ({}, {})

    # ---- traced values -----------------------------------------------------------------

    def wrap(self, plain: Any, role: str) -> Any:
        """Trace a plain array, or a NumPy scalar, under a role; books nothing."""
        return traced(self, plain, self.layout_number(plain, role))

    def taken(self, array: Array) -> Array:
        """Return a view of an array: whoever holds the array may give it another shape or type."""
        return array.view()

    def view(self, source: Traced, plain: Array) -> Any:
        """Trace a view of a traced value, under its role; books nothing."""
        role = self._layouts[source._layout].role
        return traced(self, plain, self.layout_number(plain, role))

    def wrap_result(self, plain: Any) -> Any:
        """Trace what an operation made, under the role that the scope in force gives."""
        return self.wrap(plain, self._places[self.place].makes)

    def layout_number(self, plain: Any, role: str) -> int:
        """Return the number of the layout of a plain array or NumPy scalar."""
        # a scalar and an array without axes have one layout, but functions treat them differently
        numbers = self._layout_numbers[type(plain) is np.ndarray]
        try:
            layout = (plain.shape, plain.strides, plain.dtype, role)
        except AttributeError:  # an object that an operation on objects made: no NumPy value
            raise InstrumentError(OBJECTS) from None
        number = numbers.get(layout)
        if number is None:
            if plain.dtype.hasobject:
                raise InstrumentError(OBJECTS)
            number = numbers[layout] = len(self._layouts)
            self._layouts.append(Layout(*layout))
        return number

    def layout(self, operand: Operand) -> Layout:
        """Return the layout of an operand; a bare array has the role ``data``."""
        if isinstance(operand, Traced):
            return self._layouts[layout_of(operand)]
        return Layout(operand.shape, operand.strides, operand.dtype, "data")

    def role(self, operand: Operand) -> str:
        """Return the role under which an operand is counted."""
        return self.layout(operand).role

    # ---- what is refused ---------------------------------------------------------------

    def admit(self, operand: Operand, operation: str) -> None:
        """Refuse an operand of another trace, bare objects, and in a strict trace a bare array.

        Objects would be called with plain values: ``x == objects`` asks each of them.
        """
        if isinstance(operand, Traced):
            if booking_of(operand) is not self:
                raise InstrumentError(
                    f"{operation} mixes arrays of two traces; bring both into one with trace.array"
                )
        elif self.strict:
            raise BareArrayError(
                f"a plain array of shape {operand.shape} met a traced one in {operation}; "
                "bring it in with trace.array(…) or trace.made(…)"
            )
        elif operand.dtype.hasobject:
            raise InstrumentError(OBJECTS)

    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call what may run lines of a script, which are places of their own; this one stays."""
        place, answer = self.place, function(*args, **kwargs)
        self.place = place
        return answer

    # ---- what is not computed ----------------------------------------------------------

    def leaves(self, target: Any) -> bool:
        """Whether a plain array lies in memory too large to be written in this trace."""
        most = self.computes_up_to
        return most is not None and root_of(target).nbytes > most

    # ---- calls -------------------------------------------------------------------------

    def record(
        self,
        name: str,
        kind: Kind,
        reads: Sequence[Share],
        writes: Sequence[Share],
        work: Work,
        axes: Axes = (),
    ) -> Entry:
        """Book one call; operands come with the bytes moved through them."""
        operation = Operation(
            self._places[self.place],
            name,
            kind,
            tuple(self._booked(operand, nbytes) for operand, nbytes in reads),
            tuple(self._booked(operand, nbytes) for operand, nbytes in writes),
            work,
        )
        entry = self.ledger.entry(operation)
        if any(type(plainly(operand)) in TEXTS for operand, _ in writes):
            self.ledger.data_dependent.add(entry.index)  # a text alone is as long as its letters
        self.count(
            entry, [operand for operand, _ in reads], [operand for operand, _ in writes], axes
        )
        return entry

    def count(
        self,
        entry: Entry,
        reads: Sequence[Operand],
        writes: Sequence[Operand],
        axes: Axes = (),
    ) -> None:
        """Book one more call of a known operation on these very operands."""
        entry.calls += 1
        if self.program is not None:
            self.program.append(entry.index)
        if self.recorder is not None:
            step = OUTSIDE if self.program is None else len(self.ledger.step_signatures)
            self.recorder.write_down(
                entry,
                [memory_of(operand) for operand in reads],
                [memory_of(operand) for operand in writes],
                step,
                self.fusion,
                axes,
            )

    def take_back(self, entry: Entry, calls: int) -> bool:
        """Take the last calls, all of one entry, out of the books; return whether it is gone."""
        entry.calls -= calls
        if self.program is not None and calls:
            del self.program[-calls:]
        if self.recorder is not None and calls:
            del self.recorder.events[-calls:]
        return self.ledger.drop(entry)

    def made(self, operand: Traced, name: str) -> None:
        """Book an operand as written by an operation that read nothing."""
        key = (self.place, name, "made", operand._layout)
        entry = self.shortcuts.get(key)
        if entry is None:
            self.remember(key, self.record(name, Kind.CREATE, [], [(operand, None)], NO_WORK))
        else:
            self.count(entry, (), (operand,))

    def remember(self, key: tuple[Any, ...], known: Any) -> None:
        """Keep what is known of a call, for the next one with the same key."""
        if len(self.shortcuts) >= MOST_SHORTCUTS:
            self.shortcuts.clear()
        self.shortcuts[key] = known

    def continue_from(self, ledger: Ledger) -> None:
        """Go on in the books of an earlier trace; what was counted so far is dropped."""
        if self.recorder is not None or self.program is not None:
            raise InstrumentError("books change hands between steps, in a trace that records none")
        self.ledger = ledger
        self.shortcuts.clear()

    def _booked(self, operand: Operand, nbytes: int | None) -> tuple[Layout, int]:
        layout = self.layout(operand)
        return layout, layout.nbytes if nbytes is None else nbytes

    # ---- ways out ----------------------------------------------------------------------

    def let_out(self, operand: Operand, how: str, nbytes: int | None = None) -> Any:
        """Record that an operand's values leave, and return them plain."""
        self.leave(operand, how, nbytes)
        return plain_of(operand) if isinstance(operand, Traced) else operand

    def leave(self, operand: Operand, how: str, nbytes: int | None) -> tuple[Entry, list[int]]:
        """Record that an operand's values leave; return the entry and the site's tally."""
        entry = self.record("escape", Kind.ESCAPE, [(operand, nbytes)], [], NO_WORK)
        place = self._places[self.place]
        read = entry.operation.traffic.bytes_read
        return entry, self.escapes.note(how, place.layer, place.phase, read)

    def want_out(self, operand: Traced, how: str, nbytes: int | None = None) -> Any:
        """As :meth:`let_out`, for a way out that nobody asked for by name.

        Raises:
            EscapeError: this trace refuses such ways out.
        """
        if self.refuses_escapes:
            raise EscapeError(
                f"{how} would take values of {self.named(operand)} out of the trace unseen; "
                "call .escape() to take them out on the record"
            )
        return self.let_out(operand, how, nbytes)

    def named(self, operand: Traced) -> str:
        """Describe a traced value without a word about its elements."""
        layout = self.layout(operand)
        return (
            f"{type(operand).__name__}(shape={layout.shape}, dtype={layout.dtype}, "
            f"role={layout.role!r})"
        )

    # ---- places, steps, fusion ---------------------------------------------------------

    def enter_place(self, number: int) -> None:
        """Put a place in force, inside the one that is."""
        self._outer_places.append(self.place)
        self.place = number

    def leave_place(self) -> None:
        """Put the place around in force again."""
        self.place = self._outer_places.pop()

    def place_number(self, layer: str | None, phase: str | None, makes: str | None) -> int:
        """Return the number of a place; what is None it takes from the place in force."""
        around = self._places[self.place]
        place = Place(layer or around.layer, phase or around.phase, makes or around.makes)
        if place not in self._place_numbers:
            self._place_numbers[place] = len(self._places)
            self._places.append(place)
        return self._place_numbers[place]

    def open_step(self) -> None:
        """Begin a step."""
        if self.program is not None:
            raise InstrumentError("a step was opened inside a step; steps do not nest")
        self.program = []

    def close_step(self, name: str) -> None:
        """End a step and book it under its signature."""
        program, self.program = self.program, None
        self.ledger.close_step(name, tuple(program or ()))

    def abandon_step(self) -> None:
        """End a step that is none: its calls stay counted, outside of steps."""
        self.program = None
        if self.recorder is not None:
            self.recorder.move_outside(len(self.ledger.step_signatures))

    def open_fusion(self, name: str) -> None:
        """Begin a fusion scope inside those in force."""
        self._fusions += 1
        self.fusion = (*self.fusion, (name, self._fusions))

    def close_fusion(self) -> None:
        """End the innermost fusion scope."""
        self.fusion = self.fusion[:-1]


def check_role(role: str) -> None:
    """Refuse a role that there is not."""
    if role not in ROLES:
        raise InstrumentError(f"unknown role {role!r}; use one of {', '.join(ROLES)}")


def check_name(what: str, name: str) -> None:
    """Refuse a name that tables could not show, or that could not be told from none."""
    if not isinstance(name, str):
        raise InstrumentError(f"{what} is named by a text, not by {name!r}")
    if not name:
        raise InstrumentError(f"{what} has an empty name; leave it out, or say what it is")


def check_plain(array: Any, taker: str) -> Array:
    """Return ``array`` if it is a NumPy array, of no subclass."""
    if type(array) is not np.ndarray:
        raise InstrumentError(
            f"{taker} needs a numpy.ndarray, not {type(array).__name__}; "
            "wrap it with numpy.asarray first"
        )
    return array
