"""Events of a script: as a trace records them, but memory that is freed is let go."""

from __future__ import annotations

import weakref
from typing import Any

from instrumented.books.events import BufferInfo
from instrumented.books.ledger import Operation
from instrumented.books.operand import Array, memory_span, root_of
from instrumented.books.recorder import Recorder

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
        known[key] = (number, address, gone)  # type: ignore[assignment]  # never looked into
        self.buffers[number] = BufferInfo(number, nbytes, role, name, preloaded)
