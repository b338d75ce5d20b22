"""Rules of ``numpy.linalg``: textbook flops of the factorisations, operands streamed once.

A model: the bytes are those of operands and results, not of what LAPACK reads again while it
factorises, and iterations count as in Golub and Van Loan, Matrix Computations, 4th edition:
sections 3.2 (LU), 4.2 (Cholesky), 5.2 (Householder QR), 7.5 (QR algorithm), 8.3 and 8.6 (symmetric
matrices, singular values). A stack of matrices costs the sum of its matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.rules.products import multiply_adds
from instrumented.rules.traffic_rules import Call, Moved, operation_name, streaming, traffic_rule


def lu(n: int) -> Work:
    """n×n by elimination: n(n-1)(2n-1)/6 multiply-adds, n(n-1)/2 divisions."""
    return multiply_adds(n * (n - 1) * (2 * n - 1) // 6) + Work(special=n * (n - 1) // 2)


def triangles(n: int, columns: int) -> Work:
    """Both substitutions for every right-hand side: n(n-1) multiply-adds and n divisions."""
    return (multiply_adds(n * (n - 1)) + Work(special=n)) * columns


def inverse(n: int) -> Work:
    """LU, then the identity substituted, its zeros skipped on the way down: n³ - n² in all."""
    return multiply_adds(n**3 - n**2) + Work(special=n * (n - 1) // 2 + n * n)


def cholesky(n: int) -> Work:
    """(n³ - n)/6 multiply-adds, n(n-1)/2 divisions, n roots."""
    return multiply_adds((n**3 - n) // 6) + Work(special=n * (n - 1) // 2 + n)


def householder(m: int, n: int) -> Work:
    """R of m×n: a reflector of length m-j for every column j, applied to the columns after it.

    Its norm takes m-j multiply-adds and a root, its scaling m-j divisions, and each column after
    it 2(m-j) multiply-adds: 2n²(m - n/3) flops in the main.
    """
    count = special = 0
    for j in range(min(m, n)):
        count += (m - j) + 2 * (m - j) * (n - j - 1)
        special += 1 + (m - j)
    return multiply_adds(count) + Work(special=special)


def reflected(m: int, n: int, columns: int) -> Work:
    """Q with at least min(m, n) columns from the reflectors of m×n: 2(m-j)(columns-j) each."""
    return multiply_adds(sum(2 * (m - j) * (columns - j) for j in range(min(m, n))))


def eigen(n: int, vectors: bool) -> Work:
    """Hessenberg form and QR iterations: 10n³ flops, 25n³ with vectors."""
    return multiply_adds((25 if vectors else 10) * n**3 // 2)


def symmetric_eigen(n: int, vectors: bool) -> Work:
    """Tridiagonal form and QR iterations: 4n³/3 flops, 9n³ with vectors."""
    return multiply_adds(9 * n**3 // 2 if vectors else 2 * n**3 // 3)


def singular(m: int, n: int, vectors: str = "") -> Work:
    """Golub-Reinsch on m×n, m ≥ n: 4mn² - 4n³/3 flops for the values alone.

    ``vectors``: "thin" 14mn² + 8n³, "full" 4m²n + 8mn² + 9n³.
    """
    m, n = max(m, n), min(m, n)
    if vectors == "thin":
        return multiply_adds(7 * m * n * n + 4 * n**3)
    if vectors == "full":
        return multiply_adds((4 * m * m * n + 8 * m * n * n + 9 * n**3) // 2)
    return multiply_adds(2 * m * n * n - 2 * n**3 // 3)


def _matrices(array: Any) -> tuple[int, int, int]:
    """Return how many matrices an array holds, and their rows and columns."""
    *batch, m, n = array.shape
    return math.prod(batch), int(m), int(n)


def _factorising(work: Callable[[Call, int, int], Work]) -> Callable[[Call], Moved]:
    """Make the rule of a function whose work is that of one m×n matrix, times the matrices."""

    def moved(call: Call) -> Moved:
        first = call.operands[0]
        if first.ndim < 2:  # the rank alone is asked of vectors: is any element not zero
            return streaming(Kind.REDUCTION, Work(add=max(0, 2 * first.size - 1)))(call)
        count, m, n = _matrices(first)
        return streaming(Kind.REDUCTION, work(call, m, n) * count)(call)

    return moved


@traffic_rule("linalg.solve(a: array, b: array)")
def _solve(call: Call) -> Moved:
    a, b = call.operands
    n = a.shape[-1]
    count = math.prod(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    columns = call.size_out // max(1, n * count)
    return streaming(Kind.REDUCTION, (lu(n) + triangles(n, columns)) * count)(call)


def _svd(call: Call, m: int, n: int) -> Work:
    if not call.get("compute_uv", True):
        return symmetric_eigen(n, vectors=False) if call.get("hermitian") else singular(m, n)
    if call.get("hermitian"):
        return symmetric_eigen(n, vectors=True)
    return singular(m, n, "full" if call.get("full_matrices", True) else "thin")


def _qr(call: Call, m: int, n: int) -> Work:
    mode = str(call.get("mode", "reduced"))
    columns: int = {"r": 0, "raw": 0, "complete": m}.get(mode, min(m, n))
    return householder(m, n) + (reflected(m, n, columns) if columns else NO_WORK)


def _least_squares(call: Call, m: int, n: int) -> Work:
    """By singular values, as NumPy's gelsd: Uᵀb, divided by the values, times V."""
    k = min(m, n)
    columns = int(call.operands[1].size) // max(1, m)
    each = multiply_adds(m * k + k * n) + Work(special=k)
    return singular(m, n, "thin") + each * columns


def _pseudo_inverse(call: Call, m: int, n: int) -> Work:
    k = min(m, n)
    if call.get("hermitian"):
        return symmetric_eigen(n, vectors=True) + multiply_adds(n**3) + Work(special=n)
    return singular(m, n, "thin") + Work(special=k, multiply=k * n) + multiply_adds(m * n * k)


def _rank(call: Call, m: int, n: int) -> Work:
    values = symmetric_eigen(n, vectors=False) if call.get("hermitian") else singular(m, n)
    return values + Work(add=2 * min(m, n))  # the largest, then each against the tolerance


def _condition(call: Call, m: int, n: int) -> Work:
    order = call.get("p")
    if order in (None, 2, -2):
        return singular(m, n) + Work(special=1)
    return inverse(n) + _matrix_norm_work(order, m, n) * 2 + Work(multiply=1)


def _power(call: Call, m: int, n: int) -> Work:
    """By squaring: a product for every bit but the first, and for every further bit set."""
    exponent = int(call.get("n"))
    times = abs(exponent)
    products = max(0, times.bit_length() - 1 + times.bit_count() - 1)
    work = multiply_adds(n**3 * products)
    return work + inverse(n) if exponent < 0 else work


FACTORISATIONS: dict[str, Callable[[Call, int, int], Work]] = {
    "linalg.inv(a: array)": lambda call, m, n: inverse(n),
    "linalg.det(a: array)": lambda call, m, n: lu(n) + Work(multiply=max(0, n - 1)),
    "linalg.slogdet(a: array)": lambda call, m, n: lu(n) + Work(add=max(0, n - 1), special=n),
    "linalg.cholesky(a: array, *, upper)": lambda call, m, n: cholesky(n),
    "linalg.qr(a: array, mode)": _qr,
    "linalg.svd(a: array, full_matrices, compute_uv, hermitian)": _svd,
    "linalg.svdvals(x: array)": lambda call, m, n: singular(m, n),
    "linalg.eig(a: array)": lambda call, m, n: eigen(n, vectors=True),
    "linalg.eigvals(a: array)": lambda call, m, n: eigen(n, vectors=False),
    "linalg.eigh(a: array, UPLO)": lambda call, m, n: symmetric_eigen(n, vectors=True),
    "linalg.eigvalsh(a: array, UPLO)": lambda call, m, n: symmetric_eigen(n, vectors=False),
    "linalg.lstsq(a: array, b: array, rcond)": _least_squares,
    "linalg.pinv(a: array, rcond: array, hermitian, *, rtol: array)": _pseudo_inverse,
    "linalg.matrix_rank(A: array, tol: array, hermitian, *, rtol: array)": _rank,
    "linalg.cond(x: array, p)": _condition,
    "linalg.matrix_power(a: array, n)": _power,
}
"""Declarations of functions that factorise matrices, and the work on one m×n matrix."""

for _declaration, _work in FACTORISATIONS.items():
    traffic_rule(
        _declaration,
        # the rank decides the shape of the residuals; real or complex hangs on the values
        by_values=(lambda call: True)
        if _declaration.startswith(("linalg.lstsq", "linalg.eig(", "linalg.eigvals("))
        else None,
    )(_factorising(_work))


@traffic_rule("linalg.tensorinv(a: array, ind)", "linalg.tensorsolve(a: array, b: array, axes)")
def _tensors(call: Call) -> Moved:
    """As inverse and solution of the square matrix that the tensor is."""
    n = math.isqrt(call.size_in)
    work = inverse(n) if call.function is np.linalg.tensorinv else lu(n) + triangles(n, 1)
    return streaming(Kind.REDUCTION, work)(call)


@traffic_rule("roots(p: array)", by_values=lambda call: True)
def _roots(call: Call) -> Moved:
    """Eigenvalues of the companion matrix."""
    return streaming(Kind.REDUCTION, eigen(max(0, call.size_in - 1), vectors=False))(call)


@traffic_rule("poly(seq_of_zeros: array)", by_values=lambda call: True)
def _poly(call: Call) -> Moved:
    """A convolution with two coefficients for every root; those of a matrix are found first."""
    roots = call.operands[0].shape[0]
    work = multiply_adds(sum(2 * k for k in range(1, roots + 1)))
    if call.operands[0].ndim == 2:
        work += eigen(roots, vectors=False)
    return streaming(Kind.REDUCTION, work)(call)


@traffic_rule(
    "polyfit(x: array, y: array, deg, rcond, full, w: array, cov)",
    by_values=lambda call: bool(call.get("full")),  # the rank decides whether there are residuals
)
def _polyfit(call: Call) -> Moved:
    """Powers of x, scaled by their norms, then least squares."""
    m, n = int(np.size(call.get("x"))), int(call.get("deg")) + 1
    columns = int(np.size(call.get("y"))) // max(1, m)
    each = multiply_adds(m * n + n * n) + Work(special=n)
    work = Work(multiply=m * n) + multiply_adds(m * n) + Work(special=m * n + n)
    return streaming(Kind.REDUCTION, work + singular(m, n, "thin") + each * columns)(call)


@traffic_rule("linalg.multi_dot(arrays: arrays, *, out: out)")
def _multi_dot(call: Call) -> Moved:
    """The cheapest order of all, products only; what is made in between is not counted."""
    sizes = [call.operands[0].shape[0] if call.operands[0].ndim == 2 else 1]
    sizes += [operand.shape[-1] if operand.ndim == 2 else operand.size for operand in call.operands]
    if call.operands[-1].ndim == 1:
        sizes[-1] = 1
    return streaming(Kind.REDUCTION, multiply_adds(cheapest_chain(sizes)))(call)


def cheapest_chain(sizes: list[int]) -> int:
    """Return the least multiply-adds of a chain of matrices sizes[k] × sizes[k+1]."""
    count = len(sizes) - 1
    least = [[0] * count for _ in range(count)]
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            least[i][j] = min(
                least[i][k] + least[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                for k in range(i, j)
            )
    return least[0][-1]


# ---- norms -------------------------------------------------------------------------------


def _vector_norm_work(order: Any, n: int, lines: int) -> Work:
    """Norms of ``lines`` vectors with n elements together."""
    folds = max(0, n - lines)
    if order in (None, 2):
        return Work(add=folds, multiply=n, special=lines)  # squares, their sums, square roots
    if order in (1, np.inf, -np.inf, 0):
        return Work(add=n + folds)  # absolute values, then their sum, maximum or minimum
    return Work(add=n + folds, special=n + lines)  # |x|^p, their sums, the p-th roots


def _matrix_norm_work(order: Any, m: int, n: int) -> Work:
    """Norm of one m×n matrix."""
    if order in (None, "fro", "f"):
        return _vector_norm_work(2, m * n, 1)
    if order in (1, -1, np.inf, -np.inf):  # absolute values, sums of lines, their extreme
        return Work(add=m * n + max(0, m * n - 1))
    values = min(m, n)
    return singular(m, n) + Work(add=max(0, values - 1))  # 2, -2 and "nuc"


@traffic_rule(
    "linalg.norm(x: array, ord, axis, keepdims)",
    "linalg.vector_norm(x: array, *, axis, keepdims, ord)",
    "linalg.matrix_norm(x: array, *, keepdims, ord)",
)
def _norm(call: Call) -> Moved:
    x, order, axis = call.operands[0], call.get("ord"), call.get("axis")
    name = operation_name(call.function)
    of_matrices = name == "linalg.matrix_norm"
    if name == "linalg.norm":
        of_matrices = (axis is None and x.ndim == 2 and order is not None) or (
            isinstance(axis, (tuple, list)) and len(axis) == 2
        )
    if of_matrices:
        rows, columns = (axis or (-2, -1)) if name == "linalg.norm" else (-2, -1)
        one: Work = _matrix_norm_work(order, x.shape[rows], x.shape[columns])
        work = one * call.size_out
    else:
        work = _vector_norm_work(order, x.size, call.size_out)
    return streaming(Kind.REDUCTION, work)(call)
