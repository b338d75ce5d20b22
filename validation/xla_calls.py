"""Calls and operands of the operations held against XLA: NumPy's words and JAX's for one thing."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np

Call = Callable[..., Any]
"""Calls an operation with NumPy's module or JAX's and its operands."""
Operand = tuple[int, ...] | Callable[[str], np.ndarray]
"""A shape of values between 0.5 and 1.5, or what makes the array of a type."""


# ---- what JAX writes otherwise -----------------------------------------------------------


def like(m: Any, x: Any) -> dict[str, Any]:
    """NumPy makes a traced array where it is told of one; in JAX every array is one."""
    return {"like": x} if m is np else {}


def size(m: Any, count: int) -> dict[str, Any]:
    """JAX must be told how many results there will be; NumPy finds out."""
    return {} if m is np else {"size": count}


def only_jax(m: Any, **settings: Any) -> dict[str, Any]:
    """Settings that make JAX do what NumPy does."""
    return {} if m is np else settings


def changed(name: str, *settings: Any) -> Call:
    """Make the call of a function that changes its first operand; JAX returns a changed copy."""

    def call(m: Any, x: Any, *others: Any) -> Any:
        answer = attrgetter(name)(m)(x, *others, *settings, **only_jax(m, inplace=False))
        return x if m is np else answer

    return call


def stored(m: Any, x: Any, i: Any, v: Any) -> Any:
    """``x[i] = v``."""
    if m is not np:
        return x.at[i].set(v)
    x[i] = v
    return x


def typed(m: Any, answer: Any, *dtypes: str) -> Any:
    """Give arrays the types of NumPy's answer; JAX has positions and counts of other widths."""
    if m is np:
        return answer
    if not isinstance(answer, tuple):
        return answer.astype(dtypes[0])
    return tuple(one.astype(dtype) for one, dtype in zip(answer, dtypes, strict=False)) + tuple(
        answer[len(dtypes) :]
    )


def rank_typed(m: Any, answer: Any) -> Any:
    """NumPy's rank of ``lstsq`` is a 32-bit number."""
    if m is np:
        return answer
    solution, residuals, rank, values = answer
    return solution, residuals, rank.astype("int32"), values


def named(names: str, **settings: Any) -> dict[str, Call]:
    """Make the calls of functions by their names."""
    return {
        name: (lambda m, *a, name=name: attrgetter(name)(m)(*a, **settings))
        for name in names.split()
    }


# ---- operands ----------------------------------------------------------------------------


def regular(*shape: int) -> Operand:
    """Square matrices that can be solved, with complex eigenvalues."""
    n = shape[-1]
    turn = np.triu(np.ones((n, n)), 1) - np.tril(np.ones((n, n)), -1)
    return lambda dtype: (np.zeros(shape) + 3 * np.eye(n) + turn).astype(dtype)


def symmetric(*shape: int) -> Operand:
    """Positive definite matrices."""
    n = shape[-1]
    return lambda dtype: (np.zeros(shape) + n * np.eye(n) + 1).astype(dtype)


def rising(n: int) -> Operand:
    """0, 1, 2, …."""
    return lambda dtype: np.arange(n).astype(dtype)


def repeating(n: int) -> Operand:
    """0 to 4, again and again."""
    return lambda dtype: (np.arange(n) % 5).astype(dtype)


def whole(*shape: int, below: int = 5) -> Operand:
    """Indices, whatever the type of the others."""
    return lambda dtype: np.resize(np.arange(below), shape)


def octets(*shape: int) -> Operand:
    """Bytes, whatever the type of the others."""
    return lambda dtype: np.resize(np.arange(2, dtype=np.uint8), shape)


def mask(*shape: int) -> Operand:
    """Every second element, whatever the type of the others."""
    return lambda dtype: np.resize(np.array([True, False]), shape)


def tensor(*half: int) -> Operand:
    """A tensor that is the identity from its last axes to its first."""
    return lambda dtype: np.eye(int(np.prod(half))).reshape(*half, *half).astype(dtype)


# ---- shapes of operands ------------------------------------------------------------------

Shapes = tuple[tuple[Operand, ...], ...]
ANY: Shapes = (((30, 20),), ((7,),))
PAIR: Shapes = (((30, 20), (30, 20)), ((7,), (7,)))
MATRIX: Shapes = (((30, 20),), ((6, 8),))
MATRIX_AND_ROW: Shapes = (((30, 20), (20,)), ((6, 8), (8,)))
VECTOR: Shapes = (((16,),), ((7,),))
VECTORS: Shapes = (((16,), (7,)), ((8,), (8,)))
REGULAR: Shapes = ((regular(8),), (regular(3, 6, 6),))
WHOLE: Shapes = ((whole(40),), (whole(10),))

Group = tuple[Shapes, dict[str, Call]]
"""Functions, and the operands that each of them is given."""
