"""The trace: counts what every array operation moves and computes, exactly and in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from instrumented.array import TracedArray
from instrumented.books import frames
from instrumented.books.counters import NO_TRAFFIC, NO_WORK, Traffic, Work
from instrumented.books.events import OUTSIDE, Axes, BufferInfo, Event, Kind
from instrumented.books.ledger import Entry, Ledger, Operation, Place, Signature
from instrumented.books.operand import ROLES, Array, Layout
from instrumented.books.recorder import Recorder
from instrumented.errors import BareArrayError, InstrumentError
from instrumented.rules.functions import apply_function
from instrumented.rules.indexing import read_item, store_item
from instrumented.rules.ufuncs import apply_ufunc, power
from instrumented.scopes import Fusion, Scope, Step


class Trace:
    """Counts bytes read, bytes written and flops of the operations on the arrays it hands out.

    The definitions are those of docs/metric.md, sections 1 to 3 (eager accounting: every
    operation streams its operands in and its results out).

    Args:
        strict: refuse plain NumPy arrays as operands; otherwise they are counted with role
            ``data``.
        record: also keep every operation as an event, which stack distances, memory levels and
            fused accounting need. Costs memory for every operation; meant for a few steps.
    """

    def __init__(self, *, strict: bool = False, record: bool = False) -> None:
        self.strict = strict
        self.ledger = Ledger()
        self._recorder = Recorder() if record else None
        self._places: list[Place] = [Place("unscoped", "unscoped", "temporary")]
        self._place_numbers = {self._places[0]: 0}
        self._place = 0
        self._outer_places: list[int] = []
        self._layouts: list[Layout] = []
        self._layout_numbers: dict[Layout, int] = {}
        self._program: list[int] | None = None
        self._fusion: tuple[tuple[str, int], ...] = ()
        self._fusions = 0
        self._shortcuts: dict[tuple[Any, ...], tuple[Entry, int, Axes]] = {}

    # ---- arrays in and out -------------------------------------------------------------

    def array(self, array: Array, *, role: str = "data", name: str | None = None) -> TracedArray:
        """Trace an array that is already in memory: entering costs nothing.

        The traced array shares the memory of ``array`` (any shape, any dtype but object).

        Raises:
            InstrumentError: the role is unknown, or ``array`` is not a plain NumPy array.
        """
        traced = self._entered(array, role, "Trace.array")
        if self._recorder is not None:
            self._recorder.meet(array, role, name, preloaded=True)
        return traced

    def made(
        self,
        array: Array,
        *,
        role: str = "temporary",
        name: str | None = None,
        operation: str = "random",
    ) -> TracedArray:
        """Trace an array drawn or made inside a step: nothing read, its bytes written.

        Raises:
            InstrumentError: as :meth:`array`.
        """
        traced = self._entered(array, role, "Trace.made")
        if self._recorder is not None:
            self._recorder.meet(array, role, name, preloaded=False)
        self._record(operation, Kind.CREATE, [], [(traced, None)], NO_WORK)
        return traced

    def escape(self, array: TracedArray) -> Any:
        """Let a value out of the trace, on the record: its bytes count as read.

        Returns the plain array (shared memory), or a NumPy scalar if it has no axes.

        Raises:
            InstrumentError: the array is not one of this trace.
        """
        if not isinstance(array, TracedArray):
            raise InstrumentError(
                f"escape was given a {type(array).__name__}; only traced arrays are in the trace"
            )
        self._refuse_foreign(array, "escape")
        self._record("escape", Kind.ESCAPE, [(array, None)], [], NO_WORK)
        plain = array._array
        return plain[()] if plain.ndim == 0 else plain

    # ---- scopes ------------------------------------------------------------------------

    def scope(
        self, *, layer: str | None = None, phase: str | None = None, makes: str | None = None
    ) -> Scope:
        """Return a context that names layer, phase and role of results; see :class:`Scope`."""
        if makes is not None:
            _check_role(makes)
        return Scope(self, layer, phase, makes)

    def step(self, name: str) -> Step:
        """Return a context for one training step; steps do not nest."""
        return Step(self, name)

    def fuse(self, name: str) -> Fusion:
        """Return a context for operations that one fused kernel would do."""
        return Fusion(self, name)

    # ---- results -----------------------------------------------------------------------

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
        if self._recorder is not None or self._program is not None:
            raise InstrumentError("books change hands between steps, in a trace that records none")
        self.ledger = ledger
        self._shortcuts.clear()

    # ---- what arrays do (called by TracedArray) -----------------------------------------

    _apply_ufunc = apply_ufunc
    _apply_function = apply_function
    _power = power
    _read_item = read_item
    _store_item = store_item

    # ---- counting ----------------------------------------------------------------------

    def _record(
        self,
        name: str,
        kind: Kind,
        reads: Sequence[tuple[TracedArray | Array, int | None]],
        writes: Sequence[tuple[TracedArray | Array, int | None]],
        work: Work,
        axes: Axes = (),
    ) -> Entry:
        """Book one call; operands come with the bytes moved (None: all that they cover)."""
        operation = Operation(
            self._places[self._place],
            name,
            kind,
            tuple(self._booked(operand, nbytes) for operand, nbytes in reads),
            tuple(self._booked(operand, nbytes) for operand, nbytes in writes),
            work,
        )
        entry = self.ledger.entry(operation)
        self._count(entry, [_plain(a) for a, _ in reads], [_plain(a) for a, _ in writes], axes)
        return entry

    def _count(
        self, entry: Entry, reads: Sequence[Array], writes: Sequence[Array], axes: Axes
    ) -> None:
        entry.calls += 1
        if self._program is not None:
            self._program.append(entry.index)
        if self._recorder is not None:
            self._write_down(entry, reads, writes, axes)

    def _write_down(
        self, entry: Entry, reads: Sequence[Array], writes: Sequence[Array], axes: Axes
    ) -> None:
        step = OUTSIDE if self._program is None else len(self.ledger.step_signatures)
        self._recording().write_down(entry.operation, reads, writes, step, self._fusion, axes)

    def _booked(self, operand: TracedArray | Array, nbytes: int | None) -> tuple[Layout, int]:
        if type(operand) is TracedArray:
            layout = self._layouts[operand._layout]
        else:
            layout = Layout(operand.shape, operand.strides, operand.dtype, "data")
        return layout, layout.nbytes if nbytes is None else nbytes

    def _entered(self, array: Array, role: str, operation: str) -> TracedArray:
        if type(array) is not np.ndarray:
            raise InstrumentError(
                f"{operation} needs a numpy.ndarray, not {type(array).__name__}; "
                "wrap it with numpy.asarray first"
            )
        _check_role(role)
        return self._wrap(array, role)

    def _wrap(self, array: Array, role: str) -> TracedArray:
        return TracedArray(self, array, self._layout(array, role))

    def _layout(self, array: Array, role: str) -> int:
        layout = Layout(array.shape, array.strides, array.dtype, role)
        number = self._layout_numbers.get(layout)
        if number is None:
            if array.dtype.hasobject:
                raise InstrumentError(
                    "elements of dtype object have no bytes to count; use a numeric dtype"
                )
            number = self._layout_numbers[layout] = len(self._layouts)
            self._layouts.append(layout)
        return number

    def _role_of(self, array: TracedArray) -> str:
        return self._layouts[array._layout].role

    def _made_role(self) -> str:
        return self._places[self._place].makes

    def _refuse_foreign(self, array: TracedArray, operation: str) -> None:
        if array._trace is not self:
            raise InstrumentError(
                f"{operation} mixes arrays of two traces; bring both into one with trace.array"
            )

    def _refuse_bare(self, array: Array, operation: str) -> None:
        if self.strict:
            raise BareArrayError(
                f"a plain array of shape {array.shape} met a traced one in {operation}; "
                "bring it in with trace.array(…) or trace.made(…)"
            )

    def _resolve_place(
        self, outer: int, layer: str | None, phase: str | None, makes: str | None
    ) -> int:
        around = self._places[outer]
        place = Place(layer or around.layer, phase or around.phase, makes or around.makes)
        if place not in self._place_numbers:
            self._place_numbers[place] = len(self._places)
            self._places.append(place)
        return self._place_numbers[place]

    def _open_step(self) -> None:
        if self._program is not None:
            raise InstrumentError("a step was opened inside a step; steps do not nest")
        self._program = []

    def _close_step(self, name: str) -> None:
        program, self._program = self._program, None
        self.ledger.close_step(name, tuple(program or ()))

    def _abandon_step(self) -> None:
        self._program = None
        if self._recorder is not None:
            self._recorder.move_outside(len(self.ledger.step_signatures))

    def _recording(self) -> Recorder:
        if self._recorder is None:
            raise InstrumentError("this trace keeps no events; make it with Trace(record=True)")
        return self._recorder


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise InstrumentError(f"unknown role {role!r}; use one of {', '.join(ROLES)}")


def _plain(operand: TracedArray | Array) -> Array:
    return operand._array if isinstance(operand, TracedArray) else operand
