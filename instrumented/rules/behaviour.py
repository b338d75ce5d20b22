"""How NumPy's functions behave towards memory, as tables of names.

Every function that NumPy lets one override stands in exactly one table here or has an odd rule
in :mod:`instrumented.rules.odd_rules`; ``tests/instrumented/rules/test_completeness.py`` holds the
lists against NumPy's own. A name NumPy does not have raises at import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.rules.registry import Call, Function, streaming, traffic_rule

METADATA = """
    can_cast common_type einsum_path iscomplexobj isrealobj may_share_memory min_scalar_type
    ndim result_type shape shares_memory size
""".split()
"""Answered from shapes and types; no element is touched, the answer is a plain value."""

VIEWS_OR_COPIES = """
    array asanyarray asarray ascontiguousarray asfortranarray require
    atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to meshgrid
    reshape ravel squeeze expand_dims transpose matrix_transpose swapaxes moveaxis rollaxis
    flip fliplr flipud rot90 diag diagonal linalg.diagonal linalg.matrix_transpose real imag
    split array_split hsplit vsplit dsplit unstack astype
    append block column_stack concatenate copy delete diagflat dstack hstack insert repeat
    resize roll stack tile tril triu vstack
""".split()
"""Free where the result is a view of an operand; else the operands are read, the result written."""

CREATIONS = """
    zeros ones full eye identity tri arange zeros_like ones_like
""".split()
"""Nothing is read (not even the model of a ``_like``); the result is written."""

ALLOCATIONS = "empty empty_like".split()
"""Memory without content: nothing is read, nothing is written."""

BETWEEN_ARRAYS = """
    dot inner vdot linalg.matmul linalg.vecdot tensordot linalg.tensordot digitize
    take take_along_axis compress put put_along_axis putmask
""".split()
"""Their rules need two arrays; with a number for one of them they are refused."""

DATA_PARAMETERS = frozenset(
    """
    A a a1 a2 a_max a_min append ar arr array ary b bins condition dst fill_value ind
    indices initial m mask max mean min nan neginf obj posinf prepend repeats sorter src v val
    values where x x1 x2 y
    """.split()
)
"""Parameters that are arrays: a list given for one is read like any bare array."""

SEQUENCE_PARAMETERS = frozenset("args arrays arys keys tup xi".split())
"""Parameters that are sequences of arrays."""

SETTING_PARAMETERS = frozenset(
    """
    M N atol axes axis axis1 axis2 casting copy correction ddof decimals destination device dtype
    equal_nan indexing indices_or_sections k keepdims kind kwargs like mode n ndmax ndmin
    new_shape object offset operands optimize ord order out pad_width reps requirements
    return_counts return_index return_inverse right rtol shape shift side sorted source sparse
    stable start start_or_stop step stop subok wrap
    """.split()
)
"""Parameters that say what to do: shapes, axes, types, tolerances, where to split."""


def _reduction(
    folds_per_element: int = 1, *, per_element: Work = NO_WORK
) -> Callable[[Call], Work]:
    def work(call: Call) -> Work:
        return Work(add=_folds(call) * folds_per_element) + per_element * call.size_in

    return work


def _folds(call: Call) -> int:
    started = call.kwargs.get("initial") is not None
    return call.size_in if started else max(0, call.size_in - call.size_out)


def _product_work(call: Call) -> Work:
    return Work(multiply=_folds(call))


def _mean_work(call: Call) -> Work:
    return Work(add=max(0, call.size_in - call.size_out), special=call.size_out)


def _variance_work(call: Call) -> Work:
    # mean (n-1 adds, 1 division), deviations (n), squares (n), their mean (n-1 adds, 1 division)
    n, lines = call.size_in, call.size_out
    means = 2 if call.kwargs.get("mean") is None else 1
    return Work(add=means * max(0, n - lines) + n, multiply=n, special=means * lines)


def _deviation_work(call: Call) -> Work:
    return _variance_work(call) + Work(special=call.size_out)  # the square root


def _range_work(call: Call) -> Work:
    return Work(add=2 * max(0, call.size_in - call.size_out) + call.size_out)


ONE_SELECT = Work(add=1)  # replacing NaN by the neutral element

REDUCTIONS: dict[str, Callable[[Call], Work]] = {
    **dict.fromkeys(
        "sum max min amax amin any all argmax argmin count_nonzero".split(),
        _reduction(),
    ),
    **dict.fromkeys(
        "nansum nanmax nanmin nanargmax nanargmin".split(), _reduction(per_element=ONE_SELECT)
    ),
    "prod": _product_work,
    "mean": _mean_work,
    "var": _variance_work,
    "std": _deviation_work,
    "ptp": _range_work,
}
"""One operand folded along axes: n - 1 operations for n elements."""


def _per_result(work: Work) -> Callable[[Call], Work]:
    return lambda call: work * call.size_out


ELEMENTWISE: dict[str, Callable[[Call], Work]] = {
    **dict.fromkeys("round around fix isreal iscomplex".split(), _per_result(Work(add=1))),
    **dict.fromkeys("isneginf isposinf".split(), _per_result(Work(add=2))),
    "nan_to_num": _per_result(Work(add=3)),  # NaN, +inf and -inf are looked for and replaced
}
"""Each element of the result from the matching elements of the operands."""

REFUSED = """
    angle apply_along_axis apply_over_axes bincount busday_count busday_offset choose convolve
    corrcoef correlate cov cross datetime_as_string diag_indices_from ediff1d extract
    frombuffer fromfile fromfunction fromiter fromstring genfromtxt geomspace gradient
    histogram histogram2d histogram_bin_edges histogramdd i0 interp intersect1d is_busday
    isin ix_ linspace loadtxt logspace median nancumprod nancumsum nanmean nanmedian
    nanpercentile nanprod nanquantile nanstd nanvar packbits partition argpartition percentile
    piecewise place poly polyadd polyder polydiv polyfit polyint polymul polysub polyval
    quantile ravel_multi_index real_if_close roots select setdiff1d setxor1d sinc sort_complex
    trapezoid tril_indices_from trim_zeros triu_indices_from union1d unpackbits unravel_index
    unwrap vander average cumulative_prod cumulative_sum
    lib.stride_tricks.sliding_window_view
    emath.arccos emath.arcsin emath.arctanh emath.log emath.log10 emath.log2 emath.logn
    emath.power emath.sqrt
    linalg.cholesky linalg.cond linalg.cross linalg.det linalg.eig linalg.eigh linalg.eigvals
    linalg.eigvalsh linalg.inv linalg.lstsq linalg.matrix_norm linalg.matrix_power
    linalg.matrix_rank linalg.multi_dot linalg.pinv linalg.qr linalg.slogdet linalg.solve
    linalg.svd linalg.svdvals linalg.tensorinv linalg.tensorsolve
""".split()
"""No rule yet: refused with an error that names the function, never guessed."""

REFUSED_MODULES = ("numpy.lib.recfunctions", "numpy.fft", "numpy.polynomial")
"""Packages of which every function is refused; NumPy lists them once somebody imports them."""

ESCAPING = "array2string array_repr array_str save savetxt savez savez_compressed".split()
"""Values would leave the trace: refused with the explicit way out."""


def functions(names: Iterable[str]) -> Iterator[Function]:
    """Yield the NumPy functions of a table; a name that NumPy lacks raises AttributeError."""
    return (attrgetter(name)(np) for name in names)


FREE = frozenset(functions(METADATA))
VIEWING = frozenset(functions(VIEWS_OR_COPIES))
CREATING = frozenset(functions(CREATIONS))
ALLOCATING = frozenset(functions(ALLOCATIONS))
NEEDING_TWO_ARRAYS = frozenset(functions(BETWEEN_ARRAYS))
REFUSED_FUNCTIONS = frozenset(functions(REFUSED))
ESCAPING_FUNCTIONS = frozenset(functions(ESCAPING))

for _kind, _table in (
    (Kind.REDUCTION, REDUCTIONS),
    (Kind.ELEMENTWISE, ELEMENTWISE),
):
    _by_function: dict[Function, Callable[[Call], Work]] = {}
    for _name, _work in _table.items():
        # numpy.amax is numpy.max under another name in some versions: one rule for both
        _by_function.setdefault(next(functions([_name])), _work)
    for _function, _work in _by_function.items():
        traffic_rule(_function)(streaming(_kind, _work))
