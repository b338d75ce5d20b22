"""What a recording trace writes down: one event per array operation, with its exact operands.

Counting (``Trace``) needs only totals. Stack distances, memory levels, live memory and fused
accounting need the order of operations and which bytes of which buffer each one touched; a
trace made with ``record=True`` keeps that as a list of :class:`Event`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from instrumented.books.counters import Work

OUTSIDE = -1
"""Step index of events that happened outside every ``trace.step``."""


Axes = tuple[tuple[int, ...], ...]
"""For each operand, reads before writes, the number of the loop that each of its axes runs with."""


class Kind(StrEnum):
    """What an operation does with its operands; decides how it is lowered."""

    ELEMENTWISE = "elementwise"  # each result element from the matching operand elements
    REDUCTION = "reduction"  # one operand, some axes folded away
    MATMUL = "matmul"  # reads[0] (…, m, k) @ reads[1] (…, k, n) -> writes[0] (…, m, n)
    COPY = "copy"  # bytes moved, order may change: copy, concatenate, pad, sort
    GATHER = "gather"  # reads[0] through an index array
    SCATTER = "scatter"  # writes[0] through an index array
    CREATE = "create"  # no operand: zeros, random draws
    ESCAPE = "escape"  # a value leaves the trace


class Access(NamedTuple):
    """One operand of one operation: a strided view of a buffer.

    ``buffer`` is the identity of the underlying allocation, ``offset`` the byte at which element
    (0, …, 0) of the view lies, ``strides`` are in bytes (0 along broadcast axes, negative for
    reversed views). ``nbytes`` is what the operation moves through this operand (METRIC
    section 2); for gathers and scatters it is less than the extent of the view.
    """

    buffer: int
    role: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    itemsize: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class BufferInfo:
    """What is known of a buffer: its size, role and name, and whether it was preloaded.

    ``preloaded`` buffers entered through ``trace.array`` (weights, optimiser state, data,
    workspaces) and are alive from the start; the others were born in an event.
    """

    buffer: int
    nbytes: int
    role: str
    name: str | None
    preloaded: bool


class Event(NamedTuple):
    """One array operation: where it belongs, what it read in order, what it wrote, what it did.

    ``fusion`` lists the enclosing fusion scopes from the outermost to the innermost as
    (name, instance) pairs; two events share a scope instance exactly when the pair is equal.
    ``dtype`` is the NumPy name of the type the arithmetic was done in. ``axes`` names the loops of
    a contraction or reduction where shapes leave them open; () where NumPy's alignment says it.
    """

    step: int
    layer: str
    phase: str
    operation: str
    kind: Kind
    reads: tuple[Access, ...]
    writes: tuple[Access, ...]
    work: Work
    dtype: str
    fusion: tuple[tuple[str, int], ...] = ()
    axes: Axes = ()
