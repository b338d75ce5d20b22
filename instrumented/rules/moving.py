"""Rules of NumPy functions that ask, make, show or move: no arithmetic in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.counters import Work
from instrumented.books.events import Kind
from instrumented.books.operand import own_bytes
from instrumented.rules.traffic_rules import Call, Fate, Moved, streaming, traffic_rule

_copy = streaming(Kind.COPY)


def _nothing(call: Call) -> Moved:
    return Moved(Kind.COPY, [], [])


traffic_rule(
    "can_cast(from_: type, to, casting)",
    "common_type(*arrays: array)",
    "einsum_path(*operands: array, optimize, einsum_call)",
    "iscomplexobj(x: array)",
    "isrealobj(x: array)",
    "may_share_memory(a: array, b: array, max_work)",
    "min_scalar_type(a: type)",
    "ndim(a: array)",
    "result_type(*arrays_and_dtypes: array)",
    "shape(a: array)",
    "shares_memory(a: array, b: array, max_work)",
    "size(a: array, axis)",
    fate=Fate.FREE,
)(_nothing)

traffic_rule(
    "array2string(a: array, max_line_width, precision, suppress_small, separator, prefix, style, "
    "*, formatter, threshold, edgeitems, sign, floatmode, suffix, legacy)",
    "array_repr(arr: array, max_line_width, precision, suppress_small)",
    "array_str(a: array, max_line_width, precision, suppress_small)",
    "save(file, arr: array, allow_pickle, fix_imports)",
    "savetxt(fname, X: array, fmt, delimiter, newline, header, footer, comments, encoding)",
    "savez(file, *args: array, allow_pickle, **kwds: array)",
    "savez_compressed(file, *args: array, allow_pickle, **kwds: array)",
    fate=Fate.ESCAPING,
)(_nothing)

traffic_rule(
    "empty(shape, dtype, order, *, device, like)",
    "empty_like(prototype: array, dtype, order, subok, shape, *, device)",
    fate=Fate.ALLOCATED,
)(_nothing)


@traffic_rule(
    "arange(start_or_stop, stop, step, *, dtype, device, like)",
    "eye(N, M, k, dtype, order, *, device, like)",
    "identity(n, dtype, *, like)",
    "ones(shape, dtype, order, *, device, like)",
    "ones_like(a: array, dtype, order, subok, shape, *, device)",
    "tri(N, M, k, dtype, *, like)",
    "zeros(shape, dtype, order, *, device, like)",
    "zeros_like(a: array, dtype, order, subok, shape, *, device)",
    "diag_indices_from(arr: array)",
    "tril_indices_from(arr: array, k)",
    "triu_indices_from(arr: array, k)",
)
def _creation(call: Call) -> Moved:
    """Nothing is read, not even the model of a ``_like``."""
    return Moved(Kind.CREATE, [], [(result, None) for result in call.results])


@traffic_rule(
    "full(shape, fill_value: array, dtype, order, *, device, like)",
    "full_like(a: array, fill_value: array, dtype, order, subok, shape, *, device)",
)
def _full(call: Call) -> Moved:
    """The model is not read, a fill value of its own memory is."""
    fill = call.get("fill_value")
    reads = [(fill, None)] if any(operand is fill for operand in call.operands) else []
    return Moved(Kind.COPY if reads else Kind.CREATE, reads, [(call.results[0], None)])


CONVERSIONS = (
    "asanyarray(a: items, dtype, order, *, device, copy, like)",
    "asarray(a: items, dtype, order, *, device, copy, like)",
    "array(object: items, dtype, *, copy, order, subok, ndmin, ndmax, like)",
    "ascontiguousarray(a: items, dtype, *, like)",
    "asfortranarray(a: items, dtype, *, like)",
    "copy(a: items, order, subok)",
    "require(a: items, dtype, requirements, *, like)",
)
VIEWS = (
    "astype(x: array, dtype, *, copy, device)",
    "atleast_1d(*arys: array)",
    "atleast_2d(*arys: array)",
    "atleast_3d(*arys: array)",
    "broadcast_arrays(*args: array, subok)",
    "broadcast_to(array: array, shape, subok)",
    "meshgrid(*xi: array, copy, sparse, indexing)",
    "reshape(a: array, shape, order, *, newshape, copy)",
    "ravel(a: array, order)",
    "expand_dims(a: array, axis)",
    "matrix_transpose(x: array)",
    "swapaxes(a: array, axis1, axis2)",
    "moveaxis(a: array, source, destination)",
    "rollaxis(a: array, axis, start)",
    "flip(m: array, axis)",
    "fliplr(m: array)",
    "flipud(m: array)",
    "rot90(m: array, k, axes)",
    "diag(v: array, k)",
    "diagonal(a: array, offset, axis1, axis2)",
    "linalg.diagonal(x: array, *, offset)",
    "linalg.matrix_transpose(x: array)",
    "split(ary: array, indices_or_sections, axis)",
    "array_split(ary: array, indices_or_sections, axis)",
    "hsplit(ary: array, indices_or_sections)",
    "vsplit(ary: array, indices_or_sections)",
    "dsplit(ary: array, indices_or_sections)",
    "unstack(x: array, *, axis)",
    "lib.stride_tricks.as_strided(x: array, shape, strides, subok, writeable, *, check_bounds)",
    "lib.stride_tricks.sliding_window_view(x: array, window_shape, axis, *, subok, writeable)",
    "append(arr: array, values: array, axis)",
    "block(arrays: nested)",
    "column_stack(tup: arrays)",
    "concatenate(arrays: arrays, axis, out: out, *, dtype, casting)",
    "diagflat(v: array, k)",
    "dstack(tup: arrays)",
    "hstack(tup: arrays, *, dtype, casting)",
    "resize(a: array, new_shape)",
    "roll(a: array, shift, axis)",
    "stack(arrays: arrays, axis, out: out, *, dtype, casting)",
    "tile(A: array, reps)",
    "tril(m: array, k)",
    "triu(m: array, k)",
    "vstack(tup: arrays, *, dtype, casting)",
    "fft.fftshift(x: array, axes)",
    "fft.ifftshift(x: array, axes)",
)
"""Free where the result is a view of an operand; else the operands are read, the result written."""

traffic_rule(*CONVERSIONS, *VIEWS, views=True)(_copy)
traffic_rule(
    "real(val: array)",
    "squeeze(a: array, axis)",
    "transpose(a: array, axes)",
    views=True,
    keeps_scalars=True,
)(_copy)


@traffic_rule("imag(val: array)", views=True, keeps_scalars=True)
def _imag(call: Call) -> Moved:
    """Of real elements nothing is read: zeros are made."""
    return _creation(call) if call.operands[0].dtype.kind != "c" else _copy(call)


def _has_array(name: str) -> Callable[[Call], bool]:
    return lambda call: isinstance(call.get(name), np.ndarray)


def _masked(call: Call) -> bool:
    return isinstance(call.get("mask"), (np.ndarray, np.generic))


traffic_rule(
    "repeat(a: array, repeats: counts, axis)", views=True, by_values=_has_array("repeats")
)(_copy)
traffic_rule("delete(arr: array, obj: array, axis)", views=True, by_values=_has_array("obj"))(_copy)
traffic_rule(
    "insert(arr: array, obj: array, values: values, axis)",
    views=True,
    by_values=lambda call: np.asarray(call.get("obj")).dtype == bool,
)(_copy)
traffic_rule(
    "ix_(*args: array)",
    views=True,
    by_values=lambda call: any(operand.dtype == bool for operand in call.operands),
)(_copy)


@traffic_rule(
    "trim_zeros(filt: array, trim, axis)",
    views=True,
    keeps_scalars=True,
    by_values=lambda call: True,
)
def _trim_zeros(call: Call) -> Moved:
    """Every element is compared with zero; what is left is a view."""
    return Moved(Kind.REDUCTION, [(call.operands[0], None)], [], Work(add=call.size_in))


def _pad_refusal(call: Call) -> str | None:
    of_a_function = callable(call.get("mode"))
    return "is not counted with a function that fills the edges" if of_a_function else None


@traffic_rule(
    "pad(array: array, pad_width, mode, *, stat_length, **kwargs: array)", refuses=_pad_refusal
)
def _pad(call: Call) -> Moved:
    """Means, extremes and ramps of the edges are arithmetic on what is padded."""
    mode = call.get("mode", "constant")
    padded = call.size_out - call.size_in
    work = Work(add=padded, multiply=padded) if mode == "linear_ramp" else Work()
    if mode in ("maximum", "mean", "median", "minimum"):
        work = Work(add=call.size_in * call.operands[0].ndim)
    return streaming(Kind.COPY, work)(call)


# ---- through an index --------------------------------------------------------------------


@traffic_rule(
    "take(a: array, indices: array, axis, out: out, mode)",
    "take_along_axis(arr: array, indices: array, axis)",
)
def _gather(call: Call) -> Moved:
    source, *index = call.operands
    result = call.results[0]
    reads = [(source, result.size * source.itemsize), *((i, None) for i in index)]
    return Moved(Kind.GATHER, reads, [(result, None)])


@traffic_rule(
    "compress(condition: array, a: array, axis, out: out)",
    "extract(condition: array, arr: array)",
    by_values=lambda call: True,
)
def _masked_gather(call: Call) -> Moved:
    *masks, source = call.operands
    result = call.results[0]
    reads = [(source, result.size * source.itemsize), *((mask, None) for mask in masks)]
    return Moved(Kind.GATHER, reads, [(result, None)])


@traffic_rule("choose(a: array, choices: arrays, out: out, mode)")
def _choose(call: Call) -> Moved:
    """As ``where``: the index and all that may be chosen are streamed, one selection each."""
    return streaming(Kind.ELEMENTWISE, Work(add=call.size_out))(call)


@traffic_rule("put(a: array, ind: array, v: values, mode)", writes=True)
def _put(call: Call) -> Moved:
    target = call.operands[0]
    return _stored(call, target, int(np.size(call.get("ind"))))


@traffic_rule("put_along_axis(arr: array, indices: array, values: values, axis)", writes=True)
def _put_along_axis(call: Call) -> Moved:
    target, index, axis = call.operands[0], call.get("indices"), call.get("axis")
    stored = int(index.size)
    if axis is not None:  # the other axes are broadcast against the target
        others = [n for k, n in enumerate(target.shape) if k != axis % target.ndim]
        stored = index.shape[axis] * math.prod(others)
    return _stored(call, target, stored)


@traffic_rule("putmask(a: array, mask: array, values: values)", writes=True, by_values=_masked)
def _putmask(call: Call) -> Moved:
    return _stored(call, call.operands[0], int(np.count_nonzero(call.get("mask"))))


@traffic_rule("place(arr: array, mask: array, vals: values)", writes=True, by_values=_masked)
def _place(call: Call) -> Moved:
    return _stored(call, call.operands[0], int(np.count_nonzero(call.get("mask"))))


@traffic_rule("copyto(dst: array, src: array, casting, where: mask)", writes=True)
def _copyto(call: Call) -> Moved:
    """Through a mask each element is selected, as by ``where``: from the source or the target."""
    target, *others = call.operands
    reads: list[tuple[Any, int | None]] = [(other, None) for other in others]
    work = Work()
    if isinstance(call.get("where", True), (np.ndarray, np.generic)):
        reads.append((target, None))
        work = Work(add=target.size)
    return Moved(Kind.COPY, reads, [(target, None)], work)


@traffic_rule("fill_diagonal(a: array, val: values, wrap)", writes=True)
def _fill_diagonal(call: Call) -> Moved:
    target = call.operands[0]
    length = min(target.shape)
    if call.get("wrap", False) and target.ndim == 2:
        length = math.ceil(target.size / (target.shape[1] + 1))
    return _stored(call, target, length)


def _stored(call: Call, target: Any, elements: int) -> Moved:
    reads = [(array, own_bytes(array)) for array in call.operands[1:]]
    return Moved(Kind.SCATTER, reads, [(target, elements * target.itemsize)])
