"""Lowering: recorded events and buffers to a table of loop nests, at operation or tile grain."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from instrumented.books.events import BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.cells import ATOM, PACKED_ATOM, Atom, CutNest, cut_nests
from instrumented.lowering.homes import at_home
from instrumented.lowering.kinds import Grain
from instrumented.lowering.nest import Lowering, data_sets
from instrumented.lowering.packed import packed
from instrumented.lowering.scopes import scope_instances, see_through
from instrumented.lowering.table import Table, tabulate


def lower(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    grain: str = Grain.OPERATION,
    scopes: Collection[str] | None = (),
    atom: Atom = ATOM,
) -> Table:
    """Turn a recorded trace into a table of loop nests.

    Args:
        events: what a trace recorded, in order; several steps.
        buffers: the buffers that the events name.
        grain: ``operation``, one instruction per event (per scope, where fused), ``tile``, see
            ``cells.py`` and ``walk.py``, or ``packed``, products as the BLAS runs them.
        scopes: names of the fusion scopes that are one kernel; None: all. Their products read
            the arrays outside, their elementwise work follows the product's tiles.
        atom: extents of a tile instruction.

    Raises:
        InstrumentError: no event touches a byte.
    """
    if grain == Grain.PACKED:
        events, buffers = packed(events, buffers)
        atom = PACKED_ATOM
    scope = scope_instances(events, scopes)
    events = see_through(at_home(events, buffers), scope)
    one = grain == Grain.OPERATION
    lowering = Lowering(data_sets(events), one_instruction=one)
    found = [(k, nest) for k, event in enumerate(events) for nest in lowering.of(event)]
    if not found:
        raise InstrumentError("no event touches any byte; record a step that computes something")
    cut = (
        [CutNest(k, nest, ()) for k, nest in found]
        if one
        else cut_nests(found, buffers, scope, atom)
    )
    return tabulate(events, scope, buffers, cut, one_instruction=one)
