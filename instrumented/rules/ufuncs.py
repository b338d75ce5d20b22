"""Runs ufuncs on traced values: the values are NumPy's, the counts those of docs/metric.md."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from instrumented.books.booking import Booking, Share
from instrumented.books.counters import Work
from instrumented.books.events import Axes, Kind
from instrumented.books.ledger import Entry
from instrumented.books.operand import Array
from instrumented.books.traced import Operand, Traced, booking_of, plainly
from instrumented.errors import UncountedOperationError
from instrumented.rules.indexing import has_mask, index_before, selected_elements
from instrumented.rules.loops import of_ufunc
from instrumented.rules.traffic_rules import Kwargs
from instrumented.rules.ufunc_work import CONTRACTIONS, element_work, has_work
from instrumented.rules.unwrap import NUMBERS, let_settings_out, strip, unwrap, unwrap_index

COUNTED_BY_INDEX = ("at", "reduceat")
"""Methods whose work hangs on values: known layouts do not tell it."""

COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
"""Ufuncs that a NumPy scalar on the left hands itself to as an array without axes."""

NO_LOOP: type[TypeError] = sys.modules["numpy._core._exceptions"]._UFuncNoLoopError
"""What a ufunc raises on types that it knows nothing of."""

_ALONE = frozenset((type(None), str, bytes))
"""Types of what is equal to no number, whatever its value."""

Outcome = tuple[Any, Entry, Axes]
Method = Callable[[Booking, np.ufunc, tuple[Any, ...], dict[str, Any]], Outcome]


def run_ufunc(
    booking: Booking, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Kwargs
) -> Outcome:
    """Run one ufunc call or ufunc method; return its answer, its entry in the books, its loops.

    Raises:
        UncountedOperationError: the ufunc has no traffic rule.
    """
    if kwargs:
        name = f"numpy.{ufunc.__name__}"
        kwargs = {
            key: value if key in ("out", "where") else let_settings_out(value, f"{name}: {key}")
            for key, value in kwargs.items()
        }
    return _METHODS[method](booking, ufunc, inputs, kwargs)


def power(base: Any, exponent: Any, target: Any) -> Any:
    """Raise to a power as NumPy's own ``**`` does, which squares for an exponent of 2."""
    plain = plainly(exponent)
    if type(plain) in NUMBERS:
        ufunc, takes_exponent = _power_ufunc(base.dtype, plain)
        inputs = (base, exponent) if takes_exponent else (base,)
    elif not isinstance(plain, (np.ndarray, np.generic, list, tuple)):
        return NotImplemented
    else:
        ufunc, inputs = np.power, (base, exponent)
    given = {} if target is None else {"out": (target,)}
    return base.__array_ufunc__(ufunc, "__call__", *inputs, **given)


def meet_object(ufunc: np.ufunc, value: Traced, other: Any) -> Any:
    """Run an operator on a traced value and what is neither traced nor a number."""
    kind = type(other)
    if getattr(kind, "__array_ufunc__", True) is None:
        return NotImplemented  # its objects tell NumPy to leave every operator to them
    if kind in _ALONE and ufunc in (np.equal, np.not_equal):
        raise UncountedOperationError(ufunc.__name__)  # which has no loop: see `equality`
    return ufunc(value, other)


def equality(method: Any, ufunc: np.ufunc, compare: Callable[[Any, Any], Any]) -> Any:
    """Make ``==`` or ``!=`` of the ufunc's operator: it answers where the ufunc has no loop, too.

    Of records, NumPy compares field by field; a text and a number differ, and all from None.
    Counted as the ufunc; of a single number with None no value is asked.
    """

    def answer(self: Traced, other: Any) -> Any:
        try:
            return method(self, other)
        except NO_LOOP:
            pass  # out of here, so that an error is the one that NumPy raises, alone
        except UncountedOperationError:
            if type(other) not in _ALONE:
                raise
        booking: Booking = booking_of(self)
        name = ufunc.__name__
        if type(other) in _ALONE:
            if other is None and isinstance(plainly(self), np.generic):
                return compare(plainly(self), other)
            plain, reads = _unwrap_all(booking, (self,), name)
            plain.append(other)
        else:
            plain, reads = _unwrap_all(booking, (self, other), name)
        results, _, answer = _run(booking, compare, name, plain, {})
        work = element_work(ufunc) * int(plainly(results[0]).size)
        _book(booking, name, Kind.ELEMENTWISE, reads, results, work, ())
        return answer

    return answer


class _Probe(np.ndarray[Any, Any]):
    """Answers with the ufunc that an operator of ndarray would call."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return ufunc, len(inputs) == 2


@lru_cache(maxsize=256, typed=True)
def _power_ufunc(dtype: np.dtype[Any], exponent: Any) -> tuple[np.ufunc, bool]:
    chosen: Any = np.empty(1, dtype).view(_Probe) ** exponent
    ufunc, takes_exponent = chosen
    if not has_work(ufunc) or (np.dtype(type(exponent)).kind in "fc" and dtype.kind in "iu"):
        return np.power, True  # older versions of NumPy make ones of x**0, and convert first
    return ufunc, takes_exponent


# ---- operands --------------------------------------------------------------------------


def _unwrap_all(
    booking: Booking, values: tuple[Any, ...], operation: str
) -> tuple[list[Any], list[Share]]:
    plain: list[Any] = []
    operands: list[Share] = []
    for value in values:
        bare, operand = unwrap(booking, value, operation)
        plain.append(bare)
        if operand is not None:
            operands.append((operand, None))
    return plain, operands


def _run(
    booking: Booking,
    function: Callable[..., Any],
    name: str,
    plain: list[Any],
    kwargs: Kwargs,
    *,
    merges: bool = True,
) -> tuple[list[Operand], list[Share], Any]:
    """Call ``function``; return its results to count, the operands its mask adds, its answer.

    A mask is read, and so is a target that keeps its elements where the mask is False; a
    reduction (``merges=False``) leaves none of them.
    """
    targets = kwargs.pop("out", None) or ()
    if not isinstance(targets, tuple):
        targets = (targets,)
    masked: list[Share] = []
    if kwargs.get("where", True) is not True:
        kwargs["where"], mask = unwrap(booking, kwargs["where"], name)
        if mask is not None:
            merged = [(t, None) for t in targets if merges and t is not None]
            masked = [(mask, None), *merged]
    if not all(isinstance(target, (Traced, np.ndarray, type(None))) for target in targets):
        raise TypeError("return arrays must be of ArrayType")
    if any(target is not None for target in targets):
        kwargs["out"] = tuple(
            None if target is None else unwrap(booking, target, name)[0] for target in targets
        )
    if targets and all(t is not None and booking.leaves(plainly(t)) for t in targets):
        left = tuple(plainly(target) for target in targets)
        values = left[0] if len(left) == 1 else left
    else:
        values = function(*plain, **kwargs)
    several = isinstance(values, tuple)
    found = values if several else (values,)
    aims = targets or (None,) * len(found)
    results = [
        booking.wrap_result(value) if aim is None else aim
        for value, aim in zip(found, aims, strict=True)
    ]
    return results, masked, tuple(results) if several else results[0]


def _book(
    booking: Booking,
    name: str,
    kind: Kind,
    reads: list[Share],
    results: list[Operand],
    work: Work,
    axes: Axes,
) -> Entry:
    """Book a call; what a plain array received has left the trace."""
    writes: list[Share] = [(result, None) for result in results]
    entry = booking.record(name, kind, reads, writes, work, axes)
    for result in results:
        if not isinstance(result, Traced):
            booking.let_out(result, f"{name} into a plain array")
    return entry


# ---- the methods -----------------------------------------------------------------------


def _call(booking: Booking, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: Kwargs) -> Outcome:
    name = ufunc.__name__
    if ufunc in COMPARISONS:
        inputs = tuple(v[()] if type(v) is np.ndarray and not v.ndim else v for v in inputs)
    is_contraction = ufunc in CONTRACTIONS
    if not is_contraction:
        element = element_work(ufunc)
    plain, operands = _unwrap_all(booking, inputs, name)
    results, masked, answer = _run(booking, ufunc, name, plain, kwargs)
    kind = Kind.ELEMENTWISE
    if is_contraction:
        work = _multiply_adds(name, plain, plainly(results[0]), kwargs)
        is_product = name == "matmul" and min(np.ndim(p) for p in plain) >= 2
        kind = Kind.MATMUL if is_product and "axes" not in kwargs else Kind.REDUCTION
    else:
        work = element * int(plainly(results[0]).size)
    reads = operands + masked
    axes = of_ufunc(name, "__call__", plain, len(reads), kwargs, plainly(results[0]).ndim)
    return answer, _book(booking, name, kind, reads, results, work, axes), axes


def _multiply_adds(name: str, plain: list[Any], result: Any, kwargs: Kwargs) -> Work:
    """One multiply-add per element of the result and of the folded axis."""
    if "axes" in kwargs:  # of the first operand, the folded axis is the last one named
        named = kwargs["axes"][0]
        axis = named[-1] if isinstance(named, tuple) else named
    else:
        axis = kwargs.get("axis", -1) if name == "vecdot" else -1
    count = result.size * plain[0].shape[axis]
    return Work(add=count, multiply=count)


def _folding(method: str, folds: Callable[[Array, Any, list[Any], dict[str, Any]], int]) -> Method:
    """Make the handler of a ufunc method that folds an array along an axis."""

    def handle(
        booking: Booking, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: Kwargs
    ) -> Outcome:
        name = f"{ufunc.__name__}.{method}"
        element = element_work(ufunc, method)
        plain, operands = _unwrap_all(booking, inputs, name)
        if method == "reduceat" and isinstance(inputs[1], (list, tuple)):
            plain[1] = strip(inputs[1], [])  # an empty list is no array of floats
        results, masked, answer = _run(
            booking, getattr(ufunc, method), name, plain, kwargs, merges=False
        )
        result = plainly(results[0])
        work = element * folds(plain[0], result, plain, kwargs)
        reads = operands + masked
        axes = of_ufunc(ufunc.__name__, method, plain, len(reads), kwargs, result.ndim)
        entry = _book(booking, name, Kind.REDUCTION, reads, results, work, axes)
        if method == "reduceat" and isinstance(inputs[1], Traced):
            booking.ledger.data_dependent.add(entry.index)  # how much is folded hangs on values
        return answer, entry, axes

    return handle


def _reduce_folds(array: Array, result: Any, plain: list[Any], kwargs: Kwargs) -> int:
    started = kwargs.get("initial") is not None
    return array.size if started else max(0, array.size - result.size)


def _accumulate_folds(array: Array, result: Any, plain: list[Any], kwargs: Kwargs) -> int:
    length = array.shape[kwargs.get("axis", 0)]
    return array.size - array.size // length if length else 0


def _reduceat_folds(array: Array, result: Any, plain: list[Any], kwargs: Kwargs) -> int:
    axis = kwargs.get("axis", 0)
    length = array.shape[axis]
    starts = np.asarray(plain[1])
    lengths = np.diff(np.append(starts, length))
    folds_per_line = int(np.maximum(lengths - 1, 0).sum())
    return folds_per_line * (array.size // length if length else 0)


def _outer(booking: Booking, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: Kwargs) -> Outcome:
    name = f"{ufunc.__name__}.outer"
    element = element_work(ufunc, "outer")
    plain, operands = _unwrap_all(booking, inputs, name)
    results, masked, answer = _run(booking, ufunc.outer, name, plain, kwargs)
    work = element * int(plainly(results[0]).size)
    reads = operands + masked
    axes = of_ufunc(name, "outer", plain, len(reads), kwargs, plainly(results[0]).ndim)
    return answer, _book(booking, name, Kind.ELEMENTWISE, reads, results, work, axes), axes


def _at(booking: Booking, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: Kwargs) -> Outcome:
    name = f"{ufunc.__name__}.at"
    element = element_work(ufunc, "at")
    target, index, *values = inputs
    plain_target, _ = unwrap(booking, target, name)
    plain_index, indices = unwrap_index(booking, index, name)
    plain_values, operands = _unwrap_all(booking, tuple(values), name)
    before = index_before(plain_target, plain_index)
    if not booking.leaves(plain_target):
        ufunc.at(plain_target, plain_index, *plain_values)
    stored = selected_elements(plain_target.shape, before)
    moved = stored * plain_target.itemsize
    reads: list[Share] = [(target, moved), *((i, None) for i in indices), *operands]
    entry = booking.record(name, Kind.SCATTER, reads, [(target, moved)], element * stored)
    if has_mask(plain_index):
        booking.ledger.data_dependent.add(entry.index)
    if not isinstance(target, Traced):
        booking.let_out(target, f"{name} into a plain array", moved)
    return None, entry, ()


_METHODS: dict[str, Method] = {
    "__call__": _call,
    "reduce": _folding("reduce", _reduce_folds),
    "accumulate": _folding("accumulate", _accumulate_folds),
    "reduceat": _folding("reduceat", _reduceat_folds),
    "outer": _outer,
    "at": _at,
}
