"""Rules of NumPy's products: m×k by k×n is 2·m·k·n flops (docs/metric.md §3 "Arithmetic")."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from instrumented.books.counters import Work
from instrumented.books.events import Kind
from instrumented.books.operand import own_bytes
from instrumented.rules.einsum import einsum_work, einsum_work_in_pairs, labels_of
from instrumented.rules.traffic_rules import Call, Moved, streaming, traffic_rule


def multiply_adds(count: int) -> Work:
    """Return the work of ``count`` fused multiply-adds: 2 flops each."""
    return Work(add=count, multiply=count)


@traffic_rule(
    "dot(a: array, b: array, out: out)",
    "inner(a: array, b: array)",
    "vdot(a: array, b: array)",
    "linalg.matmul(x1: array, x2: array)",
    "linalg.vecdot(x1: array, x2: array, *, axis)",
)
def _inner_products(call: Call) -> Moved:
    left = call.operands[0]
    if len(call.operands) < 2 or left.ndim == 0 or call.operands[1].ndim == 0:
        return streaming(Kind.ELEMENTWISE, Work(multiply=call.size_out))(call)  # scaled
    right = call.operands[1]
    if call.function is np.vdot:
        folded = left.size
    elif call.function is np.linalg.vecdot:
        folded = left.shape[call.get("axis", -1)]
    else:
        folded = left.shape[-1]
    is_matrix = left.ndim == right.ndim == 2 and call.function in (np.dot, np.linalg.matmul)
    kind = Kind.MATMUL if is_matrix else Kind.REDUCTION
    return streaming(kind, multiply_adds(call.size_out * folded))(call)


@traffic_rule(
    "tensordot(a: array, b: array, axes)", "linalg.tensordot(x1: array, x2: array, *, axes)"
)
def _tensordot(call: Call) -> Moved:
    axes: Any = call.get("axes", 2)
    left = call.operands[0]
    if isinstance(axes, (int, np.integer)):
        folded = math.prod(left.shape[left.ndim - axes :])
    else:
        folded = math.prod(left.shape[axis] for axis in np.ravel(axes[0]))
    return streaming(Kind.REDUCTION, multiply_adds(call.size_out * folded))(call)


def _einsum_refusal(call: Call) -> str | None:
    if not isinstance(call.arguments["operands"][0], str):
        return "is counted for a subscript string, not for lists of axes"
    if len(call.operands) != len(call.arguments["operands"]) - 1:
        return "is counted for arrays; bring numbers in with trace.array"
    return None


@traffic_rule(
    "einsum(*operands: array, out: out, optimize, **kwargs)", views=True, refuses=_einsum_refusal
)
def _einsum(call: Call) -> Moved:
    """One loop over all indices, or with ``optimize`` the contractions in pairs of NumPy's order.

    Of an operand with a repeated index only the diagonal is read.
    """
    subscripts, *operands = call.arguments["operands"]
    shapes = [operand.shape for operand in operands]
    optimize = call.get("optimize", False)
    if optimize is False:
        work = einsum_work(subscripts, shapes)
    else:
        path = np.einsum_path(subscripts, *operands, optimize=optimize)[0]
        work = einsum_work_in_pairs(subscripts, shapes, path[1:])
    inputs, _ = labels_of(subscripts, [len(shape) for shape in shapes])
    reads = [
        (operand, _diagonal_bytes(operand, labels))
        for operand, labels in zip(operands, inputs, strict=True)
    ]
    return Moved(Kind.REDUCTION, reads, [(result, None) for result in call.results], work)


def _diagonal_bytes(operand: Any, labels: list[str]) -> int:
    """Bytes of the elements whose positions agree along every repeated index."""
    distinct = list(dict.fromkeys(labels))
    numbers = [distinct.index(label) for label in labels]
    return own_bytes(np.einsum(operand, numbers, list(range(len(distinct)))))


@traffic_rule("convolve(a: array, v: array, mode)", "correlate(a: array, v: array, mode)")
def _convolve(call: Call) -> Moved:
    """Directly: a multiply-add wherever the two overlap."""
    n, m = (int(np.size(call.get(name))) for name in ("a", "v"))
    return streaming(Kind.REDUCTION, multiply_adds(_overlaps(n, m, call.size_out)))(call)


@traffic_rule("polymul(a1: array, a2: array)", by_values=lambda call: True)
def _polymul(call: Call) -> Moved:
    n, m = (int(np.size(call.get(name))) for name in ("a1", "a2"))
    return streaming(Kind.REDUCTION, multiply_adds(n * m))(call)


def _overlaps(n: int, m: int, results: int) -> int:
    """Pairs that meet: all n·m in full, less at each end where the ends are cut off."""
    short = min(n, m)
    cut = n + m - 1 - results  # results left out, at both ends together
    before, after = cut // 2, cut - cut // 2

    def lost(end: int) -> int:
        return sum(min(k + 1, short) for k in range(end))

    return n * m - lost(before) - lost(after)
