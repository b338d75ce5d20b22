"""Counts of sets, order statistics, bins and other functions of arrays, worked by hand.

All operands are float64: n elements are 8·n bytes.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import instrumented
from instrumented import Traffic, Work

X = np.array([[3.0, 1.0, 4.0, 1.0], [5.0, 9.0, 2.0, 6.0], [5.0, 3.0, 5.0, 8.0]])  # 3 x 4, 96 B
ROW = X[0]  # 4 elements, 32 B


@pytest.mark.parametrize(
    ("call", "arrays", "read", "written", "work"),
    [
        # n elements of NaN looked for (n adds), then the function itself
        (lambda x: np.nanmean(x, axis=1), (X,), 96, 24, Work(12 + 9, 0, 3)),
        (lambda x: np.nanmax(x), (X,), 96, 8, Work(12 + 11)),
        (lambda x: np.nanprod(x, axis=0), (X,), 96, 32, Work(12, 8)),
        (lambda x: np.nancumsum(x, axis=1), (X,), 96, 96, Work(12 + 9)),
        # means 9 adds and 3 divisions, 12 deviations, 12 squares, 9 adds and 3 divisions
        (lambda x: np.nanvar(x, axis=1), (X,), 96, 24, Work(12 + 9 + 12 + 9, 12, 6)),
        (lambda x: np.nanstd(x, axis=1), (X,), 96, 24, Work(12 + 9 + 12 + 9, 12, 9)),
        # a line of 4: selecting one position min(3*4, 4*2) = 8; then a sum and a division
        (lambda x: np.median(x, axis=1), (X,), 96, 24, Work(3 * 8 + 3, 0, 3)),
        (lambda x: np.nanmedian(x, axis=1), (X,), 96, 24, Work(12 + 3 * 8 + 3, 0, 3)),
        # a line of 12: min(3*12, 12*4) = 36; b - a, times t, plus a
        (lambda x: np.percentile(x, 50), (X,), 96, 8, Work(36 + 2, 1)),
        (lambda x: np.quantile(x, [0.25, 0.5], axis=1), (X,), 96 + 16, 48, Work(3 * 8 + 12, 6)),
        (lambda x: np.nanquantile(x, 0.5), (X,), 96, 8, Work(12 + 36 + 2, 1)),
        # 12 products, 9 adds; 4 weights: 3 adds; 3 divisions
        (lambda x, w: np.average(x, axis=1, weights=w), (X, ROW), 96 + 32, 24, Work(12, 12, 3)),
        (lambda x: np.average(x, axis=1), (X,), 96, 24, Work(9, 0, 3)),
        # 3 variables of 4: 3*3 adds, 3 divisions, 12 deviations, 9*4 multiply-adds, 9 scaled
        (lambda x: np.cov(x), (X,), 96, 72, Work(9 + 12 + 36, 36 + 9, 3)),
        # and then 3 roots, 9 elements divided twice
        (lambda x: np.corrcoef(x), (X,), 96, 72, Work(9 + 12 + 36, 36 + 9, 3 + 3 + 18)),
        # two components of 3 and 3 elements: 2 products and a difference each
        (lambda a, b: np.cross(a, b), (X[:, :3], X[:, :3] + 1), 72 + 72, 72, Work(9, 18)),
        # 3 lines of 4, one position: 8 comparisons each
        (lambda x: np.partition(x, 1, axis=1), (X,), 96, 96, Work(24)),
        (lambda x: np.argpartition(x, 1, axis=1), (X,), 96, 96, Work(24)),
        # one selection a result and condition
        (lambda x: np.select([x > 2, x > 4], [x, -x], 0.0), (X,), 96 * 2 + 96 + 12 * 2 + 96 * 2,
         12 * 2 + 96 + 96, Work(12 + 12 + 12 + 24)),
        # 4 tests sorted: 8; 12 looked up in ceil(log2 5) = 3 steps; the answer is Boolean
        (lambda x, t: np.isin(x, t), (X, ROW), 96 + 32, 12, Work(8 + 36)),
        # 4 + 4 sorted together: 8*3, and 7 neighbours compared; 3 distinct of 4
        (lambda a, b: np.union1d(a, b), (ROW, ROW), 64, 24, Work(24 + 7)),
        (lambda a, b: np.setdiff1d(a, b), (ROW, ROW[:1]), 40, 16, Work(5 * 3 + 4)),
        # a search in 4 takes ceil(log2 5) = 3; then 4 adds, a product and a division a query
        (lambda q, x, y: np.interp(q, x, y), (X[1], np.sort(ROW), ROW), 96, 32,
         Work(4 * 7, 4, 4)),
        # 4 x 3 overlaps, all of them in full; 2*1 fewer at the ends for the middle 4
        (lambda a, v: np.convolve(a, v), (ROW, ROW[:3]), 32 + 24, 48, Work(12, 12)),
        (lambda a, v: np.convolve(a, v, "same"), (ROW, ROW[:3]), 32 + 24, 32, Work(10, 10)),
        (lambda a, v: np.correlate(a, v), (ROW, ROW[:3]), 32 + 24, 16, Work(6, 6)),
        # every element a product and a sum
        (lambda a: np.linspace(a, a + 1, 5), (ROW,), 32 + 64, 32 + 160, Work(4 + 20, 20)),
        # 3 differences, halves and steps, 2 adds: (y0 + y1) / 2 * dx
        (lambda y: np.trapezoid(y), (ROW,), 32, 8, Work(3 + 2, 6)),
        # 4 elements, a difference and a division each
        (lambda y: np.gradient(y), (ROW,), 32, 32, Work(4, 0, 4)),
        # Horner: 3 coefficients, 4 elements
        (lambda p, x: np.polyval(p, x), (ROW[:3], ROW), 24 + 32, 32, Work(12, 12)),
        # the extremes 2*11 and 4 edges made; 12 elements: subtracted, scaled, counted
        (lambda x: np.histogram(x, 3), (X,), 96, 24 + 32, Work(22 + 4 + 24, 4 + 12)),
        # 4 edges, handed back: ceil(log2 5) = 3 steps and a count each
        (lambda x, b: np.histogram(x, b), (X, np.arange(4.0)), 96 + 32, 24, Work(12 * 4)),
        (lambda x: np.cumulative_sum(x, axis=1), (X,), 96, 96, Work(9)),
        (lambda x: np.choose(x > 2, [x, -x]), (X,), 96 + 96 + 12 + 192, 12 + 96 + 96,
         Work(12 + 12 + 12)),
        (lambda x: np.diff(x, prepend=0.0), (ROW,), 32, 32, Work(4)),
        (lambda x: np.unique(x, axis=0), (X,), 96, 96, Work((3 * 2 + 2) * 4)),
    ],
)  # fmt: skip
def test_counts(counted, call, arrays, read, written, work):
    assert counted(call, *arrays) == (Traffic(read, written), work)


METRIC = Path(__file__).parents[3] / "docs" / "metric.md"
ROWS = re.findall(
    r"^\| `(np\.[^|]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$",
    METRIC.read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)
NAMED = {
    "X": X,
    "M": X > 2,
    "R": ROW,
    "S": np.arange(4.0),
    "A": np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 5.0]]),
    "T": np.array([[1.0, 2.0], [0.5, 1.0], [3.0, 1.0], [1.0, 1.5]]),
}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_worked_examples_of_the_metric(row):
    """The table of docs/metric.md §3 "Arithmetic", whose sums are worked in the tests around."""
    call, *figures = row
    read, written, *work = map(eval, figures)
    trace = instrumented.Trace()
    exec(call, {"np": np} | {name: trace.array(value) for name, value in NAMED.items()})
    assert (trace.traffic, trace.work) == (Traffic(read, written), Work(*work))


def test_the_metric_has_worked_examples():
    assert len(ROWS) == 18


def test_bins_counted_by_element(counted):
    labels = np.array([0, 2, 2, 1])
    # the largest: 3 comparisons; 4 counts; 3 bins
    assert counted(np.bincount, labels) == (Traffic(32, 24), Work(7))
    weighted = counted(np.bincount, labels, ROW)
    assert weighted == (Traffic(32 + 32, 24), Work(7))


def test_lexsort_sorts_every_line_once_a_key(counted):
    key = np.array([[1, 0, 2, 1], [3, 2, 1, 0]])
    # two keys, two lines of 4: 8 comparisons each; the positions are int64
    assert counted(lambda a, b: np.lexsort((a, b)), key, key) == (Traffic(128, 64), Work(32))
    assert counted(lambda a: np.lexsort((a,)), key[0]) == (Traffic(32, 32), Work(8))
    assert counted(lambda a: np.lexsort(a), key) == (Traffic(64, 32), Work(16))


def test_windows_are_a_view():
    trace = instrumented.Trace()
    x = trace.array(np.arange(8.0))
    windows = np.lib.stride_tricks.sliding_window_view(x, 3)
    assert trace.traffic == Traffic()
    windows.sum(axis=1)
    # six windows over eight elements: 64 bytes read once, 6 results, 2 adds each
    assert (trace.traffic, trace.work) == (Traffic(64, 48), Work(12))


def test_a_repeated_index_reads_the_diagonal():
    trace = instrumented.Trace()
    x = trace.array(np.arange(9.0).reshape(3, 3))
    np.einsum("ii", x)
    # the diagonal of 3 elements, two additions
    assert (trace.traffic, trace.work) == (Traffic(24, 8), Work(2))


@pytest.mark.parametrize("optimize", [True, "greedy", "optimal"])
def test_einsum_in_pairs_counts_numpys_own_order(optimize):
    trace = instrumented.Trace()
    a, b, c = (trace.array(np.ones(shape)) for shape in [(10, 2), (2, 20), (20, 3)])
    np.einsum("ij,jk,kl->il", a, b, c, optimize=optimize)
    # b c first: 2*20*3 = 120 multiply-adds, then a (b c): 10*2*3 = 60
    assert trace.work == Work(180, 180)
    # operands 160 + 320 + 480 bytes, result 240; what is made between is inside the kernel
    assert trace.traffic == Traffic(960, 240)


def test_matmul_of_named_axes():
    trace = instrumented.Trace()
    a, b = trace.array(np.ones((3, 2))), trace.array(np.ones((3, 4)))
    got = np.matmul(a, b, axes=[(1, 0), (0, 1), (0, 1)])
    # 2x3 by 3x4: 24 multiply-adds
    assert (trace.traffic, trace.work) == (Traffic(48 + 96, 64), Work(24, 24))
    assert got.shape == (2, 4)
