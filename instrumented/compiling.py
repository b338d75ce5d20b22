"""Compiling loops that NumPy alone cannot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")
int64 = cast("Callable[[int], int]", numba.int64)
"""A number of 64 bits: for a plain 0, or one of 32 bits, numba compiles what is called again."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba at the first call; keep the machine code on disk where possible.

    Compiled loops run beside other threads.
    """
    try:
        jitted: object = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither the package nor the user has a directory to write to
        jitted = numba.njit(nogil=True)(function)
    return cast("Callable[P, R]", jitted)
