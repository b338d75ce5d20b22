"""Loop nests: which loops an operation runs and which of them move each of its operands.

Elementwise operations loop over the result, reductions over the operand, contractions over
(batch …, m, n, k); the record names the loops where shapes leave them open. What has no such form
(concatenation, gathers, …) streams: every operand in loops of its own, side by side.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from instrumented.books.events import Access, Event, Kind
from instrumented.lowering.packed import KERNEL_ROWS, is_kernel

WHOLE = -1


class Touch(StrEnum):
    """How an operand meets its blocks."""

    ALL = "all"  # every byte of the view
    SOME = "some"  # a scatter: the view keeps its identity, only some bytes are stored
    BOTTOM = "bottom"  # random rows of a data set, priced at the bottom of the stack


@dataclass(frozen=True, slots=True)
class Operand:
    """An access and the loop that moves each of its axes (WHOLE: none, all of it at once)."""

    access: Access
    axes: tuple[int, ...]
    touch: Touch = Touch.ALL


@dataclass(frozen=True, slots=True)
class Nest:
    """Loops (extents, outermost first) and the operands they move.

    A write that some loop does not move is a running partial result: it is read back at every
    visit of its tile but the first. ``product`` says how many of the last loops are the rows, the
    columns and the depth of a matrix product (1, 1, 1: m, n, k); () where it is none.
    ``begin`` is the place of the nest among those that stream side by side, 0 to 1. ``steps`` are
    the extents of one instruction along every loop where the operation sets them itself.
    """

    loops: tuple[int, ...]
    reads: tuple[Operand, ...]
    writes: tuple[Operand, ...]
    product: tuple[int, ...] = ()
    begin: float = 0.0
    end: float = 1.0
    steps: tuple[int, ...] = ()


def data_sets(events: Sequence[Event]) -> set[int]:
    """Return the buffers that are only gathered from, never written: data sets read at random.

    What leaves the trace whole (an escape) only passes by.
    """
    gathered: set[int] = set()
    otherwise: set[int] = set()
    for event in events:
        rows = 1 if event.kind is Kind.GATHER else 0
        for access in event.reads[:rows]:
            gathered.add(access.buffer)
        if event.kind is not Kind.ESCAPE:
            for access in event.reads[rows:]:
                otherwise.add(access.buffer)
        for access in event.writes:
            otherwise.add(access.buffer)
    return gathered - otherwise


def whole(event: Event, data: Collection[int]) -> Nest:
    """Return the operation as one instruction: every operand whole (operation grain).

    ``data`` holds the buffers whose gathers are priced at the bottom of the stack.
    """
    return Nest(
        (),
        tuple(_whole(access, _read_touch(event, k, data)) for k, access in _present(event.reads)),
        tuple(_whole(access, _write_touch(event)) for _, access in _present(event.writes)),
    )


def nests(event: Event, data: Collection[int]) -> list[Nest]:
    """Return the loop nests of an operation: one, or one per operand if it streams."""
    if event.reads and event.writes and all(a.nbytes for a in (*event.reads, *event.writes)):
        nest: Nest | None = None
        if is_kernel(event):
            nest = _said(event)
            return [] if nest is None else [replace(nest, steps=(KERNEL_ROWS, *nest.loops[1:]))]
        if event.kind in (Kind.MATMUL, Kind.REDUCTION) and not event.operation.endswith("reduce"):
            nest = _product(event)
        if nest is None:
            nest = _said(event)
        if nest is None and event.kind is Kind.REDUCTION:
            nest = _reduction(event)
        elif nest is None and event.kind in (Kind.ELEMENTWISE, Kind.COPY):
            nest = _elementwise(event)
        if nest is not None:
            return [nest]
    return _streams(event, data)


class Lowering:
    """Finds the nests of events; events that do the same share them, as the steps of a record do.

    Args:
        data: the buffers whose gathers are priced at the bottom of the stack.
        one_instruction: whether every operation is a single instruction (operation grain).
    """

    def __init__(self, data: Collection[int], *, one_instruction: bool) -> None:
        self.data, self.one_instruction = data, one_instruction
        self._known: dict[object, list[Nest]] = {}

    def of(self, event: Event) -> list[Nest]:
        """Return the nests of an event that touch anything."""
        key = (event.kind, event.operation, event.reads, event.writes, event.axes)
        found = self._known.get(key)
        if found is None:
            lowered = [whole(event, self.data)] if self.one_instruction else nests(event, self.data)
            found = [nest for nest in lowered if nest.reads or nest.writes]
            self._known[key] = found
        return found


def _elementwise(event: Event) -> Nest | None:
    loops = event.writes[0].shape
    return _nest(loops, event, [_broadcast(a, loops) for a in (*event.reads, *event.writes)])


def _reduction(event: Event) -> Nest | None:
    loops = max((a.shape for a in event.reads), key=math.prod)
    axes = [_broadcast(a, loops) for a in event.reads]
    return _nest(loops, event, [*axes, *(_folded(a, loops) for a in event.writes)])


def _product(event: Event) -> Nest | None:
    """Loops (outer …, m, n, k) of any contraction of two operands; None if it has no m and no n.

    Rows move A and the result, columns B and the result, the depth no result; there may be several
    of each (``tensordot``). Loops of all three lie outside, and those over the matrices of a stack:
    ``matmul`` runs one after another, also if they are multiplied by the same. A vector's missing
    loop has extent 1.
    """
    axes = event.axes
    if len(event.reads) != 2 or len(axes) != 3 or any(len(set(one)) < len(one) for one in axes):
        return None
    extent = _extents(event)
    left, right, result = (
        {loop for loop, length in zip(loops, one.shape, strict=True) if length == extent[loop]}
        for loops, one in zip(axes, (*event.reads, *event.writes), strict=True)
    )
    rows, columns = sorted(left & result - right), sorted(right & result - left)
    if event.operation.endswith("matmul"):
        rows, columns = (
            sorted(found, key=lambda loop: (extent[loop] > 1, loop))[-1:]
            for found in (rows, columns)
        )
    if not rows and not columns:
        return None
    depth = sorted(extent.keys() - result)
    tiled = [found or [-1 - k] for k, found in enumerate((rows, columns, depth))]
    inner = [loop for found in tiled for loop in found]
    order = [*(loop for loop in sorted(extent) if loop not in inner), *inner]
    loops = tuple(extent.get(loop, 1) for loop in order)
    moved = [tuple(order.index(loop) for loop in one) for one in axes]
    return _nest(loops, event, moved, product=tuple(map(len, tiled)))


def _said(event: Event) -> Nest | None:
    """The loops that the record names, in its own order."""
    if not event.axes or any(len(set(loops)) < len(loops) for loops in event.axes):
        return None
    extent = _extents(event)
    return _nest(tuple(extent[loop] for loop in sorted(extent)), event, event.axes)


def _extents(event: Event) -> dict[int, int]:
    """Return the extent of every loop that the record names."""
    extent: dict[int, int] = {}
    for loops, access in zip(event.axes, (*event.reads, *event.writes), strict=True):
        for loop, length in zip(loops, access.shape, strict=True):
            extent[loop] = max(extent.get(loop, 1), length)
    return extent


def _nest(
    loops: tuple[int, ...],
    event: Event,
    axes: Sequence[tuple[int, ...] | None],
    *,
    product: tuple[int, ...] = (),
) -> Nest | None:
    """Put operands and their loops together; None if one of them has no place in the loops."""
    operands = []
    for access, moved in zip((*event.reads, *event.writes), axes, strict=True):
        if moved is None:
            return None
        still = (
            WHOLE if loop == WHOLE or extent == 1 or not stride else loop
            for loop, extent, stride in zip(moved, access.shape, access.strides, strict=True)
        )
        operands.append(Operand(access, tuple(still)))
    reads = len(event.reads)
    return Nest(loops, tuple(operands[:reads]), tuple(operands[reads:]), product)


def _broadcast(access: Access, loops: tuple[int, ...]) -> tuple[int, ...] | None:
    """Align axes to the last loops, as NumPy broadcasts; None if an extent does not match."""
    lead = len(loops) - len(access.shape)
    if lead < 0:
        return None
    axes = tuple(range(lead, len(loops)))
    pairs = zip(access.shape, axes, strict=True)
    return axes if all(extent in (1, loops[loop]) for extent, loop in pairs) else None


def _folded(access: Access, loops: tuple[int, ...]) -> tuple[int, ...] | None:
    """Find the loops that a reduction keeps: equal extents, in order, the earliest possible.

    Only where the record names none (``reduceat``, …).
    """
    if len(access.shape) == len(loops):
        return _broadcast(access, loops)
    axes: list[int] = []
    loop = 0
    for extent in access.shape:
        while loop < len(loops) and loops[loop] != extent:
            loop += 1
        if loop == len(loops):
            return None
        axes.append(loop)
        loop += 1
    return tuple(axes)


def _streams(event: Event, data: Collection[int]) -> list[Nest]:
    """Give every operand loops of its own: reads one after the other, writes beside them."""
    reads = [(a, _read_touch(event, k, data)) for k, a in _present(event.reads)]
    total = sum(access.nbytes for access, _ in reads)
    ends = list(itertools.accumulate((access.nbytes / total for access, _ in reads), initial=0.0))
    found = [
        Nest(access.shape, (_alone(access, touch),), (), begin=begin, end=end)
        if touch is not Touch.BOTTOM
        else Nest((), (_whole(access, touch),), (), begin=begin, end=end)
        for (access, touch), (begin, end) in zip(reads, itertools.pairwise(ends), strict=True)
    ]
    found += [
        Nest(access.shape, (), (_alone(access, _write_touch(event)),))
        for _, access in _present(event.writes)
    ]
    return found


def _alone(access: Access, touch: Touch) -> Operand:
    axes = (
        loop if extent > 1 and stride else WHOLE
        for loop, (extent, stride) in enumerate(zip(access.shape, access.strides, strict=True))
    )
    return Operand(access, tuple(axes), touch)


def _whole(access: Access, touch: Touch) -> Operand:
    return Operand(access, (WHOLE,) * len(access.shape), touch)


def _present(accesses: Sequence[Access]) -> list[tuple[int, Access]]:
    """Drop accesses that cover no byte, keep the positions of the others."""
    return [(k, access) for k, access in enumerate(accesses) if access.nbytes]


def _read_touch(event: Event, position: int, data: Collection[int]) -> Touch:
    gathered = event.kind is Kind.GATHER and position == 0
    return Touch.BOTTOM if gathered and event.reads[0].buffer in data else Touch.ALL


def _write_touch(event: Event) -> Touch:
    return Touch.SOME if event.kind is Kind.SCATTER else Touch.ALL
