"""Compiling loops that NumPy alone cannot run."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba at the first call; keep the machine code on disk where possible."""
    try:
        jitted: object = numba.njit(cache=True)(function)
    except RuntimeError:  # neither the package nor the user has a directory to write to
        jitted = numba.njit(function)
    return cast("Callable[P, R]", jitted)
