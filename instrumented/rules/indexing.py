"""Reading and storing through an index: views are free, gathers and scatters are not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.operand import Array
from instrumented.rules.unwrap import unwrap, unwrap_index

if TYPE_CHECKING:
    from instrumented.trace import Trace


def read_item(trace: Trace, source: TracedArray, index: Any) -> Any:
    """Return ``source[index]``: a view for a basic index, a counted gather for index arrays."""
    array = source._array
    plain, indices = unwrap_index(trace, index, "indexing")
    if not indices and not _has_mask(plain):
        return source._view(basic_view(array, plain))
    result = np.asarray(array[plain])
    traced = trace._wrap(result, trace._made_role())
    trace._record(
        "gather",
        Kind.GATHER,
        [(source, result.size * array.itemsize), *((i, None) for i in indices)],
        [(traced, None)],
        NO_WORK,
    )
    return traced


def store_item(trace: Trace, target: TracedArray, index: Any, value: Any) -> None:
    """Do ``target[index] = value`` and count what was read and stored."""
    array = target._array
    plain, indices = unwrap_index(trace, index, "storing")
    values, operand = unwrap(trace, value, "storing")
    reads: list[tuple[TracedArray | Array, int | None]] = (
        [] if operand is None else [(operand, None)]
    )
    if indices or _has_mask(plain):
        stored = selected_elements(array.shape, plain) * array.itemsize
        array[plain] = values
        reads += [(i, None) for i in indices]
        trace._record("scatter", Kind.SCATTER, reads, [(target, stored)], NO_WORK)
        return
    view = basic_view(array, plain)
    if operand is not None and _is_same(view, values):
        return  # the tail of `a[i] += b`: NumPy skips the copy of values onto themselves
    view[...] = values
    kind = Kind.COPY if reads else Kind.CREATE
    trace._record("store", kind, reads, [(target._view(view), None)], NO_WORK)


def basic_view(array: Array, index: Any) -> Array:
    """Return the view that a basic index selects, with no axes for a single element."""
    parts = index if isinstance(index, tuple) else (index,)
    view: Array = array[parts if any(p is Ellipsis for p in parts) else (*parts, Ellipsis)]
    return view


def selected_elements(shape: tuple[int, ...], index: Any) -> int:
    """Return how many elements an index selects from an array of ``shape``."""
    return math.prod(np.broadcast_to(np.False_, shape)[index].shape)


def _has_mask(index: Any) -> bool:
    """Return whether a Python or NumPy bool indexes: it selects by copying, as a mask does."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, (bool, np.bool)) for part in parts)


def _is_same(view: Array, values: Any) -> bool:
    return (
        isinstance(values, np.ndarray)
        and view.dtype == values.dtype
        and view.shape == values.shape
        and view.strides == values.strides
        and view.__array_interface__["data"] == values.__array_interface__["data"]
    )
