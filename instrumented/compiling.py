"""Compiling loops that NumPy alone cannot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")
int64 = cast("Callable[[int], int]", numba.int64)
"""A number of 64 bits: for a plain 0, or one of 32 bits, numba compiles what is called again."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba at the first call; keep the machine code on disk where possible.

    Compiled loops run beside other threads. They make no arrays and return none, but work in those
    that they are given: then numba need not count who refers to them, which takes as long as all
    the rest of a loop that hands tuples of arrays on (numba's issues 2345 and 2350).
    """
    return _compiled(function, _nrt=False)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for a part of loops, compiled into each of them where it is called."""
    return _compiled(function, _nrt=False, forceinline=True)


def compiled_with_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for a function that makes arrays or returns some."""
    return _compiled(function)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    compiler: Any = numba.njit
    try:
        jitted = compiler(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user has a directory to write to
        jitted = compiler(nogil=True, **options)(function)
    return cast("Callable[P, R]", jitted)
