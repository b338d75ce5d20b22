"""From traced arrays, plain arrays and constants to plain values and operands to count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.operand import Array
from instrumented.errors import UncountedOperationError

if TYPE_CHECKING:
    from instrumented.trace import Trace

IMMEDIATES = frozenset((bool, int, float, complex, *np.sctypeDict.values()))
"""Types of constants that live in the instruction, not in memory: 0 bytes."""


def unwrap(trace: Trace, value: Any, operation: str) -> tuple[Any, TracedArray | Array | None]:
    """Return the plain value, and the operand to count (None for an immediate)."""
    if isinstance(value, TracedArray):
        trace._refuse_foreign(value, operation)
        return value._array, value
    if type(value) in IMMEDIATES:
        return value, None
    if isinstance(value, (np.ndarray, list, tuple)):
        array = np.asarray(value)
        trace._refuse_bare(array, operation)
        return array, array
    raise UncountedOperationError(
        f"{operation} was given a {type(value).__name__}, which has no traffic rule; "
        "pass arrays or numbers"
    )


def unwrap_index(trace: Trace, index: Any, operation: str) -> tuple[Any, list[TracedArray | Array]]:
    """Return an index of plain values, and the index arrays to count.

    Integers, slices, ``None`` and ``...`` are immediates; arrays, lists and tuples inside the
    index are index arrays.
    """
    if isinstance(index, tuple):
        parts = [
            unwrap_index(trace, list(part) if isinstance(part, tuple) else part, operation)
            for part in index
        ]
        return tuple(p for p, _ in parts), [a for _, found in parts for a in found]
    if index is None or index is Ellipsis or isinstance(index, slice):
        return index, []
    plain, operand = unwrap(trace, index, operation)
    if isinstance(index, list) and plain.size == 0:
        plain = plain.astype(np.intp)
    return plain, [] if operand is None else [operand]
