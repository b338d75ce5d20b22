"""Rules of NumPy functions that sort, select and search.

By definition, whatever the data: sorting a line of n elements is n·⌈log2 n⌉ comparisons, selecting
one position of it 3·n (quickselect's average), never more than the sort.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from instrumented.books.counters import Work
from instrumented.books.events import Kind
from instrumented.rules.reductions import lines_along
from instrumented.rules.traffic_rules import (
    Call,
    Moved,
    Movement,
    Parameters,
    TrafficRule,
    streaming,
    traffic_rule,
)


def comparisons_to_sort(length: int) -> int:
    """Return the comparisons that a line takes."""
    return length * math.ceil(math.log2(length)) if length > 1 else 0


def comparisons_to_select(length: int, positions: int) -> int:
    """Return the comparisons to put the elements of some positions of a line where they belong."""
    return min(3 * length * positions, comparisons_to_sort(length))


@traffic_rule(
    "sort(a: array, axis, kind, order, *, stable, descending)",
    "argsort(a: array, axis, kind, order, *, stable, descending)",
    "sort_complex(a: array)",
)
def _sort(call: Call) -> Moved:
    lines, length = lines_along(np.atleast_1d(call.operands[0]), call.get("axis", -1))
    return streaming(Kind.COPY, Work(add=lines * comparisons_to_sort(length)))(call)


@traffic_rule("lexsort(keys: arrays, axis)")
def _lexsort(call: Call) -> Moved:
    """One sort a key, the least important first."""
    keys = call.get("keys")
    lines, length = lines_along(call.results[0], call.get("axis", -1))
    return streaming(Kind.COPY, Work(add=len(keys) * lines * comparisons_to_sort(length)))(call)


@traffic_rule(
    "partition(a: array, kth, axis, kind, order)", "argpartition(a: array, kth, axis, kind, order)"
)
def _partition(call: Call) -> Moved:
    lines, length = lines_along(call.operands[0], call.get("axis", -1))
    work = lines * comparisons_to_select(length, int(np.size(call.get("kth"))))
    return streaming(Kind.COPY, Work(add=work))(call)


def _in_place(moved: Movement) -> Movement:
    """Make the rule of a method that leaves its result where its operand was."""

    def in_place(call: Call) -> Moved:
        (target,) = call.results = call.operands
        found = moved(call)
        return Moved(found.kind, [(target, None)], [(target, None)], found.work)

    return in_place


IN_PLACE = {
    "sort": TrafficRule(
        np.ndarray.sort,
        "sort",
        Parameters.parse("a: array, axis, kind, order, *, stable, descending"),
        _in_place(_sort),
        writes=True,
    ),
    "partition": TrafficRule(
        np.ndarray.partition,
        "partition",
        Parameters.parse("a: array, kth, axis, kind, order"),
        _in_place(_partition),
        writes=True,
    ),
}
"""Methods of arrays that put their own elements in order."""

_QUANTILE = (
    "a: array, q: array, axis, out: out, overwrite_input, method, keepdims, *, weights: array, "
    "interpolation"
)
_MEDIAN = "a: array, axis, out: out, overwrite_input, keepdims"


def _type_by_nan(call: Call) -> bool:
    """Whether NaN comes in the input's type, and other results in the wider one of the quantile."""
    source, quantile = call.operands[0].dtype, call.get("q")
    is_wider = isinstance(quantile, (np.ndarray, np.generic)) and source.kind in "fc"
    return is_wider and bool(np.result_type(source, quantile.dtype) != source)


@traffic_rule(
    f"median({_MEDIAN})",
    f"nanmedian({_MEDIAN})",
    f"percentile({_QUANTILE})",
    f"quantile({_QUANTILE})",
    f"nanpercentile({_QUANTILE})",
    f"nanquantile({_QUANTILE})",
    by_values=_type_by_nan,
)
def _quantiles(call: Call) -> Moved:
    """Two neighbours selected, then a + (b - a)·t; a median halves their sum.

    NaN is looked for in every element by the functions that leave it out. An input that may be
    overwritten is left partly sorted.
    """
    n, results = call.size_in, call.size_out
    quantiles = int(np.size(call.get("q", 0)))
    lines = results // quantiles if quantiles else 0
    length = n // lines if lines else 0
    add = lines * comparisons_to_select(length, quantiles)
    if call.function.__name__.startswith("nan"):
        add += n
    element = Work(1, 0, 1) if "median" in call.function.__name__ else Work(2, 1)
    moved = streaming(Kind.REDUCTION, Work(add=add) + element * results)(call)
    source, overwritten = call.operands[0], call.get("overwrite_input", False)
    if overwritten and (call.get("axis") is not None or source.flags.c_contiguous):
        moved.writes = [*moved.writes, (source, None)]
    return moved


# ---- sets --------------------------------------------------------------------------------


@traffic_rule(
    "unique(ar: array, return_index, return_inverse, return_counts, axis, *, equal_nan, sorted)",
    "unique_all(x: array)",
    "unique_counts(x: array)",
    "unique_inverse(x: array)",
    "unique_values(x: array)",
    by_values=lambda call: True,
)
def _unique(call: Call) -> Moved:
    """Sorted, then neighbours are compared; along an axis, the comparisons are of whole slices."""
    n, width, axis = call.size_in, 1, call.get("axis")
    if axis is not None:
        length = call.operands[0].shape[axis]
        n, width = length, (n // length if length else 0)
    work = Work(add=(comparisons_to_sort(n) + max(0, n - 1)) * width)
    return streaming(Kind.COPY, work)(call)


@traffic_rule(
    "intersect1d(ar1: array, ar2: array, assume_unique, return_indices)",
    "union1d(ar1: array, ar2: array)",
    "setdiff1d(ar1: array, ar2: array, assume_unique)",
    "setxor1d(ar1: array, ar2: array, assume_unique)",
    by_values=lambda call: True,
)
def _sets(call: Call) -> Moved:
    """Both sorted together, then neighbours are compared."""
    n = sum(operand.size for operand in call.operands)
    return streaming(Kind.COPY, Work(add=comparisons_to_sort(n) + max(0, n - 1)))(call)


@traffic_rule(
    "isin(element: array, test_elements: array, assume_unique, invert, *, kind)",
    "in1d(ar1: array, ar2: array, assume_unique, invert, *, kind)",
)
def _isin(call: Call) -> Moved:
    """The tests are sorted, then every element is looked up."""
    tests = int(np.size(call.get("test_elements", call.get("ar2"))))
    work = comparisons_to_sort(tests) + call.size_out * _steps(tests)
    return streaming(Kind.GATHER, Work(add=work))(call)


# ---- searching ---------------------------------------------------------------------------


def _steps(table: int) -> int:
    """Comparisons of a binary search."""
    return math.ceil(math.log2(table + 1))


@traffic_rule("searchsorted(a: array, v: array, side, sorter: array)")
def _searchsorted(call: Call) -> Moved:
    return _looked_up(call, call.get("a"))


@traffic_rule("digitize(x: array, bins: array, right)")
def _digitize(call: Call) -> Moved:
    return _looked_up(call, call.get("bins"))


def _looked_up(call: Call, table: Any) -> Moved:
    work = Work(add=call.size_out * _steps(int(np.size(table))))
    return streaming(Kind.GATHER, work)(call)
