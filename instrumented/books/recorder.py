"""Writes down every operation of a trace as an event, with the identity of its buffers.

Scripts run for long: their recorder lets memory go that is freed.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from instrumented.books.events import OUTSIDE, Access, Axes, BufferInfo, Event
from instrumented.books.ledger import Entry
from instrumented.books.operand import Array, address_of, memory_span, root_of


@contextmanager
def uncollected() -> Iterator[None]:
    """Let no garbage be collected: every time, all events would be looked through for it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Known(NamedTuple):
    """A buffer whose owning array lives: its number and address, and what tells the array by id.

    ``start`` is the address of the owner's first element, ``address`` that of its lowest byte.
    """

    number: int
    address: int
    start: int
    owner: object


class Recorder:
    """Keeps events and buffers; buffers are told apart by the array that owns their memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.buffers: dict[int, BufferInfo] = {}
        self._known: dict[int, Known] = {}

    def __getstate__(self) -> dict[str, Any]:
        # a copy knows no array by its id, and takes no values out of the trace
        return {**self.__dict__, "_known": {}}

    def meet(self, array: Array, role: str, name: str | None, *, preloaded: bool) -> None:
        """Open a buffer for the memory under ``array`` unless it is already known."""
        root = root_of(array)
        if id(root) not in self._known:
            self._open(root, role, name, preloaded=preloaded)

    def access(self, array: Array, role: str, nbytes: int) -> Access:
        """Describe one operand as a strided view of its buffer."""
        root = root_of(array)
        number, address, start, _ = self._known.get(id(root)) or self._open(root, role)
        at = start if array is root else address_of(array)
        return Access(
            number, role, at - address, array.shape, array.strides, array.itemsize, nbytes
        )

    def _open(
        self, root: Array, role: str, name: str | None = None, *, preloaded: bool = False
    ) -> Known:
        """Open a buffer for the memory that an array owns."""
        address, nbytes = memory_span(root)
        number = len(self.buffers)
        known = Known(number, address, address_of(root), self._hold(root))
        self._known[id(root)] = known
        self.buffers[number] = BufferInfo(number, nbytes, role, name, preloaded)
        return known

    def _hold(self, root: Array) -> object:
        """Return what lets an array keep its id for as long as the trace lives: the array."""
        return root

    def write_down(
        self,
        entry: Entry,
        reads: Sequence[Array],
        writes: Sequence[Array],
        step: int,
        fusion: tuple[tuple[str, int], ...],
        axes: Axes = (),
    ) -> None:
        """Append the event of one call of an entry's operation on these very arrays."""
        operation = entry.operation
        place = operation.place
        access = self.access
        self.events.append(
            Event(
                step,
                place.layer,
                place.phase,
                operation.name,
                operation.kind,
                tuple(
                    [
                        access(array, layout.role, nbytes)
                        for array, (layout, nbytes) in zip(reads, operation.reads, strict=True)
                    ]
                ),
                tuple(
                    [
                        access(array, layout.role, nbytes)
                        for array, (layout, nbytes) in zip(writes, operation.writes, strict=True)
                    ]
                ),
                operation.work,
                entry.dtype,
                fusion,
                axes if len(axes) == len(reads) + len(writes) else (),
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

    def write_down(self, entry: Entry, *operands: Any) -> None:
        """Append the event of one call, as long as there is room."""
        if len(self.events) < MOST_EVENTS:
            super().write_down(entry, *operands)
        else:
            self.left_out += 1

    def _hold(self, root: Array) -> object:
        """Return what forgets an array's id when the array is gone."""
        key, known = id(root), self._known
        return weakref.ref(root, lambda _: known.pop(key, None))
