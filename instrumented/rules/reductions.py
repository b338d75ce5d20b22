"""Rules of NumPy functions that fold an operand along axes: n - 1 operations for n elements."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.books.operand import own_bytes
from instrumented.rules.traffic_rules import Call, Function, Moved, streaming, traffic_rule

ONE_SELECT = Work(add=1)  # replacing NaN by the neutral element


def _folds(call: Call) -> int:
    initial = call.get("initial")
    started = initial is not None and initial is not np._NoValue
    return call.size_in if started else max(0, call.size_in - call.size_out)


def _reduction(per_element: Work = NO_WORK) -> Callable[[Call], Work]:
    return lambda call: Work(add=_folds(call)) + per_element * call.size_in


def _product(per_element: Work = NO_WORK) -> Callable[[Call], Work]:
    return lambda call: Work(multiply=_folds(call)) + per_element * call.size_in


def _mean(per_element: Work = NO_WORK) -> Callable[[Call], Work]:
    def work(call: Call) -> Work:
        folds = max(0, call.size_in - call.size_out)
        return Work(add=folds, special=call.size_out) + per_element * call.size_in

    return work


def _variance(roots: int, per_element: Work = NO_WORK) -> Callable[[Call], Work]:
    def work(call: Call) -> Work:
        # mean (n-1 adds, 1 division), deviations, squares, their mean; a given mean is not made
        n, lines = call.size_in, call.size_out
        means = 1 if isinstance(call.get("mean"), (np.ndarray, np.generic)) else 2
        add = means * max(0, n - lines) + n
        return Work(add, n, (means + roots) * lines) + per_element * n

    return work


def _range(call: Call) -> Work:
    return Work(add=2 * max(0, call.size_in - call.size_out) + call.size_out)


_FOLDED = "a: array, axis, out: out, keepdims, initial: array, where: mask"
_SUMMED = "a: array, axis, dtype, out: out, keepdims, initial: array, where: mask"
_SPREAD = "a: array, axis, dtype, out: out, ddof, keepdims, *, where: mask, mean: array, correction"
_ARG = "a: array, axis, out: out, *, keepdims"

REDUCTIONS: dict[str, Callable[[Call], Work]] = {
    f"sum({_SUMMED})": _reduction(),
    f"max({_FOLDED})": _reduction(),
    f"min({_FOLDED})": _reduction(),
    f"amax({_FOLDED})": _reduction(),
    f"amin({_FOLDED})": _reduction(),
    "any(a: array, axis, out: out, keepdims, *, where: mask)": _reduction(),
    "all(a: array, axis, out: out, keepdims, *, where: mask)": _reduction(),
    f"argmax({_ARG})": _reduction(),
    f"argmin({_ARG})": _reduction(),
    "count_nonzero(a: array, axis, *, keepdims)": _reduction(),
    f"nansum({_SUMMED})": _reduction(ONE_SELECT),
    f"nanmax({_FOLDED})": _reduction(ONE_SELECT),
    f"nanmin({_FOLDED})": _reduction(ONE_SELECT),
    f"nanargmax({_ARG})": _reduction(ONE_SELECT),
    f"nanargmin({_ARG})": _reduction(ONE_SELECT),
    f"prod({_SUMMED})": _product(),
    f"nanprod({_SUMMED})": _product(ONE_SELECT),
    "mean(a: array, axis, dtype, out: out, keepdims, *, where: mask)": _mean(),
    "nanmean(a: array, axis, dtype, out: out, keepdims, *, where: mask)": _mean(ONE_SELECT),
    f"var({_SPREAD})": _variance(roots=0),
    f"std({_SPREAD})": _variance(roots=1),
    f"nanvar({_SPREAD})": _variance(0, ONE_SELECT),
    f"nanstd({_SPREAD})": _variance(1, ONE_SELECT),
    "ptp(a: array, axis, out: out, keepdims)": _range,
}
"""Declarations of functions with one operand that is folded, and their work."""

for _declaration, _work in REDUCTIONS.items():
    traffic_rule(_declaration)(streaming(Kind.REDUCTION, _work))


@traffic_rule("average(a: array, axis, weights: array, returned, *, keepdims)")
def _average(call: Call) -> Moved:
    """With weights: products and their sum, the sum of the weights, one division a result."""
    weights = call.get("weights")
    if not isinstance(weights, (np.ndarray, np.generic)):
        return streaming(Kind.REDUCTION, _mean())(call)
    n, lines = call.size_in, call.size_out
    lines_of_weights = lines if weights.shape == call.operands[0].shape else 1
    folds = max(0, n - lines) + max(0, weights.size - lines_of_weights)
    return streaming(Kind.REDUCTION, Work(folds, n, lines))(call)


@traffic_rule(
    "trace(a: array, offset, axis1, axis2, dtype, out: out)",
    "linalg.trace(x: array, *, offset, dtype)",
)
def _trace(call: Call) -> Moved:
    """Only the diagonals are read and added up."""
    matrix = call.operands[0]
    last_two = (-2, -1) if call.function is np.linalg.trace else (0, 1)
    axes = call.get("axis1", last_two[0]), call.get("axis2", last_two[1])
    diagonals = np.diagonal(matrix, call.get("offset", 0), *axes)
    return Moved(
        Kind.REDUCTION,
        [(matrix, own_bytes(diagonals))],
        [(result, None) for result in call.results],
        Work(add=max(0, diagonals.size - call.size_out)),
    )


_SCAN = "a: array, axis, dtype, out: out"
_CUMULATIVE = "x: array, *, axis, dtype, out: out, include_initial"


def lines_along(array: Any, axis: Any) -> tuple[int, int]:
    """Return how many lines run along ``axis`` (None: the flattened array) and their length."""
    if axis is None or array.ndim == 0:
        return 1, int(array.size)
    length = array.shape[axis[0] if isinstance(axis, tuple) else axis]
    return (array.size // length if length else 0), length


def _scan_folds(call: Call) -> int:
    lines, length = lines_along(call.operands[0], call.get("axis"))
    return lines * max(0, length - 1)


for _name, _work in {
    f"cumsum({_SCAN})": lambda call: Work(add=_scan_folds(call)),
    f"cumulative_sum({_CUMULATIVE})": lambda call: Work(add=_scan_folds(call)),
    f"nancumsum({_SCAN})": lambda call: Work(add=_scan_folds(call) + call.size_in),
    f"cumprod({_SCAN})": lambda call: Work(multiply=_scan_folds(call)),
    f"cumulative_prod({_CUMULATIVE})": lambda call: Work(multiply=_scan_folds(call)),
    f"nancumprod({_SCAN})": lambda call: Work(add=call.size_in, multiply=_scan_folds(call)),
}.items():
    traffic_rule(_name)(streaming(Kind.REDUCTION, _work))


# ---- covariance --------------------------------------------------------------------------


@traffic_rule(
    "cov(m: array, y: array, rowvar, bias, ddof, fweights: array, aweights: array, *, dtype)",
    "corrcoef(x: array, y: array, rowvar, bias, ddof, *, dtype)",
)
def _covariance(call: Call) -> Moved:
    """Means and deviations of v variables, v·v products over the n observations, scaled.

    Correlations divide by two of the v roots more.
    """
    v = math.isqrt(call.size_out)
    observed = call.operands[: 1 if call.get("y") is None else 2]
    n = sum(operand.size for operand in observed) // max(1, v)
    products = v * v * n
    work = Work(v * max(0, n - 1) + v * n + products, products + v * v, v)
    if call.function is np.corrcoef:
        work += Work(special=v + 2 * v * v)
    return streaming(Kind.REDUCTION, work)(call)


# ---- counting into bins ------------------------------------------------------------------


@traffic_rule(
    "bincount(x: array, weights: array, minlength)",
    by_values=lambda call: True,
)
def _bincount(call: Call) -> Moved:
    """The largest is found, then every element adds one, or its weight, to its bin."""
    n = call.size_in
    return streaming(Kind.REDUCTION, Work(add=max(0, n - 1) + n))(call)


@traffic_rule(
    "histogram(a: array, bins: counts, range, density, weights: array)",
    "histogram_bin_edges(a: array, bins: counts, range, weights: array)",
    by_values=lambda call: isinstance(call.get("bins"), str),
)
def _histogram(call: Call) -> Moved:
    """Bins of one width: two operations find an element's, else a binary search; one counts it.

    Without a range the extremes are found first, and the edges are made.
    """
    n, bins = call.size_in, call.get("bins")
    only_edges = call.function is np.histogram_bin_edges
    if np.ndim(bins) == 1 and not isinstance(bins, str):
        element = Work(add=math.ceil(math.log2(np.size(bins) + 1)) + 1)
        return streaming(Kind.REDUCTION, element * (0 if only_edges else n))(call)
    edges = call.results[-1].size
    work = Work(edges, edges)
    if call.get("range") is None:
        work += Work(add=2 * max(0, n - 1))
    return streaming(Kind.REDUCTION, work if only_edges else work + Work(2, 1) * n)(call)


def counts_axes(function: Function, bins: Any) -> bool:
    """Whether a list or vector of numbers has the bins of each axis; three may be edges."""
    return function is np.histogramdd or (function is np.histogram2d and len(bins) <= 2)


def _counts_in_array(call: Call) -> bool:
    bins = call.get("bins")
    return isinstance(bins, np.ndarray) and bins.ndim == 1 and counts_axes(call.function, bins)


@traffic_rule(
    "histogram2d(x: array, y: array, bins: counts, range, density, weights: array)",
    "histogramdd(sample: arrays, bins: counts, range, density, weights: array)",
    by_values=_counts_in_array,
)
def _histogram_of_several(call: Call) -> Moved:
    """For every coordinate a binary search, as NumPy does here; then one count a point."""
    points = np.atleast_1d(call.operands[0]).shape[0]
    counts = call.results[0].shape
    steps = sum(math.ceil(math.log2(count + 2)) + 1 for count in counts)
    extremes = 0 if call.get("range") is not None else 2 * len(counts) * max(0, points - 1)
    return streaming(Kind.REDUCTION, Work(add=points * steps + extremes))(call)
