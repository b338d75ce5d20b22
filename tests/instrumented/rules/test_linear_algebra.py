"""Factorisations and Fourier transforms: textbook flops, operands streamed once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import instrumented
from instrumented import Traffic, Work
from instrumented.rules import linear_algebra as rules

A = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 5.0]])  # symmetric, 72 B
TALL = np.array([[1.0, 2.0], [0.5, 1.0], [3.0, 1.0], [1.0, 1.5]])  # 4 x 2, 64 B
EIGEN = np.linalg.eigvals(A).itemsize
"""Bytes of an eigenvalue of A, which is real: 8, and 16 from NumPy 2.5 on."""


def counted(call, *arrays):
    trace = instrumented.Trace()
    got = call(*(trace.array(array.copy()) for array in arrays))
    moved = trace.traffic, trace.work
    expected = call(*arrays)
    for have, want in zip(
        got if isinstance(expected, tuple) else [got],
        expected if isinstance(expected, tuple) else [expected],
        strict=True,
    ):
        value = have.escape() if hasattr(have, "escape") else have
        np.testing.assert_array_equal(value, want)
    return moved


def test_elimination_counts_its_own_loops():
    """LU, substitution, inverse and Cholesky against the textbook's loops, run and counted."""
    for n in range(1, 7):
        count = divisions = 0
        for k in range(n):
            divisions += n - k - 1
            count += (n - k - 1) ** 2
        assert rules.lu(n) == Work(count, count, divisions)
        # forward with ones on the diagonal, back with a division a row
        pairs = 2 * sum(range(n))
        assert rules.triangles(n, 1) == Work(pairs, pairs, n)
        down = sum((n - j) * (n - j - 1) // 2 for j in range(n))  # zeros above j are skipped
        whole = count + down + n * sum(range(n))
        assert rules.inverse(n) == Work(whole, whole, divisions + n * n)
        count = divisions = 0
        for j in range(n):
            count += j + (n - j - 1) * j
            divisions += n - j - 1
        assert rules.cholesky(n) == Work(count, count, divisions + n)


@pytest.mark.parametrize(
    ("call", "arrays", "read", "written", "work"),
    [
        # n = 3: 2*5 / ... 3*2*5/6 = 5 multiply-adds, 3 divisions; two columns 6 + 3 divisions each
        (np.linalg.solve, (A, A[:, :2]), 72 + 48, 48, Work(5 + 12, 5 + 12, 3 + 6)),
        (np.linalg.solve, (A, A[0]), 72 + 24, 24, Work(5 + 6, 5 + 6, 3 + 3)),
        # 27 - 9 = 18 multiply-adds, 3 + 9 divisions
        (np.linalg.inv, (A,), 72, 72, Work(18, 18, 12)),
        # LU and two products of the diagonal
        (np.linalg.det, (A,), 72, 8, Work(5, 5 + 2, 3)),
        (np.linalg.slogdet, (A,), 72, 16, Work(5 + 2, 5, 3 + 3)),
        # 24 / 6 = 4 multiply-adds, 3 divisions, 3 roots
        (np.linalg.cholesky, (A,), 72, 72, Work(4, 4, 6)),
        # columns of 4 and 3: norms 4 + 3, applied to one column 2*4; 1 + 4 and 1 + 3 divisions
        (lambda a: np.linalg.qr(a, mode="r"), (TALL,), 64, 32, Work(15, 15, 9)),
        # Q of two columns: 2*4*2 + 2*3*1 more
        (np.linalg.qr, (TALL,), 64, 64 + 32, Work(15 + 22, 15 + 22, 9)),
        # 9 n^3 = 243 flops, 4 n^3 / 3 = 36
        (np.linalg.eigh, (A,), 72, 24 + 72, Work(121, 121)),
        (np.linalg.eigvalsh, (A,), 72, 24, Work(18, 18)),
        (np.linalg.eigvals, (A,), 72, 3 * EIGEN, Work(135, 135)),
        (np.linalg.eig, (A,), 72, 3 * EIGEN + 9 * EIGEN, Work(337, 337)),
        # 4 m n^2 - 4 n^3 / 3 = 64 - 10.7 flops
        (np.linalg.svdvals, (TALL,), 64, 16, Work(27, 27)),
        # 14 m n^2 + 8 n^3 = 224 + 64
        (lambda a: np.linalg.svd(a, full_matrices=False), (TALL,), 64, 64 + 16 + 32,
         Work(144, 144)),
        # 4 m^2 n + 8 m n^2 + 9 n^3 = 128 + 128 + 72
        (np.linalg.svd, (TALL,), 64, 128 + 16 + 32, Work(164, 164)),
        # thin vectors, then 4*2 + 2*2 multiply-adds and 2 divisions; rank is int32
        (lambda a, b: np.linalg.lstsq(a, b, rcond=None), (TALL, TALL[:, 0]), 64 + 32,
         16 + 8 + 4 + 16, Work(144 + 12, 144 + 12, 2)),
        (np.linalg.pinv, (TALL,), 64, 64, Work(144 + 16, 144 + 16 + 4, 2)),
        # 5 = 101b: two squarings and a product
        (lambda a: np.linalg.matrix_power(a, 5), (A,), 72, 72, Work(81, 81)),
        # (10x2 2x20) 20x3 or 10x2 (2x20 20x3): 120 + 60
        (lambda a, b, c: np.linalg.multi_dot([a, b, c]),
         (np.ones((10, 2)), np.ones((2, 20)), np.ones((20, 3))), 960, 240, Work(180, 180)),
        # absolute values, three sums of three, their maximum
        (lambda a: np.linalg.norm(a, 1), (A,), 72, 8, Work(9 + 8)),
        (lambda a: np.linalg.norm(a, 2), (A,), 72, 8, Work(36 + 2, 36)),
        (lambda a: np.linalg.norm(a), (A,), 72, 8, Work(8, 9, 1)),
        # |x|^3 of 4, their sum, its root
        (lambda a: np.linalg.norm(a, 3), (TALL[:, 0],), 32, 8, Work(4 + 3, 0, 4 + 1)),
        # a line of 4 complex: 2 rounds, 3*4 additions and 2*4 products each
        (np.fft.fft, (TALL[:, 0],), 32, 64, Work(24, 16)),
        (np.fft.rfft, (TALL[:, 0],), 32, 48, Work(12, 8)),
        # 2 lines of 4, then 4 lines of 2 (1 round: 6 and 4)
        (np.fft.fft2, (TALL,), 64, 128, Work(2 * 24 + 4 * 6, 2 * 16 + 4 * 4)),
    ],
)  # fmt: skip
def test_counts(call, arrays, read, written, work):
    assert counted(call, *arrays) == (Traffic(read, written), work)


def test_a_stack_costs_the_sum_of_its_matrices():
    stack = np.stack([A, A + np.eye(3)])
    assert counted(np.linalg.inv, stack) == (Traffic(144, 144), Work(36, 36, 24))
    assert counted(lambda a: np.linalg.solve(a, a), stack) == (
        Traffic(288, 144),
        Work(2 * (5 + 18), 2 * (5 + 18), 2 * (3 + 9)),
    )
    # NumPy factorises the one matrix for each of two right-hand sides of one column
    assert counted(np.linalg.solve, A, np.ones((2, 3, 1))) == (
        Traffic(72 + 48, 48),
        Work(2 * (5 + 6), 2 * (5 + 6), 2 * (3 + 3)),
    )


def test_the_cheapest_chain_is_the_least_of_all_orders():
    def all_orders(sizes):
        if len(sizes) == 2:
            return [0]
        return [
            cost + sizes[k - 1] * sizes[k] * sizes[k + 1]
            for k in range(1, len(sizes) - 1)
            for cost in all_orders([*sizes[:k], *sizes[k + 1 :]])
        ]

    for sizes in itertools.product((1, 3, 7), repeat=5):
        assert rules.cheapest_chain(list(sizes)) == min(all_orders(list(sizes)))
