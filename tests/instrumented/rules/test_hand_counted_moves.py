"""Indexing, stores, copies and views, worked by hand from docs/metric.md, in plain integers.

Rows and operands as in `test_hand_counted.py`: a program, bytes read, bytes written, flops.
"""

from __future__ import annotations

from array import array
from collections import UserList, deque

import numpy as np
import pytest
from numpy.lib import NumpyVersion

from instrumented import Trace, Traffic, UncountedOperationError

NUMPY = NumpyVersion(np.__version__)


def assign(x, index, value):
    """Store, in a statement."""
    x[index] = value


# gathers read what they take and the index; stores the value and the index
INDEXED = [
    (lambda X: X[1], 0, 0),
    (lambda X: X[1, 2], 8, 8),
    (lambda X: X[-1, -1], 8, 8),
    (lambda X: X[:, 1], 0, 0),
    (lambda X: X[:, 1] * 2, 24, 24, (0, 3)),
    (lambda X: X[..., 0], 0, 0),
    (lambda X: X[1, 2, ...] + 1, 8, 8, 1),
    (lambda X, J: X[:, J], 72 + 24, 72),
    (lambda X, J: X[J, J], 24 + 48, 24),
    (lambda X, J: X[J[:, None], J], 72 + 48, 72),
    (lambda X: X[[True, False, True]], 64 + 3, 64),
    (lambda X, V: X[V, 1], 16 + 3, 16),
    (lambda X: X[True], 96, 96),
    (lambda X: X[False], 0, 0),
    (lambda X: X[None, ...], 0, 0),
    (lambda X: X[np.int64(1)], 0, 0),
    (lambda X: X[np.int64(1), 2], 8, 8),
    (lambda X, i32: X[i32 - 1], 12 + 96 + 12, 12 + 96, 3),
    (lambda J, R: R[J[0]], 8 + 8 + 8, 8 + 8),
    (lambda X: X[np.array([], dtype=int)], 0, 0),
    (lambda X, J: X[1][J], 48, 24),
    (lambda X: X.__setitem__(1, 0.0), 0, 32),
    (lambda X, R: X.__setitem__(1, R), 32, 32),
    (lambda X, R: X.__setitem__(slice(None), R), 32, 96),
    (lambda X, R: X.__setitem__((0, 0), R[1]), 16, 16),
    (lambda X: X.__setitem__((0, 0), 3), 0, 8),
    (lambda X, J: X.__setitem__(J, 1.0), 24, 96),
    (lambda X, J, R: X.__setitem__(J, R), 56, 96),
    (lambda X, M: X.__setitem__(M, 0.0), 12, 72),
    (lambda X: X.__setitem__(Ellipsis, [1, 2, 3, 4]), 32, 96),
    (lambda X, J, C3: X.__setitem__((slice(None), J), C3[:, None]), 24 + 24, 72),
    (lambda X: X.__setitem__([0, 2], 5), 16, 64),
    (lambda X, G: X.__setitem__(Ellipsis, G), 48, 96),
    (lambda X: X.fill(3), 0, 96),
    (lambda X, R: X.fill(R[0]), 8 + 8, 8 + 96),
    (lambda D: D.__setitem__((), 3), 0, 8),
    (lambda D: D.__setitem__(Ellipsis, D), 0, 0),
    (lambda X: X.put([0, 5], [1.0, 2.0]), 32, 16),
    (lambda X, J: np.put(X, J, 9.0), 24, 24),
    (lambda X, M: np.putmask(X, M, 0.0), 12, 72),
    (lambda X, M, Y: np.putmask(X, M, Y), 12 + 96, 72),
    (lambda X, M, C3: np.place(X, M, C3), 12 + 24, 72),
    (lambda X, R, M: np.copyto(X, R, where=M), 32 + 12 + 96, 96, 12),
    (lambda X: np.copyto(X, 3.0), 0, 96),
    (lambda X, I4, Q: np.put_along_axis(X[:2, :2], I4, Q, axis=1), 32 + 32, 32),
    (lambda X, J: X.__iadd__(X[J]), 96 + 24 + 96 + 96, 96 + 96, 12),
    (lambda X, J: np.take(X, J, axis=0), 96 + 24, 96),
    (lambda X, J: X.take(J), 24 + 24, 24),
    (lambda X: X.take(5), 8, 8),
    (lambda X: np.take(X, 1, axis=0), 32, 32),
    (lambda X: X.take([1, 2], axis=1), 48 + 16, 48),
    (lambda X, J, C3: np.take(X, J, out=C3, mode='clip'), 24 + 24, 24),
    (lambda X, IN: np.take_along_axis(X, IN, axis=1), 96 + 96, 96),
    (lambda X, V: np.compress(V, X, axis=0), 64 + 3, 64),
    (lambda X, V: X.compress(V, axis=0), 67, 64),
    (lambda X, M: np.extract(M, X), 72 + 12, 72),
    (lambda B, R: R.compress(B), 28, 24),
    (lambda IN, C3, R: np.choose(IN, [1.0, 2.0, 3.0]), 96, 96, 12),
    (lambda J, C3: np.choose(J, [C3, C3, 0.0]), 24 + 48, 24, 3),
    (lambda X, M, Y: np.where(M, X, Y), 204, 96, 12),
    (lambda X, M: np.where(M, X, 0), 108, 96, 12),
    (lambda M: np.where(M, 1, 0), 12, 96, 12),
    (lambda M: np.where(M), 12, 2 * 9 * 8, 12),
    (lambda X: np.nonzero(X), 96, 192, 12),
    (lambda X: np.argwhere(X > 2), 96 + 12, 12 + 144, 24),
    (lambda X: np.flatnonzero(X > 2), 108, 12 + 72, 24),
    (lambda M: M.nonzero(), 12, 144, 12),
    (lambda M: np.count_nonzero(M, axis=1), 12, 24, 9),
    (lambda X: np.select([X > 2], [X], -1), 96 + 12 + 96, 12 + 96, 24),
    (lambda M: M.astype(np.int8), 12, 12),
    (lambda X: np.astype(X, np.float16), 96, 24),
    (lambda X: np.array(X, like=X), 96, 96),
    (lambda X: np.array(X, copy=None, like=X), 0, 0),
    (lambda X: np.asarray(X, np.float32, like=X), 96, 48),
    (lambda X: X.T.copy('K'), 96, 96),
    (lambda X: np.copy(X.T), 96, 96),
    (lambda X: X.view(np.int64), 0, 0),
    (lambda X: X.view(np.uint8)[:, :3].sum(), 9, 8, 8),
    (lambda G: G.view('f8') + 1, 48, 48, 6),
    (lambda Z: Z.real * 2, 24, 24, (0, 3)),
    (lambda Z: Z.imag, 0, 0),
    (lambda X: X.real, 0, 0),
    (lambda Z: np.conj(Z), 48, 48, 3),
    (lambda X, R: np.concatenate([X, R[None]]), 128, 128),
    (lambda X, R: np.vstack([X, R]), 128, 128),
    (lambda R, R2: np.stack([R, R2], axis=1), 64, 64),
    (lambda R, R2: np.column_stack((R, R2)), 64, 64),
    (lambda R: np.block([[R, R], [R, R]]), 128, 128),
    (lambda R, G: np.concatenate([R, G[0]]), 48, 64),
    (lambda R: np.append(R, 3.0), 32, 40),
    (lambda R: np.append(R, [1, 2]), 48, 48),
    (lambda X, R: np.append(X, R[None], axis=0), 128, 128),
    (lambda R: np.insert(R, 1, 9.0), 32, 40),
    (lambda R: np.insert(R, [1, 3], [8.0, 9.0]), 32 + 16 + 16, 48),
    (lambda X: np.delete(X, 1, axis=0), 96, 64),
    (lambda X: np.delete(X, slice(0, 2), axis=1), 96, 48),
    (lambda R: np.resize(R, (3, 3)), 32, 72),
    (lambda R: np.tile(R, (2, 1)), 32, 64),
    (lambda R: np.repeat(R, 2), 32, 64),
    (lambda X: X.repeat(2, axis=0), 96, 192),
    (lambda R, I4: np.repeat(R, [1, 0, 2, 1]), 32 + 32, 32),
    (lambda X: np.roll(X, 1), 96, 96),
    (lambda X: np.roll(X, (1, 2), axis=(0, 1)), 96, 96),
    (lambda X: np.pad(X, ((0, 1), (1, 0)), constant_values=7), 96, 160),
    (lambda R: np.pad(R, 2, mode='edge'), 32, 64),
    (lambda R: np.pad(R, 1, mode='wrap'), 32, 48),
    (lambda X: np.split(X, 3), 0, 0),
    (lambda X: np.array_split(X, 2, axis=1), 0, 0),
    (lambda X: np.hsplit(X, [1]), 0, 0),
    (lambda X: np.rot90(X), 0, 0),
    (lambda X: np.rot90(X, 2) + 0, 96, 96, 12),
    (lambda X: np.broadcast_to(X, (2, 3, 4)) * 1, 96, 192, (0, 24)),
    (lambda C3, R: np.broadcast_arrays(C3[:, None], R), 0, 0),
    (lambda C3, R: np.meshgrid(C3, R, copy=False), 0, 0),
    (lambda C3, R: np.meshgrid(C3, R, sparse=True), 56, 56),
    (lambda X: X.diagonal(), 0, 0),
    (lambda A2: np.diag(A2) * 2, 24, 24, (0, 3)),
    (lambda X: np.triu(X, 1), 96, 96),
    (lambda X: np.squeeze(X[None]), 0, 0),
    (lambda X: np.moveaxis(X, 0, 1), 0, 0),
    (lambda X: np.atleast_3d(X), 0, 0),
    (lambda D: np.atleast_1d(D), 0, 0),
    (lambda X: X.reshape(2, -1), 0, 0),
    (lambda X: X.T.reshape(2, 6), 96, 96),
    (lambda X: X.reshape(2, 6, order='F'), 96, 96),
    (lambda X: X.T.reshape(12, order='F'), 0, 0),
    (lambda X: np.reshape(X, (6, 2), copy=True), 96, 96),
    (lambda X: np.zeros_like(X, dtype=np.int8), 0, 12),
    (lambda X: np.empty_like(X).shape, 0, 0),
    (lambda X, R: np.full_like(X, R), 32, 96),
    (lambda X, R: np.full_like(X, R[0]), 16, 8 + 96),
    (lambda X: np.eye(2, like=X), 0, 32),
    (lambda X: np.ones(3, np.int8, like=X), 0, 3),
    (lambda X: np.full((2,), 3.0, like=X), 0, 16),
    (lambda X: np.tri(3, like=X), 0, 72),
    (lambda X: np.identity(2, like=X), 0, 32),
    (lambda X: np.ravel(X), 0, 0),
    (lambda X: X.flat[3], 8, 8),
    (lambda X: X.flat[1:3], 16, 16),
    (lambda X, J: X.flat[J], 48, 24),
    (lambda ST: ST['a'] + 1, 8, 8, 2),
    (lambda ST: ST['b'].sum(), 16, 8, 1),
    (lambda ST: ST['a'].__setitem__(Ellipsis, 3), 0, 8),
    (lambda ST: ST[['a', 'c']], 0, 0),
    (lambda X: np.diff(X, n=0), 0, 0),
    (lambda R: np.polyder(R, 0), 0, 0),
    (lambda R: np.polyint(R, m=0), 0, 0),
    (lambda X: np.round(X, 2), 96, 96, 12),
    (lambda J: np.fix(J), 24, 24, 3),
    (lambda J: np.floor(J), 24, 24, 3),
]  # fmt: skip

# fields, parts, axes in arrays, inputs that may be overwritten
NAMED = [
    (lambda X, M: np.clip(X, 0, 4, out=X, where=M), 96 + 12 + 96, 96, 24),
    (lambda K, C3: np.tensordot(K, C3, axes=((1,), (0,))), 216, 64, (24, 24)),
    (lambda K: np.tensordot(K, K, axes=[[0, 1], [0, 1]]), 384, 128, (96, 96)),
    (lambda ST: ST[['a']]['a'] + 1, 8, 8, 2),
    (lambda ST: assign(ST, ['a', 'c'], ST[['c', 'a']]), 32, 32),
    (lambda Z: Z.imag + 1, 24, 24, 3),
    (lambda J: np.imag(J), 0, 24),
    (lambda X: assign(X, ..., X), 0, 0),
    (lambda X: assign(X, slice(None), X), 0, 0),
    (lambda X: assign(X, slice(None), X[::-1]), 96, 96),
    (lambda X: assign(X, slice(None), X * 1), 96 + 96, 96 + 96, (0, 12)),
    (lambda A2: assign(A2, slice(None), A2.T), 72, 72),
    (lambda X: assign(X.flat, 0, 3.0), 0, 8),
    (lambda X: assign(X.flat, slice(None), 3.0), 0, 96),
    (lambda X, J: assign(X.flat, J, 3.0), 24, 24),
]  # fmt: skip

# a list is put together in one kernel: what is traced in it is read once, the result written once
PUT_TOGETHER = [
    (lambda R, R2: np.array([R, R2], like=R), 32 + 32, 64),
    (lambda R: np.array((R, R), like=R), 32 + 32, 64),
    (lambda R, R2: np.array([[R, R2], [R2, R]], like=R), 4 * 32, 128),
    (lambda R, R2: np.array([R, R2], np.float32, like=R), 64, 32),
    (lambda R, F: np.array([R[:3], F[0]], like=R), 24 + 12, 48),  # float64 of both
    (lambda R, R2: np.array([R, R2], order='F', like=R), 64, 64),
    (lambda R, R2: np.array([R, R2], copy=None, ndmin=4, like=R), 64, 64),
    (lambda R, R2: np.array([R[0], R2[1]], like=R), 8 + 8 + 16, 8 + 8 + 16),  # two elements first
    (lambda R: np.array([R[0], 1.0, 2], like=R), 8 + 8, 8 + 24),  # constants are not read
    (lambda R: np.array(list(R), like=R), 4 * 8 + 32, 4 * 8 + 32),
    (lambda R, R2: np.array([R.flat, R2], like=R), 64, 64),
    (lambda X: np.array([X[:, 1], X[:, 0]], like=X), 24 + 24, 48),
    (lambda E: np.array([E, E], like=E), 0, 0),
    (lambda R, R2: np.asarray([R, R2], like=R), 64, 64),
    (lambda R, R2: np.asarray([R, R2], np.float16, like=R), 64, 16),
    (lambda R, R2: np.asanyarray([R, R2], like=R), 64, 64),
    (lambda R, R2: np.ascontiguousarray([R, R2], like=R), 64, 64),
    (lambda R, R2: np.asfortranarray([R, R2], like=R), 64, 64),
    (lambda R, R2: np.require([R, R2], np.float32, 'F', like=R), 64, 32),
    (lambda R: np.array([1, 300], np.int16, like=R), 16, 4),  # a bare list is an int64 array
    (lambda R, R2: np.stack([R, R2]), 64, 64),
]  # fmt: skip

# a range, or another sequence, counts as the list of what is in it: 8 bytes a number
SEQUENCES = [
    (lambda X: X[range(2)], 64 + 16, 64),
    (lambda X: X[[0, 1]], 64 + 16, 64),
    (lambda X: X[range(2, -1, -1), :1], 24 + 24, 24),
    (lambda X, J: X[range(3), J], 24 + 24 + 24, 24),
    (lambda X: X[range(2), range(2)], 16 + 32, 16),
    (lambda X: X[range(0)], 0, 0),
    (lambda X: assign(X, range(2), 5.0), 16, 64),
    (lambda X, J, C3: assign(X, (range(3), J), C3), 24 + 24 + 24, 24),
    (lambda X: X[range(2)].__iadd__(1), 64 + 16 + 64, 64 + 64, 8),
    (lambda X, J: np.add.at(X, (range(3), J), 1.0), 24 + 24 + 24, 24, 3),
    *([(lambda X: X.flat[range(3)], 24 + 24, 24)] if NUMPY >= "2.3.0" else []),
    *([(lambda X: assign(X.flat, range(3), 1.0), 24, 24)] if NUMPY >= "2.4.0" else []),
    (lambda X: X[deque([2, 0])], 64 + 16, 64),
    (lambda X: X[UserList([2, 0]), 1], 16 + 16, 16),
    (lambda X: X[deque([True, False, True])], 64 + 3, 64),
    (lambda ST: ST[deque(['a', 'c'])], 0, 0),
    (lambda R: np.take(R, range(0)), 0, 0),
    (lambda R: np.delete(R, range(0)), 32, 32),
]  # fmt: skip

# an empty list is an index, or nothing at all
EMPTY_LISTS = [
    (lambda X: np.take(X, [], axis=0), 0, 0),
    (lambda X: np.delete(X, [], axis=0), 96, 96),
    (lambda R: np.delete(R, ()), 32, 32),
    (lambda R: np.put(R, [], []), 0, 0),
    (lambda R: R.take([]), 0, 0),
    (lambda R: R[[]], 0, 0),
    (lambda R: assign(R, [], 3.0), 0, 0),
    (lambda R: np.add.at(R, [], 1.0), 0, 0),
    (lambda R: np.compress([], R), 0, 0),
    (lambda R: np.concatenate([R, []]), 32, 32),
    (lambda R: np.append(R, []), 32, 32),
    (lambda R: np.hstack([R, []]), 32, 32),
    (lambda R: np.ediff1d(R, to_end=[]), 32, 24, 3),
    (lambda R: np.isin(R, []), 32, 4, 0),
    (lambda R: np.searchsorted(R, []), 32, 0),
    (lambda R: np.union1d(R, []), 32, 8 * 3, 8 + 3),
    (lambda R: np.interp([], R, R), 64, 0),
    (lambda R: np.percentile(R, []), 32, 0, 0),
    (lambda R: np.searchsorted([], R), 32, 32),
    (lambda R: np.polyval([], R), 32, 32, 0),
    (lambda R: np.place(R, [False] * 4, []), 4, 0),
    (lambda R: np.putmask(R, [False] * 4, 1.0), 4, 0),
    (lambda R: np.digitize(R, []), 32, 32),
    (lambda R: np.where([], R[:0], 1.0), 0, 0),
    (lambda X: X[[], []], 0, 0),
    (lambda X: X[:, []], 0, 0),
    (lambda X: X[[], 0], 0, 0),
    (lambda X: X[np.ix_([], [0])], 8, 0),
    (lambda R: np.cross(R[:3], (1, 0, 0)), 48, 24, (3, 6)),
    (lambda R: np.cov(R, [1.0, 2, 3, 4]), 64, 32, (2 * 3 + 8 + 16, 16 + 4, 2)),
]  # fmt: skip


@pytest.mark.parametrize("programs", [INDEXED, NAMED, PUT_TOGETHER, SEQUENCES, EMPTY_LISTS])
def test_counts(by_hand, programs):
    for program in programs:
        by_hand(*program)


def test_a_list_put_together_is_one_event():
    trace = Trace(record=True)
    x, y = trace.array(np.arange(500.0)), trace.array(np.ones(500))
    both = np.array([x, y], like=x)
    (event,) = trace.events
    # 2·500 float64 read and written
    assert (event.operation, trace.traffic) == ("array", Traffic(8000, 8000))
    np.array([both, both], np.float32, like=x)
    # 2·1000 float64 read, as many float32 written
    assert len(trace.events) == 2
    assert trace.traffic == Traffic(8000 + 16000, 8000 + 8000)


@pytest.mark.parametrize(
    ("values", "kwargs"),
    [(lambda x: [x, x], {"copy": False}), (lambda x: [x, [1, 2]], {}),
     (lambda x: [x[0], 300], {"dtype": np.uint8})],
)  # fmt: skip
def test_a_list_that_numpy_refuses_is_refused_alike(values, kwargs):
    plain, trace = np.arange(3.0), Trace()
    x = trace.array(plain)
    with pytest.raises((ValueError, OverflowError)) as wanted:
        np.array(values(plain), **kwargs)
    with pytest.raises(wanted.type) as raised:
        np.array(values(x), like=x, **kwargs)
    assert str(raised.value) == str(wanted.value)
    assert "array" not in set(trace.to_frame()["operation"])


def test_memory_and_texts_in_an_index_are_not_taken_by_item():
    x = Trace().array(np.arange(4.0))
    for index in (array("b", [0, 1]), b"\x00", bytearray(1)):
        with pytest.raises(UncountedOperationError):
            x[index]
