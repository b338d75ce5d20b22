"""Lowering: recorded events and buffers to a table of loop nests, at operation or tile grain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from instrumented.books.events import Access, BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.cuts import ATOM, PACKED_ATOM, Atom, CutNest, cut_nests
from instrumented.lowering.fusion_scopes import scope_instances, see_through
from instrumented.lowering.kinds import Grain
from instrumented.lowering.nest import Lowering, data_sets
from instrumented.lowering.packed import packed
from instrumented.lowering.table import NestTable, tabulate

Key = tuple[int, tuple[int, ...], tuple[int, ...]]
"""What an address is taken over by: bytes, shape and strides."""


def lower(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    grain: str = Grain.OPERATION,
    scopes: Collection[str] | None = (),
    atom: Atom = ATOM,
) -> NestTable:
    """Turn a recorded trace into a table of loop nests.

    Args:
        events: what a trace recorded, in order; several steps.
        buffers: the buffers that the events name.
        grain: ``operation``, one instruction per event (per scope, where fused), ``tile``, see
            ``cuts.py`` and ``walk.py``, or ``packed``, products as the BLAS runs them.
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
    events = see_through(_at_home(events, buffers), scope)
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


def _at_home(events: Sequence[Event], buffers: Mapping[int, BufferInfo]) -> list[Event]:
    """Return the events with every temporary in its home, the buffer that lay there first.

    NumPy's allocator hands a freed array's memory to the next array of that size, so a program that
    makes temporaries works on few addresses. A cache sees addresses, not arrays. A home is taken
    over by the next array of the same bytes, shape and strides that begins with a write of all of
    it; preloaded buffers stay where they are.
    """
    first: dict[int, Access] = {}
    last: dict[int, int] = {}
    whole: set[int] = set()
    for k, event in enumerate(events):
        for access in event.reads + event.writes:
            buffer = access.buffer
            last[buffer] = k
            if buffer not in first:
                first[buffer] = access
                if access in event.writes and access.nbytes == buffers[buffer].nbytes:
                    whole.add(buffer)
    free: dict[Key, list[int]] = defaultdict(list)
    home: dict[int, int] = {}
    away: set[int] = set()
    known: dict[tuple[Access, int], Access] = {}
    result = []
    for k, event in enumerate(events):
        touched = dict.fromkeys([access.buffer for access in event.reads + event.writes])
        for buffer in touched:
            if buffer not in home:
                vacant = free[_key(buffers[buffer], first[buffer])]
                movable = buffer in whole and not buffers[buffer].preloaded
                home[buffer] = vacant.pop() if movable and vacant else buffer
                if home[buffer] != buffer:
                    away.add(buffer)
        result.append(event if away.isdisjoint(touched) else _moved(event, home, known))
        for buffer in touched:
            if last[buffer] == k and not buffers[buffer].preloaded:
                free[_key(buffers[buffer], first[buffer])].append(home[buffer])
    return result


def _key(info: BufferInfo, access: Access) -> Key:
    return info.nbytes, access.shape, access.strides


def _moved(event: Event, home: Mapping[int, int], known: dict[tuple[Access, int], Access]) -> Event:
    """Return an event with its operands at home; ``known`` has those that were moved before."""

    def moved(access: Access) -> Access:
        at = home[access.buffer]
        if at == access.buffer:
            return access
        found = known.get((access, at))
        if found is None:
            found = known[access, at] = access._replace(buffer=at)
        return found

    return event._replace(
        reads=tuple(map(moved, event.reads)), writes=tuple(map(moved, event.writes))
    )
