"""Reading and storing through an index: views are free, elements, gathers and scatters are not."""

from __future__ import annotations

import dis
import math
from collections.abc import Sequence
from types import FrameType
from typing import Any

import numpy as np

from instrumented.books.booking import Booking, Share
from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.operand import Array
from instrumented.books.traced import TEXTS, Traced, booking_of, layout_of, plain_of, plainly
from instrumented.errors import InstrumentError, UncountedOperationError
from instrumented.rules.unwrap import IMMEDIATES, strip, unwrap, unwrap_index

_STORES = frozenset(
    dis.opmap[name] for name in ("STORE_SUBSCR", "STORE_SLICE") if name in dis.opmap
)
_INTEGERS = frozenset((int,))
_BOUNDS = frozenset((int, type(None)))
_BASIC = frozenset((int, slice, type(None), type(Ellipsis)))


def _is_basic(index: Any) -> bool:
    kind = type(index)
    return kind in _BASIC or (kind is tuple and _BASIC.issuperset(map(type, index)))


def read_item(booking: Booking, source: Traced, index: Any) -> Any:
    """Return ``source[index]``: a free view, one element copied out, or a counted gather."""
    array = plain_of(source)
    if _is_basic(index):
        found = array[index]
        if type(found) is np.ndarray:
            return booking.view(source, found)
        return take_element(booking, source, index, found)
    if isinstance(index, Traced) and booking_of(index) is booking and plain_of(index).ndim:
        return _gather(booking, source, plain_of(index), (index,), layout_of(index))
    known = _traced_index(booking, index)
    if known is not None:
        return _gather(booking, source, *known)
    plain, indices = unwrap_index(booking, index, "indexing")
    if _selects_by_copy(plain):
        found = array[plain]
        result = booking.wrap_result(found)
        entry = booking.record(
            "gather",
            Kind.GATHER,
            [(source, found.size * array.itemsize), *((i, None) for i in indices)],
            [(result, None)],
            NO_WORK,
        )
        if has_mask(plain):
            booking.ledger.data_dependent.add(entry.index)
        return result
    found = array[plain]
    if not isinstance(found, np.ndarray):
        return take_element(booking, source, plain, found, indices)
    for position in indices:  # it would show in the view's address
        if isinstance(position, Traced):
            booking.want_out(position, "the position of a view")
    return booking.view(source, found)


def _traced_index(booking: Booking, index: Any) -> tuple[Any, tuple[Traced, ...], Any] | None:
    """Return an index of traced arrays and of what is in the instruction: plain, and the arrays.

    And what is known of it beforehand, a key. None for any other index.
    """
    if isinstance(index, Traced):
        is_array = booking_of(index) is booking and plain_of(index).ndim
        return (plain_of(index), (index,), layout_of(index)) if is_array else None
    if type(index) is not tuple:
        return None
    plain: list[Any] = []
    arrays: list[Traced] = []
    key: list[Any] = []
    for part in index:
        kind = type(part)
        if isinstance(part, Traced):
            if booking_of(part) is not booking or not plain_of(part).ndim:
                return None
            arrays.append(part)
            plain.append(plain_of(part))
            key.append(layout_of(part))
        elif kind is slice and {type(part.start), type(part.stop), type(part.step)} <= _BOUNDS:
            plain.append(part)
            key += slice, part.start, part.stop, part.step
        elif kind in _BASIC and kind is not slice:
            plain.append(part)
            key.append(kind)
        else:
            return None
    return tuple(plain), tuple(arrays), tuple(key)


def _gather(
    booking: Booking, source: Traced, plain: Any, indices: tuple[Traced, ...], known: Any
) -> Any:
    """Take what traced index arrays select; of a mask, the result says how much that is."""
    array = plain_of(source)
    found = array[plain]
    result = booking.wrap_result(found)
    key = (booking.place, "gather", layout_of(source), known, layout_of(result))
    entry = booking.shortcuts.get(key)
    if entry is not None:
        booking.count(entry, (source, *indices), (result,))
        return result
    reads: list[Share] = [(source, found.size * array.itemsize), *((i, None) for i in indices)]
    entry = booking.record("gather", Kind.GATHER, reads, [(result, None)], NO_WORK)
    if has_mask(plain):
        booking.ledger.data_dependent.add(entry.index)
    booking.remember(key, entry)
    return result


def take_element(
    booking: Booking, source: Traced, index: Any, found: Any, indices: list[Any] | None = None
) -> Any:
    """Trace one element taken out: a value of its own, copied as NumPy does."""
    key: tuple[Any, ...] = (booking.place, "element", layout_of(source))
    if type(found) in TEXTS:
        key = (*key, found.dtype)  # its length decides, too
    known = booking.shortcuts.get(key) if not indices else None
    if known is not None:
        entry, layout = known
        result = booking.scalar_type(booking, found, layout)
        if booking.recorder is not None:
            booking.count(entry, (basic_view(plain_of(source), index),), (result,))
            return result
        entry.calls += 1
        if booking.program is not None:
            booking.program.append(entry.index)
        return result
    result = booking.wrap_result(found)
    element = booking.view(source, basic_view(plain_of(source), index))
    reads: list[Share] = [(element, None), *((i, None) for i in indices or ())]
    entry = booking.record("element", Kind.COPY, reads, [(result, None)], NO_WORK)
    if not indices:
        booking.remember(key, (entry, layout_of(result)))
    return result


def read_scalar(booking: Booking, source: Traced, index: Any) -> Any:
    """Return ``source[index]`` of a scalar: itself, a field, or an array with one element."""
    if isinstance(index, tuple) and not index:
        return source
    inside: list[Traced] = []
    found = plain_of(source)[strip(index, inside)]
    if inside:
        return _gather_scalar(booking, source, index, found)
    if not isinstance(found, np.ndarray):
        found = np.asarray(found)[()]  # a field of a record, a letter of a text
    result = booking.wrap_result(found)
    booking.record("element", Kind.COPY, [(source, None)], [(result, None)], NO_WORK)
    return result


def _gather_scalar(booking: Booking, source: Traced, index: Any, found: Array) -> Any:
    """Trace the array that traced truth values select of a scalar: one element, or none."""
    _, indices = unwrap_index(booking, index, "indexing")
    result = booking.wrap_result(found)
    reads: list[Share] = [(source, found.nbytes), *((i, None) for i in indices)]
    entry = booking.record("gather", Kind.GATHER, reads, [(result, None)], NO_WORK)
    booking.ledger.data_dependent.add(entry.index)
    return result


def store_item(booking: Booking, target: Traced, index: Any, value: Any) -> None:
    """Do ``target[index] = value`` and count what was read and stored."""
    array = plain_of(target)
    element = None
    is_counted_only = booking.recorder is None and booking.computes_up_to is None
    if is_counted_only and _is_element(index, array.ndim):
        element = (booking.place, "element", layout_of(target), _source(booking, value))
        entry = booking.shortcuts.get(element)
        if entry is not None:
            array[index] = plainly(value)
            entry.calls += 1
            if booking.program is not None:
                booking.program.append(entry.index)
            return
    values, operand = unwrap(booking, value, "storing")
    if isinstance(value, (list, tuple)):
        values = strip(value, [])  # taken into the target's dtype, not into the list's own first
    plain = index
    if not _is_basic(index):
        known = _traced_index(booking, index)
        if known is not None:
            _scatter(booking, target, known[0], known[1], values, operand, known[2])
            return
        plain, indices = unwrap_index(booking, index, "storing")
        if indices or has_mask(plain):
            _scatter(booking, target, plain, indices, values, operand)
            return
    view = basic_view(array, plain)
    if operand is not None and _is_same(view, values):
        return  # the tail of `a[i] += b`: NumPy skips the copy of values onto themselves
    if booking.computes_up_to is None or not booking.leaves(array):
        array[plain] = values  # not into the view: NumPy refuses a sequence for one element
    role = booking.role(target)
    if operand is None or isinstance(operand, Traced):
        source = None if operand is None else layout_of(operand)
        key = (booking.place, "store", booking.layout_number(view, role), source)
        entry = booking.shortcuts.get(key)
        if entry is not None:
            booking.count(entry, () if operand is None else (operand,), (view,))
            return
    else:
        key = None
        element = None
    written = booking.wrap(view, role)
    reads: list[Share] = [] if operand is None else [(operand, None)]
    kind = Kind.COPY if reads else Kind.CREATE
    entry = booking.record("store", kind, reads, [(written, None)], NO_WORK)
    if key is not None:
        booking.remember(key, entry)
        if element is not None and element[-1] is not None:
            booking.remember(element, entry)


def refuse_swaps_in_c(frame: FrameType) -> None:
    """Refuse to store an array's rows into itself where the caller's line does no such thing.

    Then a function in C does: ``rng.shuffle`` swaps rows, which here are views, and would lose
    some. ``frame`` is the caller's.
    """
    if frame.f_code.co_code[frame.f_lasti] not in _STORES:
        raise InstrumentError(
            "a function in C swaps rows of a traced array, as shuffle does, and would lose some; "
            "use trace.generator(rng), whose shuffle is NumPy's own"
        )


def _is_element(index: Any, ndim: int) -> bool:
    """Return whether an index of Python's integers selects one element."""
    if type(index) is tuple:
        return len(index) == ndim and _INTEGERS.issuperset(map(type, index))
    return type(index) is int and ndim == 1


def _source(booking: Booking, value: Any) -> Any:
    """Return what a stored number is to a shortcut: its layout or type; None for anything else."""
    if isinstance(value, Traced):
        is_number = not isinstance(plain_of(value), np.ndarray)
        return layout_of(value) if is_number and booking_of(value) is booking else None
    return type(value) if type(value) in IMMEDIATES else None


def _scatter(
    booking: Booking,
    target: Traced,
    index: Any,
    indices: Sequence[Any],
    values: Any,
    operand: Any,
    known: Any = None,
) -> None:
    """Store through index arrays; ``known`` is the key of an index that traced ones alone make."""
    array = plain_of(target)
    key = stored = None
    if known is not None and (operand is None or isinstance(operand, Traced)):
        source = None if operand is None else layout_of(operand)
        is_mask = has_mask(index)
        if is_mask and type(index) is np.ndarray:
            stored = np.count_nonzero(index)
        if stored is not None or not is_mask:
            key = (booking.place, "scatter", layout_of(target), known, source, stored)
            entry = booking.shortcuts.get(key)
            if entry is not None:
                if not booking.leaves(array):
                    array[index] = values
                booking.count(entry, [i for i in (operand, *indices) if i is not None], [target])
                return
    before = index_before(array, index)
    if not booking.leaves(array):
        array[index] = values
    moved = selected_elements(array.shape, before) * array.itemsize
    reads: list[Share] = [] if operand is None else [(operand, None)]
    reads += [(i, None) for i in indices]
    entry = booking.record("scatter", Kind.SCATTER, reads, [(target, moved)], NO_WORK)
    if has_mask(index):
        booking.ledger.data_dependent.add(entry.index)
    if key is not None:
        booking.remember(key, entry)


def basic_view(array: Array, index: Any) -> Array:
    """Return the view that a basic index selects, with no axes for a single element."""
    found = array[index]
    if type(found) is not np.ndarray:
        found = array[(*_parts(index), Ellipsis)]
    view: Array = found
    return view


def index_before(target: Array, index: Any) -> Any:
    """Return an index as it is before a store, which changes a mask that is the target itself."""
    if isinstance(index, tuple):
        return tuple(index_before(target, part) for part in index)
    shares = isinstance(index, np.ndarray) and np.may_share_memory(target, index)
    return index.copy() if shares else index


def selected_elements(shape: tuple[int, ...], index: Any) -> int:
    """Return how many elements an index selects from an array of ``shape``."""
    return math.prod(np.broadcast_to(np.False_, shape)[index].shape)


def reinterpret(booking: Booking, source: Traced, dtype: Any) -> Any:
    """Return the bytes of an array under another dtype: a free view."""
    if isinstance(dtype, type) and issubclass(dtype, np.ndarray):
        if dtype is not np.ndarray:
            raise UncountedOperationError(
                f"a view as {dtype.__name__} is not counted; only plain arrays are"
            )
        dtype = np._NoValue
    array = plain_of(source)
    view = array.view() if dtype is np._NoValue else array.view(dtype)
    return booking.view(source, view)


def convert(
    booking: Booking, source: Traced, dtype: Any, order: Any, casting: Any, copy: bool
) -> Any:
    """Return the elements of an array under another dtype, converted: ``ndarray.astype``."""
    array = plain_of(source)
    plain = array.astype(dtype, order=order, casting=casting, copy=copy)
    return source if plain is array else _copied(booking, source, plain, "astype")


def flatten(booking: Booking, source: Traced, order: Any) -> Any:
    """Return a copy of one axis, which owns its memory: ``ndarray.flatten``."""
    return _copied(booking, source, plain_of(source).flatten(order), "copy")


def _copied(booking: Booking, source: Traced, plain: Array, name: str) -> Any:
    """Trace a copy that a method made; an empty one moves nothing."""
    result = booking.wrap_result(plain)
    if plain.size:
        key = (booking.place, name, "copied", layout_of(source), layout_of(result))
        entry = booking.shortcuts.get(key)
        if entry is not None:
            booking.count(entry, [source], [result])
        else:
            reads: list[Share] = [(source, None)]
            entry = booking.record(name, Kind.COPY, reads, [(result, None)], NO_WORK)
            booking.remember(key, entry)
    return result


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _selects_by_copy(index: Any) -> bool:
    """Return whether arrays or Booleans index; integers alone give a view or an element."""
    return any(isinstance(part, (np.ndarray, bool, np.bool)) for part in _parts(index))


def has_mask(index: Any) -> bool:
    """Return whether Booleans index: they select by copying, as many as are true."""
    return any(
        isinstance(part, (bool, np.bool)) or (isinstance(part, np.ndarray) and part.dtype == bool)
        for part in _parts(index)
    )


def _is_same(view: Array, values: Any) -> bool:
    return (
        isinstance(values, np.ndarray)
        and (values.base is not None or values is view.base)  # its memory may be the target's
        and view.shape == values.shape
        and view.strides == values.strides
        and view.dtype == values.dtype
        and np.may_share_memory(view, values)  # a tenth of the time that addresses take
        and view.__array_interface__["data"] == values.__array_interface__["data"]
        and view.flags.writeable  # else NumPy refuses
    )
