"""The trace: counts what every array operation moves and computes, exactly and in integers.

And its stand-in that does nothing, so that one code runs traced and untraced.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from instrumented.array import TracedArray
from instrumented.books import frames
from instrumented.books.booking import Booking, check_name, check_plain, check_role
from instrumented.books.counters import NO_TRAFFIC, NO_WORK, Traffic, Work
from instrumented.books.escapes import Line, calling_line
from instrumented.books.events import BufferInfo, Event
from instrumented.books.ledger import Ledger, Signature
from instrumented.books.operand import Array
from instrumented.books.recorder import Recorder
from instrumented.errors import InstrumentError
from instrumented.rules.random_draws import TracedGenerator
from instrumented.scalar import TracedScalar
from instrumented.scopes import Fusion, Scope, Step


class Trace:
    """Counts bytes read, bytes written and flops of the operations on the arrays it hands out.

    The definitions are those of docs/metric.md §2 "Bytes (eager accounting)" and the sections
    beside it: every operation streams its operands in and its results out.

    Args:
        strict: refuse plain NumPy arrays as operands; otherwise they are counted with role
            ``data``.
        record: also keep every operation as an event, which stack distances, memory levels and
            fused accounting need. Costs memory for every operation; meant for a few steps.
        escapes: what happens where a value would become a Python number, a shape, an axis, a
            text or a plain array without ``escape()``: ``"refuse"`` raises
            :class:`instrumented.EscapeError`, ``"record"`` lets it out and books it with the
            line of the user's source. NumPy functions without a traffic rule are then run on
            values let out in the same way, and what they make enters as written.
        computes_up_to: leave memory of more bytes than this as it is: an operation that would
            write its result there (``out=``, in place, by an index) is counted and not carried
            out. What operations move depends on shapes, so the counts are those of the whole
            computation, as long as values decide none of them; the values are not. Memory that
            nobody touches takes none, so arrays may be larger than the machine's.
        line_of_user: with ``"record"``, a function that returns the file and line to book an
            escape on; by default the innermost one outside of NumPy and the instrument.

    Raises:
        InstrumentError: ``escapes`` is neither of the two.
    """

    def __init__(
        self,
        *,
        strict: bool = False,
        record: bool = False,
        escapes: Literal["refuse", "record"] = "refuse",
        computes_up_to: int | None = None,
        line_of_user: Callable[[], Line] = calling_line,
    ) -> None:
        if escapes not in ("refuse", "record"):
            raise InstrumentError(f'escapes is "refuse" or "record", not {escapes!r}')
        self._booking = Booking(
            TracedArray,
            TracedScalar,
            strict=strict,
            refuses_escapes=escapes == "refuse",
            recorder=Recorder() if record else None,
            line_of_user=line_of_user,
            computes_up_to=computes_up_to,
        )

    # ---- arrays in and out -------------------------------------------------------------

    def array(
        self, array: Array, *, role: str = "data", name: str | None = None, copy: bool = False
    ) -> Array:
        """Trace an array that is already in memory: entering costs nothing.

        Returns a :class:`TracedArray`, which type checkers take for the array it stands for.

        The traced array shares the memory of ``array`` (any shape, any dtype but object), both
        ways: what is later written into ``array`` itself changes the traced values and is not
        counted. Its shape and type are its own. With ``copy`` it gets memory of its own.

        Raises:
            InstrumentError: the role is unknown, or ``array`` is not a plain NumPy array.
        """
        check_role(role)
        check_plain(array, "Trace.array")
        array = array.copy() if copy else self._booking.taken(array)
        traced: TracedArray = self._booking.wrap(array, role)
        if self._booking.recorder is not None:
            self._booking.recorder.meet(array, role, name, preloaded=True)
        return cast(Array, traced)

    def made(
        self,
        array: Array,
        *,
        role: str = "temporary",
        name: str | None = None,
        operation: str = "random",
    ) -> Array:
        """Trace an array drawn or made inside a step: nothing read, its bytes written.

        Returns a :class:`TracedArray`, as :meth:`array` does.

        Raises:
            InstrumentError: as :meth:`array`.
        """
        check_role(role)
        check_plain(array, "Trace.made")
        traced: TracedArray = self._booking.wrap(self._booking.taken(array), role)
        if self._booking.recorder is not None:
            self._booking.recorder.meet(array, role, name, preloaded=False)
        self._booking.made(traced, operation)
        return cast(Array, traced)

    def generator(self, generator: np.random.Generator) -> TracedGenerator:
        """Return a generator whose draws are traced: the same values, written as they are made.

        Raises:
            InstrumentError: ``generator`` is no ``numpy.random.Generator``.
        """
        if not isinstance(generator, np.random.Generator):
            raise InstrumentError(
                f"Trace.generator needs a numpy.random.Generator, not "
                f"{type(generator).__name__}; numpy.random.default_rng(seed) makes one"
            )
        return TracedGenerator(self._booking, generator)

    def escape(self, value: Any, *, copy: bool = False) -> Any:
        """Let a value out of the trace, on the record: its bytes count as read.

        Returns the plain array, or a NumPy scalar if it has no axes. The plain array shares the
        memory of the traced one, both ways: what is written into it later is not counted. With
        ``copy`` it has memory of its own.

        Raises:
            InstrumentError: the value is not one of this trace.
        """
        if not isinstance(value, (TracedArray, TracedScalar)):
            raise InstrumentError(
                f"escape was given a {type(value).__name__}; only traced arrays are in the trace"
            )
        self._booking.admit(value, "escape")
        return value.escape(copy=copy)

    def writes(self, array: Array) -> bool:
        """Return whether values of a plain array are computed; others need not be filled."""
        return not self._booking.leaves(array)

    # ---- scopes ------------------------------------------------------------------------

    def scope(
        self, *, layer: str | None = None, phase: str | None = None, makes: str | None = None
    ) -> Scope:
        """Return a context that names layer, phase and role of results; see :class:`Scope`.

        Raises:
            InstrumentError: an unknown role, or a name that is no text or empty.
        """
        for what, name in (("a layer", layer), ("a phase", phase)):
            if name is not None:
                check_name(what, name)
        if makes is not None:
            check_role(makes)
        return Scope(self._booking, layer, phase, makes)

    def step(self, name: str) -> Step:
        """Return a context for one training step; steps do not nest.

        Raises:
            InstrumentError: a name that is no text or empty.
        """
        check_name("a step", name)
        return Step(self._booking, name)

    def fuse(self, name: str) -> Fusion:
        """Return a context for operations that one fused kernel would do.

        Raises:
            InstrumentError: a name that is no text or empty.
        """
        check_name("a fusion scope", name)
        return Fusion(self._booking, name)

    # ---- results -----------------------------------------------------------------------

    @property
    def strict(self) -> bool:
        """Whether plain arrays are refused as operands."""
        return self._booking.strict

    @property
    def ledger(self) -> Ledger:
        """The books: every distinct operation, how often it ran, every distinct step."""
        return self._booking.ledger

    @property
    def events(self) -> list[Event]:
        """Every operation in order; needs ``Trace(record=True)``."""
        return self._recording().events

    @property
    def buffers(self) -> dict[int, BufferInfo]:
        """Every buffer by number; needs ``Trace(record=True)``."""
        return self._recording().buffers

    @property
    def signatures(self) -> list[Signature]:
        """The distinct training steps, in the order in which they first ran."""
        return self.ledger.signatures

    @property
    def traffic(self) -> Traffic:
        """All bytes read and written."""
        return sum((e.operation.traffic * e.calls for e in self.ledger.entries), NO_TRAFFIC)

    @property
    def work(self) -> Work:
        """All arithmetic."""
        return sum((e.operation.work * e.calls for e in self.ledger.entries), NO_WORK)

    @property
    def escapes(self) -> pd.DataFrame:
        """What left the trace: one row per layer and phase, with calls and bytes_read."""
        frame = self.to_frame()
        kept = frame[frame["operation"] == "escape"]
        return kept[["layer", "phase", "calls", "bytes_read"]].reset_index(drop=True)

    @property
    def escapes_by_line(self) -> pd.DataFrame:
        """How and where values left: one row per way, line of the user's source, layer, phase.

        Columns: how (``float()``, ``numpy.reshape: newshape``, ``escape()``, …), file, line,
        layer, phase, calls, bytes_read. Not kept over a resumed run, whose :attr:`escapes` are.
        """
        return frames.by_site(self._booking.escapes)

    @property
    def data_dependent(self) -> pd.DataFrame:
        """Operations whose shapes, and so their bytes, were decided by values.

        What a mask selects, ``nonzero``, ``unique``, ``repeat`` by an array. One row per layer,
        phase and operation, with calls. A program without such rows, and without control flow on
        escaped values, moves the same bytes whatever its data.
        """
        return frames.data_dependent(self.ledger)

    def to_frame(self, *, by_step: bool = False) -> pd.DataFrame:
        """Return calls, flops and bytes per layer, phase and operation (eager accounting).

        With ``by_step`` there is a row per step and operation: ``step`` counts from 0, and -1
        stands for everything outside of steps. All counts are exact integers.
        """
        return frames.by_step(self.ledger) if by_step else frames.by_operation(self.ledger)

    def by_role(self) -> pd.DataFrame:
        """Return the rows of :meth:`to_frame` split by operand role.

        Bytes stand on the role of the operand they moved through; calls and flops on the role
        of the result, so that every column still adds up to the same total.
        """
        return frames.by_role(self.ledger)

    def _repr_html_(self) -> str:
        return frames.html(self.ledger)

    def continue_from(self, ledger: Ledger) -> None:
        """Take over the books of an earlier trace of the same run, in place of this one's.

        What has been counted so far is dropped, the arrays stay. Not for a recording trace.
        """
        self._booking.continue_from(ledger)

    def _recording(self) -> Recorder:
        if self._booking.recorder is None:
            raise InstrumentError("this trace keeps no events; make it with Trace(record=True)")
        return self._booking.recorder


_NOTHING: AbstractContextManager[None] = nullcontext()


class Untraced:
    """Has the methods of :class:`instrumented.Trace`; arrays stay plain NumPy arrays."""

    def array(
        self, array: Array, *, role: str = "data", name: str | None = None, copy: bool = False
    ) -> Array:
        """Return ``array`` itself, or a copy."""
        return array.copy() if copy else array

    def made(
        self,
        array: Array,
        *,
        role: str = "temporary",
        name: str | None = None,
        operation: str = "random",
    ) -> Array:
        """Return ``array`` itself."""
        return array

    def generator(self, generator: np.random.Generator) -> Any:
        """Return ``generator`` itself."""
        return generator

    def escape(self, value: Any, *, copy: bool = False) -> Any:
        """Return ``value`` itself, as a NumPy scalar if it has no axes, or a copy."""
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return value[()]
        return value.copy() if copy else value

    def writes(self, array: Array) -> bool:
        """Return True: all values are computed."""
        return True

    def scope(
        self, *, layer: str | None = None, phase: str | None = None, makes: str | None = None
    ) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING

    def step(self, name: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING

    def fuse(self, name: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING
