"""Traffic rules of NumPy functions that need more than a row in a table.

Conventions (docs/metric.md, section 3): a product of m×k by k×n is 2·m·k·n flops; sorting a
line of n elements is n·⌈log2 n⌉ comparisons by definition, whatever the data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.books.operand import Array, own_bytes
from instrumented.errors import UncountedOperationError
from instrumented.rules.einsum import einsum_work
from instrumented.rules.registry import Call, Moved, operation_name, streaming, traffic_rule


def multiply_adds(count: int) -> Work:
    """Return the work of ``count`` fused multiply-adds: 2 flops each."""
    return Work(add=count, multiply=count)


@traffic_rule(np.dot, np.inner, np.vdot, np.linalg.matmul, np.linalg.vecdot)
def _inner_products(call: Call) -> Moved:
    left, right = call.operands[:2]
    if left.ndim == 0 or right.ndim == 0:  # a scalar times an array
        return streaming(Kind.ELEMENTWISE, lambda c: Work(multiply=c.size_out))(call)
    if call.function is np.vdot:
        folded = left.size
    elif call.function is np.linalg.vecdot:
        folded = left.shape[call.kwargs.get("axis", -1)]
    else:
        folded = left.shape[-1]
    work = multiply_adds(call.size_out * folded)
    is_matrix = left.ndim == right.ndim == 2 and call.function in (np.dot, np.linalg.matmul)
    return streaming(Kind.MATMUL if is_matrix else Kind.REDUCTION, lambda _: work)(call)


@traffic_rule(np.tensordot, np.linalg.tensordot)
def _tensordot(call: Call) -> Moved:
    axes = call.argument(2, "axes", 2)
    left = call.operands[0]
    if isinstance(axes, (int, np.integer)):
        folded = math.prod(left.shape[left.ndim - axes :])
    else:
        named = axes[0] if isinstance(axes[0], (list, tuple)) else [axes[0]]
        folded = math.prod(left.shape[axis] for axis in named)
    return streaming(Kind.REDUCTION, lambda c: multiply_adds(c.size_out * folded))(call)


@traffic_rule(np.outer, np.linalg.outer, np.kron)
def _all_pairs(call: Call) -> Moved:
    return streaming(Kind.ELEMENTWISE, lambda c: Work(multiply=c.size_out))(call)


@traffic_rule(np.einsum)
def _einsum(call: Call) -> Moved:
    subscripts = call.args[0]
    if not isinstance(subscripts, str) or call.kwargs.get("optimize", False) is not False:
        raise UncountedOperationError(
            "numpy.einsum is counted for a subscript string without optimize; "
            "write the contraction order as separate calls"
        )
    if len(call.operands) != len(call.args) - 1:
        raise UncountedOperationError(
            "numpy.einsum is counted for arrays; bring lists and numbers in with trace.array"
        )
    shapes = [operand.shape for operand in call.operands]
    work = einsum_work(subscripts, shapes)
    return streaming(Kind.REDUCTION, lambda _: work)(call)


def _lines(array: Array, axis: int | None) -> tuple[int, int]:
    """Return how many lines run along ``axis`` (None: the flattened array) and their length."""
    if axis is None:
        return 1, array.size
    length = array.shape[axis]
    return (array.size // length if length else 0), length


@traffic_rule(np.trace, np.linalg.trace)
def _trace(call: Call) -> Moved:
    """Only the diagonals are read and added up."""
    (matrix,) = call.operands
    if call.function is np.linalg.trace:
        axes = (-2, -1)
    else:
        axes = call.argument(2, "axis1", 0), call.argument(3, "axis2", 1)
    diagonals = np.diagonal(matrix, call.argument(1, "offset", 0), *axes)
    return Moved(
        Kind.REDUCTION,
        [(matrix, own_bytes(diagonals))],
        [(result, None) for result in call.results],
        Work(add=max(0, diagonals.size - call.size_out)),
    )


@traffic_rule(np.clip)
def _clip(call: Call) -> Moved:
    named = call.kwargs.get("min"), call.kwargs.get("max")
    bounds = sum(bound is not None for bound in (*call.args[1:3], *named))
    return streaming(Kind.ELEMENTWISE, lambda c: Work(add=bounds * c.size_out))(call)


def _comparison(call: Call, element: Work) -> Moved:
    """Elementwise comparison, then one fold of all answers into a single one."""
    pairs = np.broadcast(*call.operands).size
    work = element * pairs + Work(add=max(0, pairs - 1))
    return streaming(Kind.REDUCTION, lambda _: work)(call)


@traffic_rule(np.array_equal, np.array_equiv)
def _equality(call: Call) -> Moved:
    shapes = [np.shape(value) for value in call.args[:2]]
    if _broadcasts(shapes) if call.function is np.array_equiv else shapes[0] == shapes[1]:
        return _comparison(call, Work(add=1))
    return Moved(Kind.CREATE, [], [(call.results[0], None)])  # the shapes tell


def _broadcasts(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


CLOSE = Work(add=4, multiply=1)  # |a - b| <= atol + rtol * |b|


@traffic_rule(np.allclose)
def _all_close(call: Call) -> Moved:
    return _comparison(call, CLOSE)


@traffic_rule(np.isclose)
def _close(call: Call) -> Moved:
    return streaming(Kind.ELEMENTWISE, lambda c: CLOSE * c.size_out)(call)


@traffic_rule(np.full_like)
def _full_like(call: Call) -> Moved:
    """The model is not read, a fill value of its own memory is."""
    fill = call.argument(1, "fill_value")
    reads: list[tuple[Array, int | None]] = [(fill, None)] if isinstance(fill, np.ndarray) else []
    return Moved(Kind.COPY if reads else Kind.CREATE, reads, [(call.results[0], None)])


@traffic_rule(np.cumsum, np.cumprod)
def _scan(call: Call) -> Moved:
    lines, length = _lines(call.operands[0], call.argument(1, "axis"))
    folds = lines * max(0, length - 1)
    work = Work(add=folds) if call.function is np.cumsum else Work(multiply=folds)
    return streaming(Kind.REDUCTION, lambda _: work)(call)


@traffic_rule(np.diff)
def _difference(call: Call) -> Moved:
    if call.kwargs.keys() & {"prepend", "append"} or len(call.args) > 3:
        raise UncountedOperationError("numpy.diff is counted without prepend and append")
    lines, length = _lines(call.operands[0], call.argument(2, "axis", -1))
    order = call.argument(1, "n", 1)
    work = Work(add=lines * sum(max(0, length - k) for k in range(1, order + 1)))
    return streaming(Kind.ELEMENTWISE, lambda _: work)(call)


@traffic_rule(np.linalg.norm, np.linalg.vector_norm)
def _norm(call: Call) -> Moved:
    order, axis = call.argument(1, "ord"), call.argument(2, "axis")
    if call.function is np.linalg.vector_norm:
        axis, order = call.argument(1, "axis"), call.kwargs.get("ord", 2)
        is_vector = True
    else:
        of_all = axis is None and (order is None or call.operands[0].ndim == 1)
        is_vector = of_all or isinstance(axis, int)
    n, lines = call.size_in, call.size_out
    folds = max(0, n - lines)
    if (is_vector and order in (None, 2)) or order == "fro":
        work = Work(add=folds, multiply=n, special=lines)  # squares, their sums, square roots
    elif is_vector and order in (1, np.inf, -np.inf):
        work = Work(add=n + folds)  # absolute values, then their sum, maximum or minimum
    else:
        raise UncountedOperationError(
            f"{operation_name(call.function)} with ord={order!r}, axis={axis!r} has no traffic "
            "rule: vector norms of order 1, 2, inf, -inf and the Frobenius norm have one"
        )
    return streaming(Kind.REDUCTION, lambda _: work)(call)


PADDING_THAT_ONLY_MOVES = ("constant", "edge", "reflect", "symmetric", "wrap", "empty")


@traffic_rule(np.pad)
def _pad(call: Call) -> Moved:
    mode = call.argument(2, "mode", "constant")
    if mode not in PADDING_THAT_ONLY_MOVES:
        raise UncountedOperationError(
            f"numpy.pad with mode={mode!r} has no traffic rule; it has one for "
            + ", ".join(PADDING_THAT_ONLY_MOVES)
        )
    return streaming(Kind.COPY, lambda _: NO_WORK)(call)


def _sorting_work(lines: int, length: int) -> Work:
    return Work(add=lines * length * math.ceil(math.log2(length)) if length > 1 else 0)


@traffic_rule(np.sort, np.argsort)
def _sort(call: Call) -> Moved:
    lines, length = _lines(call.operands[0], call.argument(1, "axis", -1))
    return streaming(Kind.COPY, lambda _: _sorting_work(lines, length))(call)


@traffic_rule(np.lexsort)
def _lexsort(call: Call) -> Moved:
    keys = call.operands[0].shape[0] if len(call.operands) == 1 else len(call.operands)
    work = _sorting_work(keys, call.size_out)
    return streaming(Kind.COPY, lambda _: work)(call)


@traffic_rule(np.unique, np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values)
def _unique(call: Call) -> Moved:
    if call.argument(4, "axis") is not None:
        raise UncountedOperationError("numpy.unique is counted without axis")
    work = _sorting_work(1, call.size_in) + Work(add=max(0, call.size_in - 1))
    return streaming(Kind.COPY, lambda _: work)(call)


@traffic_rule(np.searchsorted, np.digitize)
def _binary_search(call: Call) -> Moved:
    table, queries = call.operands[0], call.size_out
    if call.function is np.digitize:
        table = call.operands[1]
    steps = math.ceil(math.log2(table.size + 1))
    return streaming(Kind.GATHER, lambda _: Work(add=queries * steps))(call)


@traffic_rule(np.where)
def _where(call: Call) -> Moved:
    if len(call.args) == 1:
        return _positions(call)
    return streaming(Kind.ELEMENTWISE, lambda c: Work(add=c.size_out))(call)  # one selection


@traffic_rule(np.nonzero, np.flatnonzero, np.argwhere)
def _positions(call: Call) -> Moved:
    return streaming(Kind.COPY, lambda c: Work(add=c.size_in))(call)


@traffic_rule(np.take, np.take_along_axis, np.compress)
def _gather(call: Call) -> Moved:
    source, index = call.operands
    if call.function is np.compress:
        index, source = source, index
    result = call.results[0]
    return Moved(
        Kind.GATHER,
        [(source, result.size * source.itemsize), (index, None)],
        [(result, None)],
    )


@traffic_rule(np.put, np.put_along_axis)
def _scatter(call: Call) -> Moved:
    target, index, *values = call.operands
    stored = index.size
    if call.function is np.put_along_axis:
        axis = call.argument(3, "axis")
        if axis is not None:  # the other axes are broadcast against the target
            others = [n for k, n in enumerate(target.shape) if k != axis % target.ndim]
            stored = index.shape[axis] * math.prod(others)
    return _stored(call, target, stored, [index, *values])


@traffic_rule(np.putmask)
def _masked_store(call: Call) -> Moved:
    target, mask, *values = call.operands
    return _stored(call, target, int(np.count_nonzero(mask)), [mask, *values])


@traffic_rule(np.copyto)
def _copyto(call: Call) -> Moved:
    target, *others = call.operands
    mask = call.argument(3, "where", True)
    reads: list[tuple[Array, int | None]] = [(other, None) for other in others]
    if isinstance(mask, np.ndarray):
        reads.append((target, None))  # what the mask leaves alone is merged
    return Moved(Kind.COPY, reads, [(target, None)])


@traffic_rule(np.fill_diagonal)
def _fill_diagonal(call: Call) -> Moved:
    target, *values = call.operands
    length = min(target.shape)
    if call.argument(2, "wrap", False) and target.ndim == 2:
        length = math.ceil(target.size / (target.shape[1] + 1))
    return _stored(call, target, length, values)


def _stored(call: Call, target: Array, elements: int, reads: list[Array]) -> Moved:
    read: list[tuple[Array, int | None]] = [(array, own_bytes(array)) for array in reads]
    return Moved(Kind.SCATTER, read, [(target, elements * target.itemsize)])


IN_PLACE = frozenset((np.put, np.put_along_axis, np.putmask, np.copyto, np.fill_diagonal))
"""Functions that return None and write into their first argument."""


def unravel_arguments(value: Any, found: list[Any], kinds: tuple[type, ...]) -> None:
    """Append every instance of ``kinds`` inside nested tuples, lists and dicts, in order."""
    if isinstance(value, kinds):
        found.append(value)
    elif isinstance(value, (tuple, list)):
        for item in value:
            unravel_arguments(item, found, kinds)
    elif isinstance(value, dict):
        for item in value.values():
            unravel_arguments(item, found, kinds)
