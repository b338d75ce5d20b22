"""Counts of functions that the other tables leave out, worked by hand from docs/metric.md.

Operands are float64 unless said: n elements are 8·n bytes, positions too, answers yes or no 1.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import instrumented
from instrumented import Traffic, Work

X = np.array([[3.0, 1.0, 4.0, 1.0], [5.0, 9.0, 2.0, 6.0], [5.0, 3.0, 5.0, 8.0]])  # 3 x 4, 96 B
ROW = X[0]  # 4 elements, 32 B
M = X[:, :3]  # 3 x 3, 72 B
Z = ROW + 1j  # 4 complex numbers, 64 B
SPECTRUM = X[:, :3] + 1j  # 3 x 3 complex, 144 B
SURE = np.array([0.1, 0.2, 0.3, 0.4])  # where arccos and its like are real
TWO = np.array([1.0, 9.0])
PLACES = np.array([[0], [2], [3]])  # 3 positions, 24 B
MASK = np.array([True, False, True, False])


def fix(x):
    """np.fix, which NumPy 2.5 deprecates."""
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        return np.fix(x)


ELEMENTWISE = [
    # one operation a result
    (lambda x: np.around(x, 1), (X,), 96, 96, Work(12)),
    (fix, (X,), 96, 96, Work(12)),
    (lambda x: np.isreal(x), (X,), 96, 12, Work(12)),
    (lambda z: np.iscomplex(z), (Z,), 64, 4, Work(4)),
    (lambda p, q: np.polyadd(p, q), (ROW, M[0]), 32 + 24, 32, Work(4)),
    (lambda p, q: np.polysub(p, q), (ROW, M[0]), 32 + 24, 32, Work(4)),
    # 3 neighbours of 4; what is put at the end (a list of one) is not subtracted
    (lambda x: np.ediff1d(x), (ROW,), 32, 24, Work(3)),
    (lambda x: np.ediff1d(x, to_end=[9.0]), (ROW,), 32 + 8, 32, Work(3)),
    # infinite, and of that sign
    (lambda x: np.isneginf(x), (X,), 96, 12, Work(24)),
    (lambda x: np.isposinf(x), (X,), 96, 12, Work(24)),
    (lambda a, b: np.kron(a, b), (ROW, TWO), 32 + 16, 64, Work(0, 8)),
    (lambda x: np.vander(x, 3), (ROW,), 32, 96, Work(0, 12)),
    # 4 coefficients: 3 multiplied; then 2 more for the second derivative
    (lambda p: np.polyder(p), (ROW,), 32, 24, Work(0, 3)),
    (lambda p: np.polyder(p, 2), (ROW,), 32, 16, Work(0, 3 + 2)),
    # 4 divided, a constant put behind; then 5
    (lambda p: np.polyint(p), (ROW,), 32, 40, Work(0, 0, 4)),
    (lambda p: np.polyint(p, 2), (ROW,), 32, 48, Work(0, 0, 4 + 5)),
    (lambda z: np.angle(z), (Z,), 64, 32, Work(0, 0, 4)),
    # sin(pi x) / (pi x)
    (lambda x: np.sinc(x), (ROW,), 32, 32, Work(0, 4, 8)),
    # x + 1 (32 read, 32 written, 4 adds); 20 results: a product, a sum and a power
    (lambda x: np.logspace(x, x + 1, 5), (ROW,), 32 + 64, 32 + 160, Work(4 + 20, 20, 20)),
    (lambda x: np.geomspace(x, x + 1, 5), (ROW,), 32 + 64, 32 + 160, Work(4 + 20, 20, 20)),
    # whether the result is complex is looked up, then the function
    (lambda x: np.emath.arccos(x), (SURE,), 32, 32, Work(4, 0, 4)),
    (lambda x: np.emath.arcsin(x), (SURE,), 32, 32, Work(4, 0, 4)),
    (lambda x: np.emath.arctanh(x), (SURE,), 32, 32, Work(4, 0, 4)),
    (lambda x: np.emath.log10(x), (ROW,), 32, 32, Work(4, 0, 4)),
    (lambda x: np.emath.logn(2.0, x), (ROW,), 32, 32, Work(4, 0, 4)),
    # 12 compared with zero, two positions each
    (lambda x: np.argwhere(x), (X,), 96, 192, Work(12)),
    # |a - b| <= atol + rtol |b|: 4 adds and a product a pair; then 3 folds
    (lambda a, b: np.allclose(a, b), (ROW, ROW), 64, 1, Work(16 + 3, 4)),
    # an operation a bit
    (lambda x: np.packbits(x), (X > 2,), 12, 2, Work(12)),
    (lambda x: np.unpackbits(x), (np.arange(3, dtype=np.uint8),), 3, 24, Work(24)),
    # i * 4 + j
    (lambda i, j: np.ravel_multi_index((i, j), (3, 4)), (np.arange(2), np.arange(2)), 32, 16,
     Work(2, 2)),
    # 2 places, divided with remainder for each of 2 axes
    (lambda i: np.unravel_index(i, (3, 4)), (np.array([5, 7]),), 16, 32, Work(0, 0, 4)),
]  # fmt: skip

# a line of 4 takes 3·4·2 = 24 adds and 2·4·2 = 16 products, of reals half; a line of 3: 18, 12
TRANSFORMS = [
    (np.fft.ifft, (Z,), 64, 64, Work(24, 16)),
    (np.fft.irfft, (Z[:3],), 48, 32, Work(12, 8)),
    (np.fft.hfft, (Z[:3],), 48, 32, Work(12, 8)),
    (np.fft.ihfft, (ROW,), 32, 48, Work(12, 8)),
    # 3 lines of 4, 4 lines of 3
    (np.fft.ifft2, (X,), 96, 192, Work(72 + 72, 48 + 48)),
    (np.fft.fftn, (X,), 96, 192, Work(72 + 72, 48 + 48)),
    (np.fft.ifftn, (X,), 96, 192, Work(72 + 72, 48 + 48)),
    # 3 lines of 4 reals, then 3 lines of 3 on the half that is kept
    (np.fft.rfft2, (X,), 96, 144, Work(36 + 54, 24 + 36)),
    (np.fft.rfftn, (X,), 96, 144, Work(36 + 54, 24 + 36)),
    (np.fft.irfft2, (SPECTRUM,), 144, 96, Work(36 + 54, 24 + 36)),
    (np.fft.irfftn, (SPECTRUM,), 144, 96, Work(36 + 54, 24 + 36)),
    # lines of one are themselves
    (np.fft.fft, (X[:, :1],), 24, 48, Work()),
    # filled up to 4 x 8: 4 lines of 8 reals (36 and 24 each), 5 lines of 4
    (lambda x: np.fft.rfft2(x, (4, 8), (0, 1)), (X,), 96, 320, Work(144 + 120, 96 + 80)),
    # to 4 x 4, as long as it is: 4 lines of 4 reals, 3 lines of 4
    (lambda x: np.fft.rfft2(x, (4, -1), (0, 1)), (X,), 96, 192, Work(48 + 72, 32 + 48)),
    # cut to 1 x 2: a line of 2 reals (3 and 2), 2 lines of one
    (lambda x: np.fft.irfft2(x, (1, 2), (0, 1)), (SPECTRUM,), 144, 16, Work(3, 2)),
]

ALGEBRA = [
    # 3 x 2 results of 4 multiply-adds, however the axes are written
    (lambda a, b: np.tensordot(a, b, (1, 0)), (X, X[:2].T), 96 + 64, 48, Work(24, 24)),
    (lambda a, b: np.tensordot(a, b, ([1], 0)), (X, X[:2].T), 96 + 64, 48, Work(24, 24)),
    (lambda p, q: np.polymul(p, q), (ROW, M[0]), 32 + 24, 48, Work(12, 12)),
    # singular values of 4 x 3: 2·4·9 - 2·27/3 = 54 multiply-adds; the largest, 3 held against it
    (lambda a: np.linalg.matrix_rank(a), (X,), 96, 8, Work(54 + 6, 54)),
    # of 3 x 3: 2·27 - 18 = 36; the largest over the smallest
    (lambda a: np.linalg.cond(a), (M,), 72, 8, Work(36, 36, 1)),
    # the 4 x 4 that the tensor is: 4³ - 4² multiply-adds, 4·3/2 + 4² divisions
    (lambda a: np.linalg.tensorinv(a), (np.eye(4).reshape(2, 2, 2, 2),), 128, 128,
     Work(48, 48, 22)),
    # elimination 4·3·7/6 = 14 and 6 divisions, substitutions 4·3 = 12 and 4
    (lambda a, b: np.linalg.tensorsolve(a, b), (np.eye(4).reshape(2, 2, 4), np.ones((2, 2))),
     128 + 32, 32, Work(26, 26, 10)),
    # each of 4 roots convolves 1, 2, 3, 4 coefficients with two
    (lambda x: np.poly(x), (ROW,), 32, 40, Work(20, 20)),
    # powers 4·2 products; norms of columns 8 multiply-adds, 2 roots, 8 divisions; singular vectors
    # of 4 x 2: 7·4·4 + 4·8 = 144; 4·2 + 2·2 = 12 multiply-adds and 2 divisions for the solution
    (lambda x, y: np.polyfit(x, y, 1), (SURE, ROW), 64, 16, Work(164, 172, 12)),
    (lambda x: np.linalg.vector_norm(x), (ROW,), 32, 8, Work(3, 4, 1)),
    # 3 lines of one: squares and roots, nothing to add; how many are not zero: 4 looked at, 3 adds
    (lambda x: np.linalg.norm(x, axis=1), (X[:, :1],), 24, 24, Work(0, 3, 3)),
    (lambda x: np.linalg.norm(x, 0), (ROW,), 32, 8, Work(7)),
    # a row, 3 x 4 and a column: 3·4 for the column, then 3; the two alone: 3·4
    (lambda a, b, c: np.linalg.multi_dot([a, b, c]), (M[0], X, ROW), 24 + 96 + 32, 8,
     Work(15, 15)),
    (lambda a, b: np.linalg.multi_dot([a, b]), (X, ROW), 96 + 32, 24, Work(12, 12)),
    (lambda x: np.linalg.matrix_norm(x), (X,), 96, 8, Work(11, 12, 1)),
]  # fmt: skip

FOLDS = [
    # 3 lines of 4: 3 comparisons each
    (lambda x: np.amax(x, axis=1), (X,), 96, 24, Work(9)),
    (lambda x: np.amin(x, axis=1), (X,), 96, 24, Work(9)),
    (lambda x: np.argmin(x, axis=1), (X,), 96, 24, Work(9)),
    (lambda x: np.count_nonzero(x), (X,), 96, 8, Work(11)),
    # 12 looked at for NaN
    (lambda x: np.nansum(x), (X,), 96, 8, Work(12 + 11)),
    (lambda x: np.nanmin(x), (X,), 96, 8, Work(12 + 11)),
    (lambda x: np.nanargmax(x, axis=1), (X,), 96, 24, Work(12 + 9)),
    (lambda x: np.nanargmin(x, axis=1), (X,), 96, 24, Work(12 + 9)),
    (lambda x: np.nancumprod(x, axis=1), (X,), 96, 96, Work(12, 9)),
    # means 9 adds and 3 divisions, 12 deviations, 12 squares, 9 adds, 3 divisions, 3 roots
    (lambda x: np.std(x, axis=1), (X,), 96, 24, Work(9 + 12 + 9, 12, 3 + 3 + 3)),
    # both extremes and a difference
    (lambda x: np.ptp(x, axis=1), (X,), 96, 24, Work(9 + 9 + 3)),
    (lambda x: np.cumprod(x, axis=1), (X,), 96, 96, Work(0, 9)),
    (lambda x: np.cumulative_prod(x, axis=1), (X,), 96, 96, Work(0, 9)),
    # both extremes of 12, 4 edges made
    (lambda x: np.histogram_bin_edges(x, 3), (X,), 96, 32, Work(22 + 4, 4)),
    # 4 points, 2 x 2 bins: 2 steps an axis among 3 edges, the number of the bin, a count; extremes
    (lambda x: np.histogram2d(x, x, 2), (ROW,), 64, 32 + 48, Work(4 * (2 + 2 + 1 + 1) + 12)),
    # of a range that is given, no extremes are looked for
    (lambda x: np.histogram2d(x, x, 2, [[0, 5], [0, 5]]), (ROW,), 64, 32 + 48, Work(4 * 6)),
    (lambda x: np.histogramdd([x, x], 2), (ROW,), 64, 32 + 48, Work(4 * (2 + 2 + 1 + 1) + 12)),
    # a line of 12: min(3·12, 12·4) = 36; 12 looked at for NaN; b - a, times t, plus a
    (lambda x: np.nanpercentile(x, 50), (X,), 96, 8, Work(12 + 36 + 2, 1)),
]

SORTED = [
    # 4·2 comparisons
    (lambda x: np.sort_complex(x), (ROW,), 32, 64, Work(8)),
    # and 3 neighbours; 3 values of 4, where they stood, where they went, how many
    (lambda x: np.unique_all(x), (ROW,), 32, 24 + 24 + 32 + 24, Work(11)),
    (lambda x: np.unique_counts(x), (ROW,), 32, 24 + 24, Work(11)),
    (lambda x: np.unique_inverse(x), (ROW,), 32, 24 + 32, Work(11)),
    (lambda x: np.sort(np.unique_values(x)), (ROW,), 32 + 24, 24 + 24, Work(11 + 3 * 2)),
    # 4 + 2 sorted together: 6·3, and 5 neighbours
    (lambda a, b: np.intersect1d(a, b), (ROW, TWO), 32 + 16, 8, Work(18 + 5)),
    (lambda a, b: np.setxor1d(a, b), (ROW, TWO), 32 + 16, 24, Work(18 + 5)),
]

MADE = [
    (lambda x: np.ones_like(x), (X,), 0, 96, Work()),
    (lambda x: np.identity(2, like=x) if type(x) is not np.ndarray else np.identity(2), (X,), 0,
     32, Work()),
    (lambda x: np.tri(2, like=x) if type(x) is not np.ndarray else np.tri(2), (X,), 0, 32,
     Work()),
    # one array of 3 positions, given twice
    (lambda x: np.diag_indices_from(x), (M,), 0, 24, Work()),
    # 6 of 9 elements, two positions each
    (lambda x: np.tril_indices_from(x), (M,), 0, 96, Work()),
    (lambda x: np.triu_indices_from(x), (M,), 0, 96, Work()),
]  # fmt: skip

COPIES = [
    (lambda x: np.column_stack([x, x]), (ROW,), 64, 64, Work()),
    (lambda x: np.dstack([x, x]), (X,), 192, 192, Work()),
    (lambda x: np.hstack([x, x]), (X,), 192, 192, Work()),
    (lambda x: np.vstack([x, x]), (X,), 192, 192, Work()),
    (lambda x: np.diagflat(x), (ROW,), 32, 128, Work()),
    (lambda x: np.diag(x), (ROW,), 32, 128, Work()),
    (lambda x: np.resize(x, (2, 3)), (ROW,), 32, 48, Work()),
    (lambda x: np.tril(x), (X,), 96, 96, Work()),
    # 30 elements; 18 new ones of a ramp are a product and a sum; means along both axes of 12
    (lambda x: np.pad(x, 1), (X,), 96, 240, Work()),
    (lambda x: np.pad(x, 1, "linear_ramp"), (X,), 96, 240, Work(18, 18)),
    (lambda x: np.pad(x, 1, "mean"), (X,), 96, 240, Work(24)),
    (lambda x: np.triu(x), (X,), 96, 96, Work()),
    (lambda x: np.fft.fftshift(x), (ROW,), 32, 32, Work()),
    (lambda x: np.fft.ifftshift(x), (ROW,), 32, 32, Work()),
    (lambda x: np.delete(x, 1), (ROW,), 32, 24, Work()),
    (lambda x, y: np.meshgrid(x, y), (ROW, M[0]), 32 + 24, 96 + 96, Work()),
    # elements taken and positions: 12·8 + 12·8, 3·8 + 3·8
    (lambda x, i: np.take_along_axis(x, i, 1), (X, np.argsort(X)), 96 + 96, 96, Work()),
    (lambda x, i: np.take_along_axis(x, i, 1), (X, PLACES), 24 + 24, 24, Work()),
    # two elements and the whole mask
    (lambda m, x: np.extract(m, x), (MASK, ROW), 16 + 4, 16, Work()),
    (lambda x, i: np.put_along_axis(x, i, 9.0, 1), (X, PLACES), 24, 24, Work()),
    (lambda x: np.fill_diagonal(x, 1.0), (X,), 0, 24, Work()),
    (lambda x, v: np.fill_diagonal(x, v), (X, M[0]), 24, 24, Work()),
]


@pytest.mark.parametrize(
    ("call", "arrays", "read", "written", "work"),
    [*ELEMENTWISE, *TRANSFORMS, *ALGEBRA, *FOLDS, *SORTED, *MADE, *COPIES],
)
def test_counts(counted, call, arrays, read, written, work):
    assert counted(call, *arrays) == (Traffic(read, written), work)


@pytest.mark.parametrize(
    "view",
    [
        np.atleast_2d, np.atleast_3d, np.matrix_transpose, np.fliplr, np.flipud, np.rot90, np.diag,
        np.linalg.matrix_transpose, np.squeeze, np.unstack,
        lambda x: np.asanyarray(x, like=x),
        lambda x: np.require(x, like=x),
        lambda x: np.expand_dims(x, 0),
        lambda x: np.rollaxis(x, 1),
        lambda x: np.hsplit(x, 2),
        lambda x: np.vsplit(x, 3),
        lambda x: np.dsplit(x.reshape(1, 3, 4), 2),
    ],
)  # fmt: skip
def test_views_are_free(view):
    trace = instrumented.Trace(strict=True)
    x = trace.array(X.copy())
    shown = view(x)
    shown = shown if isinstance(shown, (list, tuple)) else [shown]
    assert trace.traffic == Traffic()
    assert all(np.shares_memory(part._array, x._array) for part in shown)


def test_an_open_mesh_of_positions_is_free():
    trace = instrumented.Trace(strict=True)
    rows, columns = np.ix_(trace.array(np.array([0, 2])), trace.array(np.array([1])))
    assert (rows.shape, columns.shape, trace.traffic) == ((2, 1), (1, 1), Traffic())


def test_what_is_trimmed_was_read():
    trace = instrumented.Trace(strict=True)
    kept = np.trim_zeros(trace.array(np.array([0.0, 1.0, 2.0, 0.0])))
    # 32 bytes compared with zero; two elements are left, in place, and their number is news
    assert (kept.shape, trace.traffic, trace.work) == ((2,), Traffic(32, 0), Work(4))
    assert trace.data_dependent["operation"].tolist() == ["trim_zeros"]


def test_repeats_that_leave_nothing_were_read():
    trace = instrumented.Trace(strict=True)
    kept = np.repeat(trace.array(np.ones(2)), trace.array(np.array([0, 0])))
    # the elements and their two counts
    assert (kept.shape, trace.traffic) == ((0,), Traffic(16 + 16, 0))
    assert trace.data_dependent["operation"].tolist() == ["repeat"]


def test_an_array_of_arrays_is_joined_as_the_list_of_them(traced):
    trace, x = traced((4,))
    several = np.empty(2, object)
    several[0], several[1] = x, np.ones(4, np.float32)
    assert np.stack(several).shape == (2, 4)
    assert np.concatenate(several).shape == (8,)
    assert trace.traffic == Traffic(2 * (16 + 16), 2 * 32)
