"""Homes of buffers: a temporary takes over the address of one that was freed before.

NumPy's allocator hands a freed array's memory to the next array of that size, so a program that
makes temporaries works on few addresses. A cache sees addresses, not arrays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from instrumented.books.events import Access, BufferInfo, Event

Key = tuple[int, tuple[int, ...], tuple[int, ...]]


def at_home(events: Sequence[Event], buffers: Mapping[int, BufferInfo]) -> list[Event]:
    """Return the events with every temporary in its home, the buffer that lay there first.

    A home is taken over by the next array of the same bytes, shape and strides that begins with a
    write of all of it; preloaded buffers stay where they are.
    """
    first: dict[int, Access] = {}
    last: dict[int, int] = {}
    whole: set[int] = set()
    for k, event in enumerate(events):
        for access in (*event.reads, *event.writes):
            last[access.buffer] = k
            if access.buffer not in first:
                first[access.buffer] = access
                if access in event.writes and access.nbytes == buffers[access.buffer].nbytes:
                    whole.add(access.buffer)
    free: dict[Key, list[int]] = defaultdict(list)
    home: dict[int, int] = {}
    known: dict[tuple[Access, int], Access] = {}
    result = []
    for k, event in enumerate(events):
        touched = dict.fromkeys(access.buffer for access in (*event.reads, *event.writes))
        for buffer in touched:
            if buffer not in home:
                vacant = free[_key(buffers[buffer], first[buffer])]
                movable = buffer in whole and not buffers[buffer].preloaded
                home[buffer] = vacant.pop() if movable and vacant else buffer
        result.append(_moved(event, home, known))
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
            found = known[access, at] = replace(access, buffer=at)
        return found

    reads, writes = tuple(map(moved, event.reads)), tuple(map(moved, event.writes))
    if reads == event.reads and writes == event.writes:
        return event
    return replace(event, reads=reads, writes=writes)
