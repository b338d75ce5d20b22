"""Runs ufuncs on traced arrays: the values are NumPy's, the counts those of docs/metric.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from instrumented.array import TracedArray
from instrumented.books.counters import Work
from instrumented.books.events import Axes, Kind
from instrumented.books.ledger import Entry
from instrumented.books.operand import Array
from instrumented.errors import UncountedOperationError
from instrumented.rules.indexing import selected_elements
from instrumented.rules.loops import of_ufunc
from instrumented.rules.ufunc_work import CONTRACTION_UFUNCS, ELEMENT_WORK
from instrumented.rules.unwrap import IMMEDIATES, unwrap, unwrap_index

if TYPE_CHECKING:
    from instrumented.trace import Trace

_COUNTED_BY_INDEX = ("at", "reduceat")  # their work hangs on values: no shortcut by layout

Operand = tuple[TracedArray | Array, int | None]
Outcome = tuple[Any, Entry, Axes]
Method = Callable[["Trace", np.ufunc, tuple[Any, ...], dict[str, Any]], Outcome]


def apply_ufunc(
    trace: Trace, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Run one ufunc call or ufunc method and book it.

    Operands of layouts seen before, in the same place, move the same bytes: such a call finds
    its entry in the books at once and only counts it.
    """
    plain: list[Any] = []
    parts: list[Any] = [trace._place, ufunc, method]
    for value in inputs:
        kind = type(value)
        if kind is TracedArray and value._trace is trace:
            plain.append(value._array)
            parts.append(value._layout)
        elif kind in IMMEDIATES:
            plain.append(value)
            parts.append(kind)
        else:
            return _METHODS[method](trace, ufunc, inputs, kwargs)[0]
    target = None
    if kwargs:
        target = kwargs.get("out", (None,))[0]
        if not _is_simple(trace, kwargs, parts, target):
            return _METHODS[method](trace, ufunc, inputs, kwargs)[0]
        if target is not None:
            kwargs = {**kwargs, "out": (target._array,)}
    key = tuple(parts)
    known = trace._shortcuts.get(key)
    if known is None:
        if target is not None:
            kwargs["out"] = (target,)
        result, entry, axes = _METHODS[method](trace, ufunc, inputs, kwargs)
        if type(result) is TracedArray and method not in _COUNTED_BY_INDEX:
            trace._shortcuts[key] = (entry, result._layout, axes)
        return result
    values = getattr(ufunc, method)(*plain, **kwargs)
    entry, layout, axes = known
    if target is None:
        if type(values) is not np.ndarray:
            values = np.asarray(values)
        result = TracedArray(trace, values, layout)
    else:
        result, values = target, target._array
    entry.calls += 1
    if trace._program is not None:
        trace._program.append(entry.index)
    if trace._recorder is not None:
        arrays = [value for value in plain if type(value) is np.ndarray]
        trace._write_down(entry, arrays, [values], axes)
    return result


def _is_simple(trace: Trace, kwargs: dict[str, Any], parts: list[Any], target: Any) -> bool:
    """Add the keyword arguments to a shortcut's key; False where there can be no shortcut."""
    for name, value in kwargs.items():
        if name == "out":
            if len(value) != 1 or type(target) is not TracedArray or target._trace is not trace:
                return False
            parts.append(("out", target._layout))
        elif value is None or type(value) in (int, bool, tuple, type, str):
            parts.append((name, value))
        else:
            return False
    return True


def power(trace: Trace, base: TracedArray, exponent: Any, target: TracedArray | None) -> Any:
    """Raise to a power as NumPy's own ``**`` does, which squares for an exponent of 2."""
    if type(exponent) in (int, float):
        ufunc, takes_exponent = _power_ufunc(base.dtype, exponent)
        inputs = (base, exponent) if takes_exponent else (base,)
    elif type(exponent) not in (*IMMEDIATES, TracedArray, np.ndarray):
        return NotImplemented
    else:
        ufunc, inputs = np.power, (base, exponent)
    return ufunc(*inputs) if target is None else ufunc(*inputs, out=(target,))


class _Probe(np.ndarray[Any, Any]):
    """Answers with the ufunc that an operator of ndarray would call."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return ufunc, len(inputs) == 2


@lru_cache(maxsize=256, typed=True)
def _power_ufunc(dtype: np.dtype[Any], exponent: float) -> tuple[np.ufunc, bool]:
    chosen: Any = np.empty(1, dtype).view(_Probe) ** exponent
    ufunc, takes_exponent = chosen
    return ufunc, takes_exponent


# ---- operands --------------------------------------------------------------------------


def _unwrap_all(
    trace: Trace, values: tuple[Any, ...], operation: str
) -> tuple[list[Any], list[Operand]]:
    plain: list[Any] = []
    operands: list[Operand] = []
    for value in values:
        bare, operand = unwrap(trace, value, operation)
        plain.append(bare)
        if operand is not None:
            operands.append((operand, None))
    return plain, operands


def _run(
    trace: Trace,
    function: Callable[..., Any],
    name: str,
    plain: list[Any],
    kwargs: dict[str, Any],
    *,
    merges: bool = True,
) -> tuple[list[TracedArray | Array], list[Operand], Any]:
    """Call ``function``; return its results to count, the operands its mask adds, its answer.

    A mask is read, and so is a target that keeps its elements where the mask is False; a
    reduction (``merges=False``) leaves none of them.
    """
    kwargs = dict(kwargs)
    targets = kwargs.pop("out", None) or ()
    masked: list[Operand] = []
    if kwargs.get("where", True) is not True:
        kwargs["where"], mask = unwrap(trace, kwargs["where"], name)
        if mask is not None:
            merged = [(t, None) for t in targets if merges and t is not None]
            masked = [(mask, None), *merged]
    if any(target is not None for target in targets):
        kwargs["out"] = tuple(
            None if target is None else unwrap(trace, target, name)[0] for target in targets
        )
    values = function(*plain, **kwargs)
    several = isinstance(values, tuple)
    found = values if several else (values,)
    aims = targets or (None,) * len(found)
    role = trace._made_role()
    results = [
        trace._wrap(np.asarray(value), role) if aim is None else aim
        for value, aim in zip(found, aims, strict=True)
    ]
    return results, masked, tuple(results) if several else results[0]


# ---- the methods -----------------------------------------------------------------------


def _call(
    trace: Trace, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Outcome:
    name = ufunc.__name__
    kind = Kind.ELEMENTWISE
    if name in CONTRACTION_UFUNCS:
        if "axes" in kwargs:
            raise UncountedOperationError(f"numpy.{name} is not counted with axes; transpose first")
    elif name not in ELEMENT_WORK:
        raise UncountedOperationError(
            f"numpy ufunc {name!r} has no traffic rule; "
            "add it to a table in instrumented/rules/ufunc_work.py"
        )
    plain, operands = _unwrap_all(trace, inputs, name)
    results, masked, answer = _run(trace, ufunc, name, plain, kwargs)
    if name in CONTRACTION_UFUNCS:
        axis = kwargs.get("axis", -1) if name == "vecdot" else -1
        multiply_adds = results[0].size * plain[0].shape[axis]
        work = Work(add=multiply_adds, multiply=multiply_adds)
        is_product = name == "matmul" and min(np.ndim(p) for p in plain) >= 2
        kind = Kind.MATMUL if is_product else Kind.REDUCTION
    else:
        work = ELEMENT_WORK[name] * results[0].size
    writes: list[Operand] = [(result, None) for result in results]
    reads = operands + masked
    axes = of_ufunc(name, "__call__", plain, len(reads), kwargs, results[0].ndim)
    return answer, trace._record(name, kind, reads, writes, work, axes), axes


def _element_work(ufunc: np.ufunc, method: str) -> Work:
    work = ELEMENT_WORK.get(ufunc.__name__)
    if work is None:
        raise UncountedOperationError(
            f"numpy ufunc method {ufunc.__name__}.{method} has no traffic rule; "
            "see instrumented/rules/ufuncs.py"
        )
    return work


def _folding(method: str, folds: Callable[[Array, Any, list[Any], dict[str, Any]], int]) -> Method:
    """Make the handler of a ufunc method that folds an array along an axis."""

    def handle(
        trace: Trace, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Outcome:
        name = f"{ufunc.__name__}.{method}"
        element = _element_work(ufunc, method)
        plain, operands = _unwrap_all(trace, inputs, name)
        results, masked, answer = _run(
            trace, getattr(ufunc, method), name, plain, kwargs, merges=False
        )
        result = results[0]
        count = folds(plain[0], result, plain, kwargs)
        reads, writes = operands + masked, [(result, None)]
        axes = of_ufunc(name, method, plain, len(reads), kwargs, result.ndim)
        work = element * count
        return answer, trace._record(name, Kind.REDUCTION, reads, writes, work, axes), axes

    return handle


def _reduce_folds(array: Array, result: Any, plain: list[Any], kwargs: dict[str, Any]) -> int:
    started = kwargs.get("initial") is not None
    return array.size if started else max(0, array.size - result.size)


def _accumulate_folds(array: Array, result: Any, plain: list[Any], kwargs: dict[str, Any]) -> int:
    length = array.shape[kwargs.get("axis", 0)]
    return array.size - array.size // length if length else 0


def _reduceat_folds(array: Array, result: Any, plain: list[Any], kwargs: dict[str, Any]) -> int:
    axis = kwargs.get("axis", 0)
    length = array.shape[axis]
    starts = np.asarray(plain[1])
    lengths = np.diff(np.append(starts, length))
    folds_per_line = int(np.maximum(lengths - 1, 0).sum())
    return folds_per_line * (array.size // length if length else 0)


def _outer(
    trace: Trace, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]
) -> Outcome:
    name = f"{ufunc.__name__}.outer"
    element = _element_work(ufunc, "outer")
    plain, operands = _unwrap_all(trace, inputs, name)
    results, masked, answer = _run(trace, ufunc.outer, name, plain, kwargs)
    writes: list[Operand] = [(result, None) for result in results]
    work = element * results[0].size
    reads = operands + masked
    axes = of_ufunc(name, "outer", plain, len(reads), kwargs, results[0].ndim)
    return answer, trace._record(name, Kind.ELEMENTWISE, reads, writes, work, axes), axes


def _at(trace: Trace, ufunc: np.ufunc, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
    name = f"{ufunc.__name__}.at"
    element = _element_work(ufunc, "at")
    target, index, *values = inputs
    plain_target, _ = unwrap(trace, target, name)
    plain_index, indices = unwrap_index(trace, index, name)
    plain_values, operands = _unwrap_all(trace, tuple(values), name)
    stored = selected_elements(plain_target.shape, plain_index)
    ufunc.at(plain_target, plain_index, *plain_values)
    moved = stored * plain_target.itemsize
    reads: list[Operand] = [(target, moved), *((i, None) for i in indices), *operands]
    return None, trace._record(name, Kind.SCATTER, reads, [(target, moved)], element * stored), ()


_METHODS: dict[str, Method] = {
    "__call__": _call,
    "reduce": _folding("reduce", _reduce_folds),
    "accumulate": _folding("accumulate", _accumulate_folds),
    "reduceat": _folding("reduceat", _reduceat_folds),
    "outer": _outer,
    "at": _at,
}
