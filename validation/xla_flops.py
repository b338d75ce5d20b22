"""The rules by which flops counted here and XLA's may differ, each with its check.

Where XLA computes by other instructions or by another algorithm, its formula is checked, or both
counts are bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product

from validation.xla_bytes import EQUAL, UNEXPLAINED, Figure, extents
from validation.xla_cases import PRODUCTS

FLOP_RULES = {
    EQUAL: "the same integer",
    "several instructions": "both are linear, k·n + j, with the same whole k and j at every size; "
    "k is 20 at most here and 250 in XLA, which writes a function as several instructions, and "
    "converts types by one",
    "products": "XLA sums from the first product on, scales, or folds in parts: at most a flop a "
    "result and 8 (of several products three a result); operands converted from 16 bits add one "
    "an element; a complex multiply-add is up to eight of XLA's",
    "sorts": "XLA's formula N·⌈log2 N⌉ for all N elements, and at most 1 an element besides; here "
    "n·⌈log2 n⌉ for each line",
    "order statistics": "here a selection: 1 an element at least, a sort and 4 at most; XLA sorts "
    "once or twice, and does at most 12 besides",
    "sets": "here one sort of all, and neighbours compared; XLA sorts several times and sums up "
    "positions, at most 130 an element",
    "running windows": "XLA's formula of sums in windows of 16, and whole passes besides",
    "positions": "here nothing is computed, or one comparison an element; XLA computes where "
    "elements lie, at most 70 flops each",
    "all pairs": "here n searches in a sorted table of m; XLA compares all pairs, at most 2·n·m + "
    "8·(n + m)",
    "whole matrix": "here the diagonal is added up; XLA masks and folds the matrix, at most 4 an "
    "element",
    "Fourier": "XLA's formula 8·N·∏⌊log2 n⌋, and at most 4 an element besides; here 5·N·⌈log2 n⌉ "
    "an axis, half of it for reals",
    "library": "XLA counts -1 a call, and at most a flop a byte of the kernels around it; here "
    "0.3 to 40 times m·n·min(m, n), the same within a factor of 3 at every size",
    "other formula": "XLA has another formula; its flops over those here are bounded for each "
    "function (from 0.8 for `gradient` to 26 for bins)",
}

SORTS = frozenset("sort argsort lexsort sort_complex".split())
STATISTICS = frozenset(
    "median nanmedian percentile quantile nanpercentile nanquantile partition argpartition".split()
)
SETS = frozenset(
    "unique unique_all unique_counts unique_inverse unique_values union1d intersect1d setdiff1d "
    "setxor1d".split()
)
SCANS = frozenset(
    "cumsum cumprod nancumsum nancumprod cumulative_sum cumulative_prod add.accumulate".split()
)
POSITIONS = frozenset(
    "nonzero flatnonzero argwhere compress extract take gather take_along_axis put place "
    "put_along_axis x[i] add.at fill_diagonal diagflat tril triu tril_indices_from "
    "triu_indices_from delete insert".split()
)
PRODUCT_NAMES = frozenset(
    {
        *(name.partition(" ")[0] for name in PRODUCTS),
        "vecdot",
        "vdot",
        "matvec",
        "vecmat",
        "linalg.vecdot",
        "linalg.matmul",
    }
    | {"linalg.tensordot", "convolve", "correlate", "polymul", "poly"}
)
CHAINS = frozenset({"linalg.multi_dot", "linalg.matrix_power", "cov", "corrcoef"})
OTHER = {
    "gradient": (0.8, 1.0),  # no division at the ends
    "linspace": (0.8, 1.1),  # weights once for all
    "logspace": (0.8, 1.1),
    "geomspace": (1.9, 2.3),  # two logarithms and signs
    "interp": (6.0, 7.0),  # one pass of its search, and masks
    "polyder": (1.9, 2.5),  # converted, exponents computed
    "histogram": (7.0, 26.0),  # searches and masks, one pass of its loop
    "histogram2d": (8.0, 18.0),
}
"""XLA's flops over those here, at least and at most."""


def flop_rules(group: list[Figure]) -> list[str]:
    """Return the rules of the flops of one operation on one type, at all its sizes."""
    main = [one for one in group if len(set(one.operand_sizes)) == 1] or group
    here = _fit([(one, one.flops_here) for one in main], 20)
    xla = _fit([(one, one.flops_xla) for one in main], 250)
    cubes = [one.flops_here / _cube(one) for one in group] if group[0].libraries else []
    is_cubic = bool(cubes) and min(cubes) >= 0.3 and max(cubes) <= min(40, 3 * min(cubes))
    is_linear = here is not None and xla is not None

    def rule(figure: Figure) -> str:
        if figure.flops_here == figure.flops_xla:
            return EQUAL
        for name, operations, check in NAMED:
            if figure.plain in operations:
                return name if check(figure) else UNEXPLAINED
        if figure.plain.startswith("fft.") and not figure.plain.endswith("shift"):
            return "Fourier" if _fourier(figure) else UNEXPLAINED
        if figure.libraries:
            around = figure.flops_xla + figure.libraries
            is_small = 0 <= around <= figure.bytes_kernels
            return "library" if is_small and is_cubic else UNEXPLAINED
        if is_linear if figure in main else _broadcast(figure, main[0]):
            return "several instructions"
        low, high = OTHER.get(figure.plain, (0.0, 0.0))
        is_bounded = low <= figure.flops_xla / max(1, figure.flops_here) <= high
        return "other formula" if is_bounded and figure.flops_xla else UNEXPLAINED

    return [rule(figure) for figure in group]


def _log2_up(n: int) -> int:
    return max(0, n - 1).bit_length()


def _elements(figure: Figure) -> int:
    return sum(figure.operand_sizes) + sum(figure.result_sizes)


def _products(figure: Figure) -> bool:
    here, xla, most = figure.flops_here, figure.flops_xla, sum(figure.result_sizes) + 8
    if "float16" in figure.dtype or figure.plain in CHAINS:
        most += sum(figure.operand_sizes)
    if figure.plain in CHAINS:
        most *= 3
    return here - most <= xla <= here * (8 if "complex" in figure.dtype else 1) + most


def _to_sort(figure: Figure) -> int:
    """Comparisons that sort every line of the operands."""
    *_, length = extents(figure.shape)[0]
    if figure.operation == "sort of columns":
        length = extents(figure.shape)[0][0]
    keys = len(figure.operand_sizes) if figure.plain == "lexsort" else 1
    return keys * figure.operand_sizes[0] * _log2_up(length)


def _sorts(figure: Figure) -> bool:
    n = figure.operand_sizes[0]
    besides = figure.flops_xla - n * _log2_up(n)
    return besides in (0, n) and figure.flops_here == _to_sort(figure)


def _order_statistics(figure: Figure) -> bool:
    n = figure.operand_sizes[0]
    is_selection = n <= figure.flops_here <= n * _log2_up(n) + 4 * n
    if figure.libraries:
        around = figure.flops_xla + figure.libraries
        return is_selection and 0 <= around <= figure.bytes_kernels
    sort = n * _log2_up(n)
    return is_selection and sort <= figure.flops_xla <= 2 * sort + 12 * n


def _sets(figure: Figure) -> bool:
    n = sum(figure.operand_sizes)
    sorted_once = n * _log2_up(n) + n - 1
    return figure.flops_here == sorted_once <= figure.flops_xla <= 130 * n


def windowed(n: int, inner: bool = False) -> int:
    """Flops of XLA's running sum of n elements."""
    if n <= 16:
        return (n - 1) * (n + 1 if inner else n)
    blocks = -(-n // 16)
    return blocks * 16 * 15 + blocks * 16 + windowed(blocks, inner=True)


def _running_windows(figure: Figure) -> bool:
    n = figure.operand_sizes[0]
    length = extents(figure.shape)[0][-1] if figure.plain == "add.accumulate" else n
    lines = n // length
    besides = figure.flops_xla - lines * windowed(length)
    selected = n if figure.plain.startswith("nan") else 0
    is_sum = figure.flops_here == lines * (length - 1) + selected
    return is_sum and not besides % n and 0 <= besides <= 3 * n


def _positions(figure: Figure) -> bool:
    is_looked_at = figure.flops_here in (0, figure.operand_sizes[0], figure.operand_sizes[-1])
    return is_looked_at and figure.flops_xla <= 70 * _elements(figure)


def _all_pairs(figure: Figure) -> bool:
    n, m = figure.operand_sizes
    searched = m * _log2_up(m) + n * _log2_up(m + 1)
    return figure.flops_here == searched <= figure.flops_xla <= 2 * n * m + 8 * (n + m)


def _whole_matrix(figure: Figure) -> bool:
    (m, n), *_ = extents(figure.shape)
    return figure.flops_here == min(m, n) - 1 and figure.flops_xla <= 4 * m * n


NAMED = (
    ("products", PRODUCT_NAMES | CHAINS, _products),
    ("sorts", SORTS, _sorts),
    ("order statistics", STATISTICS, _order_statistics),
    ("sets", SETS, _sets),
    ("running windows", SCANS, _running_windows),
    ("positions", POSITIONS, _positions),
    ("all pairs", {"isin"}, _all_pairs),
    ("whole matrix", {"trace", "linalg.trace"}, _whole_matrix),
)
"""Rules of operations by their names."""


def _fourier(figure: Figure) -> bool:
    """Both formulas, for the shapes of operand and result."""
    (source,), (result,) = extents(figure.shape), extents(figure.results)
    name = figure.plain.removeprefix("fft.")
    of_reals = name.startswith(("rfft", "irfft", "hfft", "ihfft"))
    grid = source if name.startswith(("rfft", "ihfft")) else result
    axes = len(grid) if name.endswith(("2", "n")) else 1
    lengths = grid[-axes:]
    xla = 8 * math.prod(n.bit_length() - 1 for n in lengths)
    # XLA takes the elements that go into its transform
    xla *= math.prod(source)
    here = 0
    half = [*grid[:-1], grid[-1] // 2 + 1] if of_reals else grid
    for axis in range(1, axes + 1):
        lines = math.prod(half) // half[-axis]
        if of_reals and axis == 1:
            here += 5 * (grid[-1] * _log2_up(grid[-1]) // 2 * 2) // 2 * lines
        else:
            here += 5 * grid[-axis] * _log2_up(grid[-axis]) * lines
    besides = figure.flops_xla - xla
    return 0 <= besides <= 4 * max(math.prod(source), math.prod(result)) and (
        figure.flops_here == here
    )


def _cube(figure: Figure) -> int:
    """m·n·min(m, n) for the matrices of the first operand."""
    shape = extents(figure.shape)[0]
    if figure.plain == "linalg.tensorinv":
        return math.isqrt(math.prod(shape)) ** 3
    if figure.plain == "roots":
        return (shape[0] - 1) ** 3
    if figure.plain in STATISTICS:
        return math.prod(shape)
    if figure.plain == "polyfit":
        return shape[0] * 9
    *stack, m, n = shape
    return math.prod(stack) * m * n * min(m, n)


def _broadcast(figure: Figure, full: Figure) -> bool:
    """Whether a broadcast operand saves XLA what it computes of that operand alone."""
    n, most = max(figure.operand_sizes), max(full.operand_sizes)
    converted = min(figure.operand_sizes)
    return (
        figure.flops_here * most == full.flops_here * n
        and figure.flops_xla <= full.flops_xla * n // most + converted
    )


def _fit(counts: Iterable[tuple[Figure, int]], most: int) -> tuple[int, int] | None:
    """Return whole k and j with count = k·n + j·l for all; l is 1, the results or a line."""
    rows = list(counts)
    for size, part in product(SIZES, PARTS):
        sizes = [(count, size(one), part(one)) for one, count in rows]
        for j in range(-20, 61):
            slopes = {(count - j * each) / n for count, n, each in sizes}
            k = slopes.pop()
            if not slopes and k == int(k) and 0 <= k <= most:
                return int(k), j
    return None


SIZES: tuple[Callable[[Figure], int], ...] = (
    lambda one: max(one.operand_sizes),
    lambda one: max(one.result_sizes),
    lambda one: max(one.operand_sizes + one.result_sizes),
)
PARTS: tuple[Callable[[Figure], int], ...] = (
    lambda one: 1,
    lambda one: one.result_sizes[0],
    lambda one: extents(one.shape)[0][-1],
)
"""What n and l may be."""
