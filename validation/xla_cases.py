"""The operations that are held against XLA: every one that is counted here and that JAX has.

A group is a set of functions with the operands that they are given, in two sizes or more; every
group runs over the types. :data:`STAY_OUT` has the counted functions that are left out, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from instrumented.rules.ufunc_work import ELEMENT_WORK
from validation.xla_calls import (
    ANY,
    MATRIX,
    MATRIX_AND_ROW,
    PAIR,
    REGULAR,
    VECTOR,
    VECTORS,
    WHOLE,
    Call,
    Group,
    Operand,
    mask,
    named,
    octets,
    only_jax,
    rank_typed,
    regular,
    repeating,
    rising,
    size,
    symmetric,
    tensor,
    typed,
    whole,
)
from validation.xla_moves import MOVES

DTYPES = ("float32", "float64", "int32", "float16", "complex64")
ELEMENT_DTYPES = ("float32", "float64", "int32", "bool", "float16", "complex64", "complex128")
SHAPES = ((30, 20), (7,))


@dataclass(frozen=True)
class Case:
    """An operation that both have: how to call it with NumPy's module and with JAX's."""

    name: str
    call: Call
    operands: tuple[np.ndarray, ...]

    @property
    def shape(self) -> str:
        """Shapes of the operands."""
        return " ".join("×".join(map(str, operand.shape)) or "-" for operand in self.operands)

    @property
    def dtype(self) -> str:
        """Types of the operands, each once."""
        return " ".join(dict.fromkeys(operand.dtype.name for operand in self.operands))


STAY_OUT = {
    "JAX has none": """
        asanyarray ascontiguousarray asfortranarray copyto fix isnat lib.scimath.arccos
        lib.scimath.arcsin lib.scimath.arctanh lib.scimath.log lib.scimath.log10 lib.scimath.log2
        lib.scimath.logn lib.scimath.power lib.scimath.sqrt lib.stride_tricks.as_strided
        lib.stride_tricks.sliding_window_view putmask require array2string savetxt savez_compressed
        common_type may_share_memory min_scalar_type shares_memory in1d
        """,
    "asks for shapes and types alone: nothing moves": """
        can_cast einsum_path iscomplexobj isrealobj ndim result_type shape size
        """,
    "takes values out of the trace: nothing is computed": "array_repr array_str save savez",
    "the length of the result hangs on the values: JAX compiles no such program": "trim_zeros",
}
"""Reasons, and the counted functions that are not held against XLA for them."""

ONE_ARRAY: dict[str, Call] = {
    **named(
        "sum prod max min mean any all argmax argmin count_nonzero ptp var std "
        "cumsum cumprod sort argsort copy tril triu round nan_to_num median "
        "nansum nanmax nanmin"
    ),
    **{
        f"{name} of rows": (lambda m, x, name=name: getattr(m, name)(x, axis=-1))
        for name in "sum prod max min mean any all argmax argmin var".split()
    },
    "x * x": lambda m, x: x * x,
    "astype": lambda m, x: x.astype("float64"),
    "clip": lambda m, x: m.clip(x, 0, 1),
    "pad": lambda m, x: m.pad(x, 1),
    "tile": lambda m, x: m.tile(x, 3),
    "repeat": lambda m, x: m.repeat(x, 3),
    "roll": lambda m, x: m.roll(x, 1),
    "diff": lambda m, x: m.diff(x),
    "flatten the transpose": lambda m, x: m.ravel(x.T),
    "norm": lambda m, x: m.linalg.norm(x),
    "norm of rows": lambda m, x: m.linalg.norm(x, axis=-1),
}
TWO_ARRAYS: dict[str, Call] = {
    "concatenate": lambda m, x, y: m.concatenate([x, y]),
    "stack": lambda m, x, y: m.stack([x, y]),
    "vstack": lambda m, x, y: m.vstack([x, y]),
    "vecdot": lambda m, x, y: m.linalg.vecdot(x, y),
    "x + y + x": lambda m, x, y: x + y,
}
PRODUCTS: dict[str, tuple[Any, ...]] = {
    "matmul": (lambda m, x, y: x @ y, (30, 20), (20, 10)),
    "matmul of a transpose": (lambda m, x, y: x.T @ y, (20, 30), (20, 10)),
    "matmul of stacks": (lambda m, x, y: x @ y, (3, 4, 5), (3, 5, 6)),
    "matrix × vector": (lambda m, x, y: x @ y, (30, 20), (20,)),
    "dot": (lambda m, x, y: m.dot(x, y), (20,), (20,)),
    "dot of matrices": (lambda m, x, y: m.dot(x, y), (30, 20), (20, 10)),
    "inner": (lambda m, x, y: m.inner(x, y), (30, 20), (10, 20)),
    "outer": (lambda m, x, y: m.outer(x, y), (30,), (20,)),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, 1), (30, 20), (20, 10)),
    "einsum ij,kj->ik": (lambda m, x, y: m.einsum("ij,kj->ik", x, y), (30, 20), (10, 20)),
    "einsum bij,bjk->bik": (lambda m, x, y: m.einsum("bij,bjk->bik", x, y), (3, 4, 5), (3, 5, 6)),
}

FOLDS: Group = (
    ANY,
    {
        **named(
            "amax amin nanargmax nanargmin nanmean nanmedian nanprod nanstd nanvar nancumsum "
            "nancumprod average sort_complex"
        ),
        "nanmean of rows": lambda m, x: m.nanmean(x, axis=-1),
        "median of rows": lambda m, x: m.median(x, axis=-1),
        "sort of columns": lambda m, x: m.sort(x, axis=0),
        "add.reduce": lambda m, x: m.add.reduce(x, axis=-1),
        "add.accumulate": lambda m, x: m.add.accumulate(x, axis=-1),
        "multiply.reduce": lambda m, x: m.multiply.reduce(x, axis=0),
        "cumulative_sum": lambda m, x: m.cumulative_sum(x.reshape(-1)),
        "cumulative_prod": lambda m, x: m.cumulative_prod(x.reshape(-1)),
        "percentile": lambda m, x: m.percentile(x, 30),
        "quantile": lambda m, x: m.quantile(x, 0.3, axis=-1),
        "nanpercentile": lambda m, x: m.nanpercentile(x, 30),
        "nanquantile": lambda m, x: m.nanquantile(x, 0.3, axis=-1),
        "partition": lambda m, x: m.partition(x, 3),
        "argpartition": lambda m, x: typed(m, m.argpartition(x, 3), "int64"),
        "linalg.vector_norm": lambda m, x: m.linalg.vector_norm(x, axis=-1, ord=1),
        "histogram_bin_edges": lambda m, x: m.histogram_bin_edges(x, 10),
        "histogram": lambda m, x: typed(m, m.histogram(x, 10), "int64"),
        "histogram in a range": lambda m, x: typed(m, m.histogram(x, 10, (0, 2)), "int64"),
    },
)
PAIRS: Group = (
    PAIR,
    {
        **named("isin array_equal array_equiv allclose isclose linalg.vecdot vdot append"),
        "average with weights": lambda m, x, w: m.average(x, weights=w),
        "lexsort": lambda m, x, y: m.lexsort((x, y)),
        "block": lambda m, x, y: m.block([x, y]),
        "column_stack": lambda m, x, y: m.column_stack([x, y]),
        "dstack": lambda m, x, y: m.dstack([x, y]),
        "hstack": lambda m, x, y: m.hstack([x, y]),
        "trapezoid along x": lambda m, x, y: m.trapezoid(x, y),
    },
)
STATISTICS: tuple[Group, ...] = (
    (
        MATRIX,
        {
            **named("cov corrcoef trace linalg.trace"),
            "linalg.matrix_norm": lambda m, x: m.linalg.matrix_norm(x),
            "linalg.norm of a matrix": lambda m, x: m.linalg.norm(x, 1),
        },
    ),
    (((whole(40), whole(40)), (whole(10), whole(10))), {"cov of two": lambda m, x, y: m.cov(x, y)}),
    (
        (((40,), (40,)), ((10,), (10,))),
        {
            "histogram2d": lambda m, x, y: typed(m, m.histogram2d(x, y, 4), "float64"),
        },
    ),
    (
        (((30, 2),), ((6, 2),)),
        {
            "histogramdd": lambda m, x: typed(m, m.histogramdd(x, 4, ((0, 2), (0, 2))), "float64"),
        },
    ),
    (
        (((40,), rising(8)), ((10,), rising(16))),
        {"histogram with edges": lambda m, x, e: typed(m, m.histogram(x, e), "int64")},
    ),
    (WHOLE, {"bincount": lambda m, x: m.bincount(x, minlength=5, **only_jax(m, length=5))}),
    (
        ((whole(40), (40,)), (whole(10), (10,))),
        {
            "bincount with weights": lambda m, x, w: m.bincount(
                x, w, minlength=5, **only_jax(m, length=5)
            )
        },
    ),
)
SETS: tuple[Group, ...] = (
    (
        ((repeating(40),), (repeating(10),)),
        {
            name: (lambda m, x, name=name: getattr(m, name)(x, **size(m, 5)))
            for name in "unique unique_all unique_counts unique_inverse unique_values".split()
        }
        | {
            name: (lambda m, x, name=name: getattr(m, name)(x, **size(m, x.size // 5 * 4)))
            for name in "nonzero flatnonzero argwhere".split()
        },
    ),
    (
        ((repeating(40), rising(8)), (repeating(10), rising(8))),
        {
            "union1d": lambda m, x, y: m.union1d(x, y, **size(m, 8)),
            "intersect1d": lambda m, x, y: m.intersect1d(x, y, **size(m, 5)),
            "setdiff1d": lambda m, x, y: m.setdiff1d(y, x, **size(m, 3)),
            "setxor1d": lambda m, x, y: m.setxor1d(x, y, **size(m, 3)),
            "digitize": lambda m, x, t: typed(m, m.digitize(x, t), "int64"),
            "searchsorted": lambda m, x, t: typed(m, m.searchsorted(t, x), "int64"),
        },
    ),
    (
        ((mask(40), (40,)), (mask(10), (10,))),
        {
            "compress": lambda m, c, x: m.compress(c, x, **size(m, x.size // 2)),
            "extract": lambda m, c, x: m.extract(c, x, **size(m, x.size // 2)),
            "select": lambda m, c, x: m.select([c], [x], 0),
        },
    ),
)
ELEMENTWISE: tuple[Group, ...] = (
    (
        ANY,
        {
            **named(
                "around isreal iscomplex isneginf isposinf sinc angle ediff1d gradient trapezoid "
                "real imag"
            ),
            "diff twice": lambda m, x: m.diff(x, 2),
            "linspace": lambda m, x: m.linspace(x, 9, 5),
            "logspace": lambda m, x: m.logspace(x, 2, 5),
            "geomspace": lambda m, x: m.geomspace(x, 9, 5),
        },
    ),
    ((((30, 20), whole(30, 20)), ((7,), whole(7))), {"ldexp": lambda m, x, i: m.ldexp(x, i)}),
    (VECTOR, {**named("polyder polyint vander"), "polyder twice": lambda m, x: m.polyder(x, 2)}),
    ((((4,), (30, 20)), ((4,), (7,))), named("polyval")),
    (
        VECTORS,
        {
            **named("polyadd polysub polymul kron convolve correlate linalg.outer subtract.outer"),
            "convolve, as long": lambda m, x, y: m.convolve(x, y, "same"),
        },
    ),
    ((((30, 3), (30, 3)), ((7, 3), (7, 3))), named("cross linalg.cross")),
    ((((40,), rising(8), (8,)), ((10,), rising(16), (16,))), named("interp")),
    (((octets(40),), (octets(16),)), named("packbits unpackbits")),
    (
        ((whole(40), whole(40)), (whole(10), whole(10))),
        {
            "ravel_multi_index": lambda m, i, j: m.ravel_multi_index(
                (i, j), (5, 5), **only_jax(m, mode="clip")
            )
        },
    ),
    (WHOLE, {"unravel_index": lambda m, i: m.unravel_index(i, (5, 5))}),
    (
        ((whole(40), (40,), (40,)), (whole(10), (10,), (10,))),
        {"choose": lambda m, i, x, y: m.choose(i, [x, y], mode="clip")},
    ),
    (((mask(30, 20), (30, 20), (30, 20)), (mask(7), (7,), (7,))), named("where")),
)
MORE_PRODUCTS: tuple[Group, ...] = (
    (
        (((30, 20), (20, 10)), ((6, 8), (8, 4))),
        {
            "linalg.matmul": lambda m, x, y: m.linalg.matmul(x, y),
            "linalg.tensordot": lambda m, x, y: m.linalg.tensordot(x, y, axes=1),
        },
    ),
    (
        (((30, 20), (20, 5), (5, 9)), ((6, 8), (8, 4), (4, 5))),
        {"linalg.multi_dot": lambda m, *a: m.linalg.multi_dot(a)},
    ),
    (MATRIX_AND_ROW, named("matvec") if hasattr(np, "matvec") else {}),  # NumPy 2.2
    ((((20,), (20, 30)), ((8,), (8, 6))), named("vecmat") if hasattr(np, "vecmat") else {}),
    (REGULAR, {"linalg.matrix_power": lambda m, x: m.linalg.matrix_power(x, 5)}),
)
TRANSFORMS: tuple[Group, ...] = (
    (
        (((16,),), ((4, 12),), ((5, 8),)),
        named("fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft"),
    ),
    (
        (((8, 16),), ((6, 12),)),
        named("fft.fft2 fft.ifft2 fft.rfft2 fft.irfft2 fft.fftn fft.ifftn fft.rfftn fft.irfftn"),
    ),
)
LINEAR_ALGEBRA: tuple[Group, ...] = (
    (
        REGULAR,
        {
            **named(
                "linalg.inv linalg.det linalg.slogdet linalg.eig linalg.eigvals linalg.pinv "
                "linalg.matrix_rank linalg.cond"
            ),
            "linalg.cond of p=1": lambda m, x: m.linalg.cond(x, 1),
        },
    ),
    (
        ((symmetric(8),), (symmetric(3, 6, 6),)),
        named("linalg.cholesky linalg.eigh linalg.eigvalsh"),
    ),
    (
        (((12, 5),), ((3, 5, 6),)),
        {
            **named("linalg.qr linalg.svd linalg.svdvals"),
            "linalg.qr, complete": lambda m, x: m.linalg.qr(x, mode="complete"),
            "linalg.qr, R": lambda m, x: m.linalg.qr(x, mode="r"),
            "linalg.svd, thin": lambda m, x: m.linalg.svd(x, full_matrices=False),
        },
    ),
    (((regular(8), (8, 3)), (regular(3, 6, 6), (3, 6, 2))), named("linalg.solve")),
    (((regular(8), (8,)), (regular(5), (5,))), named("linalg.tensorsolve")),
    (
        ((tensor(3, 4),), (tensor(2, 3),)),
        named("linalg.tensorinv"),
    ),
    (
        (((12, 5), (12,)), ((9, 4), (9, 2))),
        {"linalg.lstsq": lambda m, x, y: rank_typed(m, m.linalg.lstsq(x, y, rcond=None))},
    ),
    (((rising(12), (12,)), (rising(9), (9,))), {"polyfit": lambda m, x, y: m.polyfit(x, y, 2)}),
    (
        VECTOR,
        {
            "poly": lambda m, x: m.poly(x),
            "roots": lambda m, x: m.roots(x, **only_jax(m, strip_zeros=False)),
        },
    ),
)
GROUPS: tuple[Group, ...] = (
    (ANY, ONE_ARRAY),
    (PAIR, TWO_ARRAYS),
    FOLDS,
    PAIRS,
    *STATISTICS,
    *SETS,
    *ELEMENTWISE,
    *MORE_PRODUCTS,
    *TRANSFORMS,
    *LINEAR_ALGEBRA,
    *MOVES,
)


def cases(jnp: Any) -> Iterator[Case]:
    """Yield every operation that the instrument counts and JAX has, over shapes and types."""
    random = np.random.default_rng(0)

    def made(operand: Operand, dtype: str) -> np.ndarray:
        if callable(operand):
            return operand(dtype)
        return (random.random(operand) + 0.5).astype(dtype)

    for name in sorted(ELEMENT_WORK):
        ufunc = getattr(np, name, None)
        if not isinstance(ufunc, np.ufunc) or not hasattr(jnp, name):
            continue
        call = named(name)[name]
        for dtype in ELEMENT_DTYPES:
            for shape in SHAPES:
                yield Case(name, call, tuple(made(shape, dtype) for _ in range(ufunc.nin)))
            if ufunc.nin == 2 and dtype == "float32":
                yield Case(name, call, (made((30, 20), dtype), made((20,), dtype)))
    for shapes, calls in GROUPS:
        for operands in shapes:
            for dtype in DTYPES:
                arrays = tuple(made(operand, dtype) for operand in operands)
                if dtype != DTYPES[0] and all(array.dtype != dtype for array in arrays):
                    continue  # whole numbers or bytes, whatever the type
                for name, call in calls.items():
                    yield Case(name, call, tuple(array.copy() for array in arrays))
    for dtype in DTYPES:
        for name, (call, *several) in PRODUCTS.items():
            yield Case(name, call, tuple(made(operand, dtype) for operand in several))
