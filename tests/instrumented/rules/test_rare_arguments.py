"""Counts that only rare arguments tell apart, in plain integers, worked by hand.

Rows and operands as in `test_hand_counted.py`: a program, bytes read, bytes written, flops.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.lib import NumpyVersion

from instrumented import EscapeError, InstrumentError, Trace, Traffic, UncountedOperationError
from instrumented.books.events import Kind
from instrumented.rules.traffic_rules import RULES, streaming, traffic_rule


def stored(target, *stores):
    for index, value in stores:
        target[index] = value


UMATH = sys.modules["numpy._core.umath"]

ELEMENTWISE = [
    # the ufunc behind np.clip: a comparison with each bound
    (lambda X: UMATH.clip(X, 0, 4), 96, 96, 24),
    # shapes are free to ask for, of an element taken out too
    (lambda R: np.ndim(R[0]), 8, 8),
    (lambda X: np.size(X, 0), 0, 0),
    # two numbers put before none: one difference; 3 lines of them: 3
    (lambda S: np.diff(S[:0], prepend=[1.0, 2]), 16, 8, 1),
    (lambda E, I4: np.diff(E.T[:2], prepend=I4, axis=1), 32, 16, 2),
    # more differences, derivatives than there are elements: 3 + 2 + 1
    (lambda R: np.diff(R, n=5), 32, 0, 6),
    (lambda R: np.polyder(R, 5), 32, 0, (0, 6)),
    # one element has no neighbour, one answer is folded with none; one pair a line, 3 lines
    (lambda S: np.ediff1d(S[:1]), 8, 0, 0),
    (lambda R, R2: np.array_equal(R[:1], R2[:1]), 16, 1, 1),
    (lambda X: np.trapezoid(X[:, :2]), 48, 24, (3, 6)),
    (lambda E: np.trapezoid(E, axis=0), 0, 32, 0),
    (lambda E: np.trapezoid(E, E, axis=0), 0, 32, 0),
    # of a shape that is a number, one division
    (lambda J: np.unravel_index(J, 5), 24, 24, (0, 0, 3)),
    # 3 lines of 4: 9 pairs added, times half a step (2·9), 2·3 adds; the 3 steps serve all lines
    (lambda X, R: np.trapezoid(X, R), 96 + 32, 24, (9 + 6 + 3, 18)),
    (lambda X, Y: np.trapezoid(X, Y), 96 + 96, 24, (9 + 6 + 9, 18)),
    # the element of a mask is a byte taken out, and a byte read
    (lambda X, B: np.sum(X, where=B[0]), 1 + 96 + 1, 1 + 8, 11),
    # a list with a number in memory is put together every time: 8 read, 32 written
    (lambda R, B: np.where(B, R, [R[0], 1.0, 2.0, 3.0]), 8 + 8 + 4 + 64, 8 + 32 + 32, 4),
    # memory without content is in the trace: what is made of it is counted
    (lambda IN: np.empty_like(IN) * 0, 96, 96, (0, 12)),
    (lambda E: np.add.accumulate(E), 0, 0, 0),
    # a condition that is a constant takes the first of 4
    (lambda R: np.extract(1, R), 8, 8),
    # an array given for a sequence is one array: a row shown three times is read once
    (lambda IN: np.choose(IN, np.broadcast_to(np.arange(4.0), (3, 4))), 96 + 32, 96, 12),
    # a table of one axis: the positions are what they are
    (lambda J: np.ravel_multi_index([J], 3), 24, 24, 0),
    # no difference is taken of a number: it is copied, as it was copied out
    (lambda R: np.diff(R[0], 0), 8 + 8, 8 + 8, 0),
    # of one number, nothing is added up on the way
    (lambda R: np.cumprod(R[0], axis=0), 8 + 8, 8 + 8, 0),
    # one axis in a tuple: 3 lines of 4
    (lambda X: np.cumulative_sum(X, axis=(1,)), 96, 96, 9),
    # is any of 4 not zero, is the one, of none: 4 comparisons and 3 folds; one; nothing
    (lambda R: np.linalg.matrix_rank(R), 32, 8, 7),
    (lambda R: np.linalg.matrix_rank(R[0]), 8 + 8, 8 + 8, 1),
    (lambda R: np.linalg.matrix_rank(R[:0]), 0, 8, 0),
    # all axes, though its name says two: one line of 4, 2 rounds of 6·4 adds and 4·4 products / 2
    (lambda R: np.fft.fft2(R, axes=None), 32, 64, (24, 16)),
]

REDUCTIONS = [
    # of one number, nothing to add; two axes given as NumPy's numbers are not one another's
    (lambda R: R[0].sum(), 8 + 8, 8 + 8, 0),
    (lambda X: [np.sum(X, axis=np.int64(k)) for k in (0, 1)], 192, 32 + 24, 8 + 9),
    # 3 variables, 4 observations with weights: as without, but for the weights read
    (lambda X, IN: np.cov(X, None, fweights=IN[0]), 96 + 32, 72, (9 + 12 + 36, 36 + 9, 3)),
    # 2 variables: 2·3 adds, 8 deviations, 4·4 products
    (lambda R, R2, IN: np.cov(R, R2, fweights=IN[0]), 64 + 32, 32, (6 + 8 + 16, 16 + 4, 2)),
    # of one observation, nothing to add but deviations and products
    (lambda X: np.cov(X[:, :1]), 24, 72, (3 + 9, 9 + 9, 3)),
    # 3 lines of one: products and quotients; differences of the extremes; a diagonal of one
    (lambda X: np.average(X[:, :1], 1, X[:, :1]), 48, 24, (0, 3, 3)),
    (lambda X: np.ptp(X[:, :1], 1), 24, 24, 3),
    (lambda X: np.trace(X[:1]), 8, 8, 0),
    # edges that are given are handed back
    (lambda S: np.histogram_bin_edges(S, [0, 4, 9]), 64 + 24, 24, 0),
    # 3 points, 2 x 2 bins: 2 steps an axis among 3 edges, the number of the bin, a count; extremes
    (lambda X: np.histogramdd(X[:, :2], 2)[0], 48, 32 + 48, 3 * 6 + 2 * 2 * 2),
    # a point, no extremes to compare; 4 points with 3 coordinates
    (lambda X: np.histogramdd(X[:1, :2], 2)[0], 16, 32 + 48, 6),
    (lambda R: np.histogramdd([R, R, R], 2)[0], 96, 64 + 72, 4 * 9 + 3 * 2 * 3),
]

PRODUCTS = [
    # 4 columns of 3 multiply-adds
    (lambda X, Y: np.linalg.vecdot(X, Y, axis=0), 192, 32, (12, 12)),
    # 3 products of 27 multiply-adds, whatever their order
    (lambda A2: np.einsum("ij,jk,kl,lm->im", A2, A2, A2, A2, optimize=True), 288, 72, (81, 81)),
    # axes under dots are aligned from the last: 2·3 results of 4 multiply-adds
    (lambda K, X: np.einsum("...j,...j->...", K, X), 192 + 96, 48, (24, 24)),
    # no element, nothing to add
    (lambda E: np.einsum("ij->", E), 0, 8, 0),
]

ALGEBRA = [
    # inverse 18 multiply-adds, 3 + 9 divisions; two norms of 9 + 8, one product
    (lambda A2: np.linalg.cond(A2, 1), 72, 8, (18 + 34, 18 + 1, 12)),
    (lambda A2: np.linalg.cond(A2, 2), 72, 8, (36, 36, 1)),
    (lambda A2: np.linalg.cond(A2, -2), 72, 8, (36, 36, 1)),
    # 9·27/2 = 121 multiply-adds of eigenvectors, 27 of their product; 3 divisions
    (lambda A2: np.linalg.pinv(A2, hermitian=True), 72, 72, (148, 148, 3)),
    # a product, and an inverse
    (lambda A2: np.linalg.matrix_power(A2, -2), 72, 72, (27 + 18, 27 + 18, 12)),
    # eigenvalues 10·27/2 = 135, and three convolutions with two, 2 + 4 + 6
    (lambda A2: np.poly(A2), 72, 32, (135 + 12, 135 + 12)),
    # 4 matrices of 2 x 3: 2·3·4 - 2·8/3 = 19 multiply-adds of singular values, the larger of two
    (lambda K: np.linalg.norm(K, 2, axis=(0, 1)), 192, 32, (4 * 20, 4 * 19)),
    (lambda X: np.linalg.norm(X[:, :1], 2), 24, 8, (6, 6)),
    (lambda X: np.linalg.norm(X, axis=(1,)), 96, 24, (9, 12, 3)),
    (lambda A2: np.linalg.norm(A2, -1), 72, 8, 9 + 8),
    # a companion matrix of 2 x 2, 10·8/2 multiply-adds; two complex roots; none of a constant
    (lambda C3: np.roots(C3), 24, 32, (40, 40)),
    (lambda C3: np.roots(C3[:1]), 8, 0, 0),
    # of one element: its absolute value; one unknown is one division, one logarithm
    (lambda A2: np.linalg.norm(A2[:1, :1], 1), 8, 8, 1),
    (lambda A2: np.linalg.det(A2[:1, :1]), 8, 8, 0),
    (lambda A2: np.linalg.slogdet(A2[:1, :1]), 8, 16, (0, 0, 1)),
    (lambda A2, C3: np.linalg.solve(A2[:1, :1], C3[:1]), 16, 8, (0, 0, 1)),
    # of 4 x 1: 7·4 + 4 = 32 multiply-adds; 1 + 4 and a division; rank is int32
    (lambda X, C3: np.linalg.lstsq(X[:1], C3[:1], rcond=None)[0], 32 + 8, 32 + 4 + 8, (37, 37, 1)),
    # reflectors of 2 and 1: norms 2 + 1, applied to a column 2·2; divided 2 + 1, 2 roots
    (lambda Q: np.linalg.qr(Q, mode="raw"), 32, 32 + 16, (7, 7, 5)),
    # 4·3 powers, their norms 12 and 3 roots, 12 divisions; singular vectors of 4 x 3: 7·36 + 4·27
    # = 360; 12 + 9 multiply-adds and 3 divisions for the solution
    (lambda R, R2: np.polyfit(R, R2, 2), 64, 24, (393, 393 + 12, 18)),
    (lambda R, R2: np.polyfit(R[:1], R2[:1], 0), 16, 8, (14, 14 + 1, 3)),
]

SORTED = [
    # one element is sorted, and has no neighbour
    (lambda S: np.unique(S[:1]), 8, 8, 0),
    (lambda S: np.union1d(S[:1], S[:0]), 8, 8, 0),
]

INDEXING = [
    # an element by a place in memory reads the place too, even if others were taken before
    (lambda R, J: (R[0], R[J[0]]), 8 + 8 + 8 + 8, 8 + 8 + 8),
    # one element and two, a row and one element are not one another's
    (lambda R: stored(R, (0, 5.0), (slice(1, 3), 0.0), (slice(0, 3), 0.0)), 0, 8 + 16 + 24),
    (
        lambda X: stored(X, (0, 5.0), ((0, 1), 0.0), ((0, slice(1, 4)), 0.0), ((0,), 0.0)),
        0,
        32 + 8 + 24 + 32,
    ),
    (lambda K: stored(K, ((0,), 0.0), ((0, 1), 0.0)), 0, 96 + 32),
    # arrays without axes, of 8 and 2 bytes; one onto itself
    (lambda R, D, H: stored(R, (0, D), (0, H[0, ...])), 8 + 2, 16),
    (lambda R: stored(R, (0, R[1, ...]), (0, R[0, ...])), 8, 8),
    # a plain array through places in memory
    (lambda R, J: stored(R, (J, np.ones(3))), 48, 24),
    # an element has no axis to take one out of
    (lambda R: R[0][()], 8, 8),
    (lambda X: X.view(np.ndarray), 0, 0),
    # a place for all 3 rows; 3 of the flattened array
    (lambda X, I4: np.put_along_axis(X, I4[:1, :1], 9.0, 1), 8, 24),
    (lambda X, J: np.put_along_axis(X, J, 9.0, None), 24, 24),
    # a column of 3 has a diagonal of one, and begins anew two rows further down
    (lambda X: np.fill_diagonal(X[:, :1], 0.0), 0, 8),
    (lambda X: np.fill_diagonal(X[:, :1], 0.0, wrap=True), 0, 16),
]


@pytest.mark.parametrize("programs", [ELEMENTWISE, REDUCTIONS, PRODUCTS, ALGEBRA, SORTED, INDEXING])
def test_counts(by_hand, programs):
    for program in programs:
        by_hand(*program)


@pytest.mark.parametrize(
    ("call", "depends"),
    [
        (lambda x, places, mask: x[places], False),
        (lambda x, places, mask: x[mask], True),
        (lambda x, places, mask: np.where(x, x, x), False),
        (lambda x, places, mask: np.where(x), True),
        (lambda x, places, mask: np.insert(x, places, 9.0), False),
        pytest.param(
            lambda x, places, mask: np.insert(x, mask, 9.0),
            True,
            marks=pytest.mark.skipif(
                NumpyVersion(np.__version__) < "2.2.0", reason="a mask was taken for places"
            ),
        ),
        # three places are edges; numbers of bins are read for a shape
        (lambda x, places, mask: np.histogram2d(x, x, places), False),
        (lambda x, places, mask: np.histogramdd([x, x, x], places + 1), True),
    ],
)
def test_what_values_decide_is_told(call, depends):
    trace = Trace()
    x, places = trace.array(np.arange(4.0)), trace.array(np.array([0, 2, 3]))
    call(x, places, trace.array(np.array([True, False, True, False])))
    assert trace.data_dependent.empty != depends


def test_places_are_counted_anew():
    trace = Trace()
    for values in ([0.0, 1.0, 0.0], [1.0, 0.0, 2.0]):
        np.where(trace.array(np.array(values)))
    # one place, then two
    assert trace.traffic.bytes_written == 8 + 16


def test_stores_and_elements_are_recorded_as_often_as_they_come():
    trace = Trace(record=True)
    x = trace.array(np.arange(4.0))
    places = trace.array(np.array([0, 2]))
    for _ in range(3):
        x[0] = 1.0
        x[1:] = 0.0
        x[1]
        x[places] = 0.0
    names = [event.operation for event in trace.events]
    assert names == ["store", "store", "element", "scatter"] * 3


def test_what_is_made_of_nothing_is_created():
    trace = Trace()
    x, random = trace.array(np.arange(4.0)), trace.generator(np.random.default_rng(0))
    np.full_like(x, x[:1])
    np.full_like(x, 1.0)
    random.normal(x)
    random.normal(size=4)
    kinds = [entry.operation.kind for entry in trace.ledger.entries]
    assert kinds == [Kind.COPY, Kind.CREATE, Kind.ELEMENTWISE, Kind.CREATE]


def test_no_view_of_another_class_is_counted():
    with pytest.raises(UncountedOperationError, match="a view as matrix"):
        Trace().array(np.eye(2)).view(np.matrix)


def test_arrays_of_another_trace_are_refused_where_ones_of_its_own_are_known():
    x, y = Trace().array(np.arange(4.0)), Trace().array(np.arange(4.0))
    np.where(x, x, x)
    for mixed in (lambda: np.where(x, x, y), lambda: x[y.astype(int)]):
        with pytest.raises(InstrumentError, match="two traces"):
            mixed()


def test_settings_in_memory_leave_as_often_as_they_are_given():
    trace = Trace(escapes="record")
    x, axis = trace.array(np.ones((2, 3))), trace.array(np.array(0))
    for _ in range(3):
        np.sum(x, axis=axis), np.sum(x, axis)
    assert trace.escapes["bytes_read"].sum() == 3 * (8 + 8)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, k: np.sum(x, axis=k),
        lambda x, k: np.add.reduce(x, axis=k),
        lambda x, k: np.repeat(x, k),
        lambda x, k: x[:k],
        lambda x, k: x.round(k),
    ],
)
def test_a_setting_leaves_the_trace_that_it_is_in(call):
    trace, other = Trace(), Trace(escapes="record")
    x, k = trace.array(np.ones((2, 3))), other.array(np.ones(3, np.int16))[0]
    call(x, k)
    # an element of 2 bytes was taken out, and leaves; nothing leaves the other trace
    assert (other.traffic.bytes_read, other.escapes["bytes_read"].tolist()) == (4, [2])
    assert trace.escapes.empty
    with pytest.raises(EscapeError):
        call(other.array(np.ones((2, 3))), trace.array(np.ones(3, np.int16))[0])


def test_what_has_no_rule_hands_back_what_numpy_does():
    trace = Trace(escapes="record")
    x = trace.array(np.array([1.0, 3.0, 2.0]))
    assert np.real_if_close(x) is x
    quotient, rest = np.polydiv(x, x[:2])
    # 1 3 2 over 1 3 is 1 0, and 2 is left
    assert (quotient.escape().tolist(), rest.escape().tolist()) == ([1, 0], [2])


def test_a_target_in_a_tuple_is_an_operand_of_the_trace():
    trace = Trace(strict=True)
    x, y = trace.array(np.ones(4)), trace.array(np.zeros(4))
    assert np.clip(x, 0, 1, out=(y,)) is y
    assert trace.traffic == Traffic(32, 32)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: np.stack([x], out=(y,)),  # no ufunc: it takes no tuple
        lambda x, y: np.add.accumulate(x, 0, None, ((y,),)),
        lambda x, y: np.histogramdd((x,), y.ravel()),
    ],
)
def test_what_numpy_refuses_moves_nothing(call):
    trace = Trace()
    with pytest.raises((TypeError, ValueError)):
        call(trace.array(np.ones(4)), trace.array(np.zeros((1, 4))))
    assert trace.traffic == Traffic()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, m: np.copyto([x], x),
        lambda x, m: np.copyto(dst=(x,), src=x),
        lambda x, m: np.copyto(x.flat, x),
        lambda x, m: np.put([1.0], [0], x[:1]),
        lambda x, m: np.put([x], [0], 9.0),
        lambda x, m: np.putmask([x], m, 0),
        lambda x, m: np.putmask(range(4), m, 0),
        lambda x, m: np.place([x], m, [0]),
        lambda x, m: np.fill_diagonal([x, x], 0),
        lambda x, m: np.put_along_axis([1.0], np.array([0]), x[:1], 0),
    ],
)
def test_a_list_is_no_target(call):
    x, m = np.ones(4), np.ones(4, bool)
    with pytest.raises((TypeError, AttributeError)) as numpys:
        call(x, m)
    trace = Trace()
    with pytest.raises(numpys.type) as ours:
        call(trace.array(x), trace.array(m))
    assert str(ours.value) == str(numpys.value)
    assert trace.traffic == Traffic()
    assert x.all()


@pytest.mark.filterwarnings("error")
def test_dates_have_no_conjugate():
    dates = Trace().array(np.zeros(2, "m8[s]"))
    for value in (dates, dates[0]):
        with pytest.raises((TypeError, DeprecationWarning), match="conjugate"):  # as NumPy
            value.conj()


def test_of_two_errors_the_one_of_numpys_comes_first():
    x, flags = Trace().array(np.ones(2)), Trace().array(np.ones((2, 2), bool))
    with pytest.raises(TypeError):
        np.bitwise_or.at(x, 9, 1)
    with pytest.raises(TypeError):
        flags @= 1
    with pytest.raises(TypeError):
        x ** np.timedelta64(1, "s")


def test_a_read_only_array_is_not_stored_onto_itself():
    plain = np.ones(4)
    plain.flags.writeable = False
    x = Trace().array(plain)
    with pytest.raises(ValueError, match="read-only"):
        x[...] = x


def test_small_memory_is_stored_into_where_large_is_left():
    trace = Trace(computes_up_to=32)
    small, large = trace.array(np.zeros(4)), trace.array(np.zeros(8))
    small[1:3] = large[1:3] = 5.0
    assert (small.escape()[1], large.escape()[1]) == (5, 0)


@pytest.mark.parametrize("given", [{"foo": 1}, {"axis": 1}])
def test_a_method_takes_no_argument_that_it_lacks_or_has_already(given):
    x = Trace().array(np.ones((2, 2)))
    with pytest.raises(TypeError, match="unknown or a second argument"):
        x.sum(0, **given)


def test_names_that_numpy_lacks_are_skipped_and_two_names_of_one_function_are_one_rule(monkeypatch):
    monkeypatch.setattr(np, "twice", np.unwrap, raising=False)
    before = dict(RULES)
    parameters = "p: array, discont, axis, *, period"
    traffic_rule("not_of_numpy(p: array)", f"unwrap({parameters})", f"twice({parameters})")(
        streaming(Kind.COPY)
    )
    assert RULES.keys() - before.keys() == {np.unwrap}
    del RULES[np.unwrap]
