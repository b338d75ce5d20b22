"""A lowered trace: instructions over values, ready to be priced.

A value is what one block holds between two writes. Naming values (and not blocks) says when each
is born and when it is read for the last time, which is all that liveness needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from instrumented.books.events import Access, Event
from instrumented.lowering.uses import Ints

Flags = npt.NDArray[np.bool_]
NO_VALUE = -1


@dataclass(frozen=True, slots=True)
class Values:
    """Every value of a program: bytes, buffer, and whether it is there before or after it.

    ``initial`` values lie in memory when the program starts; ``kept`` ones are alive when it ends
    (the last contents of preloaded buffers, and the gathered rows of a data set).
    """

    sizes: Ints
    buffer: Ints
    initial: Flags
    kept: Flags


@dataclass(frozen=True, slots=True)
class Program:
    """Accesses in instruction order, reads of an instruction before its writes.

    Per access: ``instruction``, ``operand`` (index into ``operands``), ``value`` (NO_VALUE: random
    rows of a data set, at the bottom of the stack), ``nbytes`` moved and ``write``. Per
    instruction: ``event`` and ``place``, where in its event it stands, from 0 to 1. ``operands``
    pairs each operand of each event with the index of that event; ``scope`` gives the fusion scope
    instance of every event, -1 for none.
    """

    events: Sequence[Event]
    operands: Sequence[tuple[int, Access]]
    scope: Ints
    event: Ints
    place: npt.NDArray[np.float64]
    instruction: Ints
    operand: Ints
    value: Ints
    nbytes: Ints
    write: Flags
    contents: Values

    def select(self, chosen: npt.NDArray[np.generic]) -> Program:
        """Return the program with only some accesses, or with all of them in another order."""
        return replace(
            self,
            instruction=self.instruction[chosen],
            operand=self.operand[chosen],
            value=self.value[chosen],
            nbytes=self.nbytes[chosen],
            write=self.write[chosen],
        )

    def arranged(self, group_of_event: Ints) -> Program:
        """Return the program with the instructions of each group of events side by side.

        Instructions of one group run by their place in their events, ties in the old order.
        """
        order = np.lexsort((self.place, group_of_event[self.event]))
        if np.all(order[1:] > order[:-1]):
            return self
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        moved = replace(
            self,
            event=self.event[order],
            place=self.place[order],
            instruction=rank[self.instruction],
        )
        return moved.select(np.argsort(moved.instruction, kind="stable"))

    @property
    def event_of_access(self) -> Ints:
        """Index of the event that makes each access."""
        return np.array([event for event, _ in self.operands], np.int64)[self.operand]

    def in_step(self, step: int) -> Flags:
        """Mark the accesses of one training step."""
        steps = np.array([event.step for event in self.events], np.int64)
        marked: Flags = steps[self.event_of_access] == step
        return marked


def name_values(block: Ints, write: Flags) -> tuple[Ints, Ints, Flags, Flags]:
    """Number the values that accesses, in program order, find in or put into their blocks.

    Args:
        block: block of every access; negative for none.
        write: whether the access writes it.

    Returns:
        value of every access (NO_VALUE without a block); and per value its block, whether it was
        there before the program, and whether it is the last of its block.
    """
    order = np.argsort(block, kind="stable")
    order = order[np.searchsorted(block[order], 0) :]
    ordered = block[order]
    opens = np.ones(ordered.size, np.bool_)
    opens[1:] = ordered[1:] != ordered[:-1]
    initial = opens & ~write[order]
    born = opens | write[order]
    value = np.full(block.size, NO_VALUE, np.int64)
    value[order] = np.cumsum(born) - 1
    home = ordered[born]
    last = np.ones(home.size, np.bool_)
    last[:-1] = home[1:] != home[:-1]
    return value, home, initial[born], last
