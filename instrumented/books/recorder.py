"""Writes down every operation of a trace as an event, with the identity of its buffers.

Scripts run for long: their recorder lets memory go that is freed.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from instrumented.books.events import OUTSIDE, Access, Axes, BufferInfo, Event
from instrumented.books.ledger import Operation
from instrumented.books.operand import Array, address_of, memory_span, root_of


class Recorder:
    """Keeps events and buffers; buffers are told apart by the array that owns their memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.buffers: dict[int, BufferInfo] = {}
        # the owning array is kept so that its id stays its own for as long as the trace lives
        self._known: dict[int, tuple[int, int, object]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # a copy knows no array by its id, and takes no values out of the trace
        return {**self.__dict__, "_known": {}}

    def meet(self, array: Array, role: str, name: str | None, *, preloaded: bool) -> None:
        """Open a buffer for the memory under ``array`` unless it is already known."""
        root = root_of(array)
        if id(root) in self._known:
            return
        address, nbytes = memory_span(root)
        number = len(self.buffers)
        self._known[id(root)] = (number, address, root)
        self.buffers[number] = BufferInfo(number, nbytes, role, name, preloaded)

    def access(self, array: Array, role: str, nbytes: int) -> Access:
        """Describe one operand as a strided view of its buffer."""
        self.meet(array, role, None, preloaded=False)
        number, address, _ = self._known[id(root_of(array))]
        return Access(
            number,
            role,
            address_of(array) - address,
            array.shape,
            array.strides,
            array.itemsize,
            nbytes,
        )

    def write_down(
        self,
        operation: Operation,
        reads: Sequence[Array],
        writes: Sequence[Array],
        step: int,
        fusion: tuple[tuple[str, int], ...],
        axes: Axes = (),
    ) -> None:
        """Append the event of one call of ``operation`` on these very arrays."""
        place = operation.place
        operands = (*operation.reads, *operation.writes)
        self.events.append(
            Event(
                step,
                place.layer,
                place.phase,
                operation.name,
                operation.kind,
                tuple(
                    self.access(array, layout.role, nbytes)
                    for array, (layout, nbytes) in zip(reads, operation.reads, strict=True)
                ),
                tuple(
                    self.access(array, layout.role, nbytes)
                    for array, (layout, nbytes) in zip(writes, operation.writes, strict=True)
                ),
                operation.work,
                operation.dtype,
                fusion,
                axes if len(axes) == len(operands) else (),
            )
        )

    def move_outside(self, step: int) -> None:
        """Take the events of an abandoned step, the last ones, out of every step."""
        for k in range(len(self.events) - 1, -1, -1):
            if self.events[k].step != step:
                break
            self.events[k] = self.events[k]._replace(step=OUTSIDE)


MOST_EVENTS = 1_000_000
"""About 2 GB; what comes later is counted as ever, but not looked at for levels and joules."""


class PassingRecorder(Recorder):
    """Tells buffers apart without keeping their arrays alive.

    A buffer is known for as long as the array that owns its memory lives; a later array in the
    same place is another buffer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out = 0

    def write_down(self, operation: Operation, *operands: Any) -> None:
        """Append the event of one call, as long as there is room."""
        if len(self.events) < MOST_EVENTS:
            super().write_down(operation, *operands)
        else:
            self.left_out += 1

    def meet(self, array: Array, role: str, name: str | None, *, preloaded: bool) -> None:
        """Open a buffer for the memory under ``array`` unless it is already known."""
        root = root_of(array)
        key = id(root)
        if key in self._known:
            return
        address, nbytes = memory_span(root)
        number = len(self.buffers)
        known = self._known
        gone = weakref.ref(root, lambda _: known.pop(key, None))
        known[key] = (number, address, gone)
        self.buffers[number] = BufferInfo(number, nbytes, role, name, preloaded)
