"""Which loop moves each axis of each operand, where shapes alone do not say.

``x.sum(axis=0)`` of an n×n array, ``einsum``, ``tensordot``, ``inner``: beside the operands the
record keeps the number of the loop that every axis runs with. Axes of one number run together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from instrumented.books.events import Axes
from instrumented.rules.einsum import labels_of
from instrumented.rules.reductions import REDUCTIONS
from instrumented.rules.traffic_rules import Call, Function, Kwargs, functions_named

NOT_SAID: Axes = ()
_FOLDING = functions_named(
    [*(text.partition("(")[0] for text in REDUCTIONS), "linalg.norm", "linalg.vector_norm"]
)
CORES = {"matmul": ("mk", "kn"), "matvec": ("mk", "k"), "vecmat": ("k", "kn"), "vecdot": ("", "")}
"""Core axes of the operands of NumPy's products."""


def of_function(call: Call) -> Axes:
    """Return the loops of a NumPy function's operands, reads before writes; () if not said."""
    shapes = [operand.shape for operand in call.operands]
    if call.function in _FOLDING and len(shapes) == 1:
        return _folded(shapes, call.get("axis"), call.results[0].ndim)
    find = _PRODUCTS.get(call.function)
    if find is None or (len(shapes) != 2 and find is not _einsum) or not all(shapes):
        return NOT_SAID
    axes = find(call, shapes)
    return axes if len(axes[-1]) == call.results[0].ndim else NOT_SAID


def of_ufunc(
    name: str,
    method: str,
    arrays: Sequence[Any],
    operands: int,
    kwargs: Kwargs,
    result_ndim: int,
) -> Axes:
    """Return the loops of a ufunc's operands; () where broadcasting says it all.

    Args:
        name: of the ufunc.
        method: ``__call__``, ``reduce``, …
        arrays: its inputs.
        operands: how many of its inputs and masks are read.
        kwargs: its keyword arguments.
        result_ndim: axes of the result.
    """
    if method == "reduce":
        shape = np.shape(arrays[0])
        masks = [np.shape(kwargs.get("where", True))] * (operands - 1)
        return _folded([shape, *masks], kwargs.get("axis", 0), result_ndim)
    if method == "outer" and operands == 2:
        left, right = (np.ndim(array) for array in arrays)
        return _numbered(range(left), range(left, left + right), range(left + right))
    if operands != 2 or name not in CORES:
        return NOT_SAID
    shapes = [np.shape(array) for array in arrays]
    if name == "vecdot":
        return _vecdot(shapes, kwargs.get("axis", -1))
    first, second = CORES[name]
    if name == "matmul":  # a vector lacks the axis that the result then lacks too
        first, second = first[-len(shapes[0]) :], second[: len(shapes[1])]
    return _matmul(shapes, first, second)


def _numbered(*operands: Sequence[int]) -> Axes:
    return tuple(tuple(axes) for axes in operands)


def _folded(shapes: Sequence[tuple[int, ...]], axis: Any, result_ndim: int) -> Axes:
    """The first shape is folded along ``axis``; further ones (masks) are broadcast against it."""
    ndim = len(shapes[0])
    named = range(ndim) if axis is None else (axis if isinstance(axis, tuple) else (axis,))
    gone = {int(k) % ndim for k in named} if ndim else set()
    kept = [k for k in range(ndim) if k not in gone]
    if result_ndim == ndim:  # keepdims: a folded axis of extent 1 stays where it is
        kept = list(range(ndim))
    if len(kept) != result_ndim:
        return NOT_SAID
    reads = [range(ndim - len(shape), ndim) for shape in shapes]
    return _numbered(*reads, kept)


def _vecdot(shapes: Sequence[tuple[int, ...]], axis: int) -> Axes:
    """Broadcast batches, one folded axis: the loop after all others."""
    batch = max(len(shape) for shape in shapes) - 1
    reads = []
    for shape in shapes:
        own = list(range(batch - len(shape) + 1, batch))
        own.insert(axis % len(shape), batch)
        reads.append(own)
    return _numbered(*reads, range(batch))


def _matmul(shapes: Sequence[tuple[int, ...]], left: str, right: str) -> Axes:
    """Broadcast batches, then rows m and columns n as far as there are, then k."""
    batch = max(len(shapes[0]) - len(left), len(shapes[1]) - len(right))
    kept = [label for label in "mn" if label in left + right]
    number = {label: batch + place for place, label in enumerate([*kept, "k"])}
    reads = [
        [*range(batch - len(shape) + len(core), batch), *(number[label] for label in core)]
        for shape, core in zip(shapes, (left, right), strict=True)
    ]
    return _numbered(*reads, [*range(batch), *(number[label] for label in kept)])


def _dot(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    """The last axis of the left operand with the last but one of the right; no batches."""
    left, right = (len(shape) for shape in shapes)
    folded = left + right - 2
    rows = list(range(left - 1))
    columns = list(range(left - 1, folded))
    if call.function is np.inner:
        second = [*columns, folded]
    else:
        second = columns.copy()
        second.insert(max(0, right - 2), folded)
    return _numbered([*rows, folded], second, [*rows, *columns])


def _vdot(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    return _numbered(*(range(len(shape)) for shape in shapes), ())


def _linalg_vecdot(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    return _vecdot(shapes, call.get("axis", -1))


def _tensordot(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    left, right = (len(shape) for shape in shapes)
    axes = call.get("axes", 2)
    if isinstance(axes, (int, np.integer)):
        pairs = [(left - int(axes) + k, k) for k in range(int(axes))]
    else:
        named = zip(*(np.ravel(k).tolist() for k in axes), strict=True)
        pairs = [(a % left, b % right) for a, b in named]
    folded = dict(pairs)
    rows = {axis: k for k, axis in enumerate(a for a in range(left) if a not in folded)}
    theirs = [b for b in range(right) if b not in folded.values()]
    columns = {axis: len(rows) + k for k, axis in enumerate(theirs)}
    shared = {a: len(rows) + len(columns) + k for k, (a, _) in enumerate(pairs)}
    first = rows | shared
    second = columns | {b: shared[a] for a, b in pairs}
    return _numbered(
        [first[a] for a in range(left)],
        [second[b] for b in range(right)],
        range(len(rows) + len(columns)),
    )


def _outer(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    """``outer`` flattens its operands: only vectors keep an axis of their own."""
    if any(len(shape) != 1 for shape in shapes):
        return ((),)
    return _numbered([0], [1], [0, 1])


def _einsum(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    inputs, output = labels_of(call.arguments["operands"][0], [len(shape) for shape in shapes])
    labels = dict.fromkeys([*output, *(label for labels in inputs for label in labels)])
    number = {label: k for k, label in enumerate(labels)}
    return _numbered(*([number[label] for label in labels] for labels in (*inputs, output)))


def _linalg_matmul(call: Call, shapes: Sequence[tuple[int, ...]]) -> Axes:
    return _matmul(shapes, "mk"[-len(shapes[0]) :], "kn"[: len(shapes[1])])


_PRODUCTS: dict[Function, Callable[[Call, Sequence[tuple[int, ...]]], Axes]] = {
    np.dot: _dot,
    np.inner: _dot,
    np.linalg.matmul: _linalg_matmul,
    np.vdot: _vdot,
    np.linalg.vecdot: _linalg_vecdot,
    np.tensordot: _tensordot,
    np.linalg.tensordot: _tensordot,
    np.outer: _outer,
    np.linalg.outer: _outer,
    np.einsum: _einsum,
}
