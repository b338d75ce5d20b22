"""The stand-in for a trace that does nothing, so that one code runs traced and untraced."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from instrumented.books.operand import Array

_NOTHING: AbstractContextManager[None] = nullcontext()


class Untraced:
    """Has the methods of :class:`instrumented.Trace`; arrays stay plain NumPy arrays."""

    def array(
        self, array: Array, *, role: str = "data", name: str | None = None, copy: bool = False
    ) -> Array:
        """Return ``array`` itself, or a copy."""
        return array.copy() if copy else array

    def made(
        self,
        array: Array,
        *,
        role: str = "temporary",
        name: str | None = None,
        operation: str = "random",
    ) -> Array:
        """Return ``array`` itself."""
        return array

    def generator(self, generator: np.random.Generator) -> Any:
        """Return ``generator`` itself."""
        return generator

    def escape(self, value: Any, *, copy: bool = False) -> Any:
        """Return ``value`` itself, as a NumPy scalar if it has no axes, or a copy."""
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return value[()]
        return value.copy() if copy else value

    def writes(self, array: Array) -> bool:
        """Return True: all values are computed."""
        return True

    def scope(
        self, *, layer: str | None = None, phase: str | None = None, makes: str | None = None
    ) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING

    def step(self, name: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING

    def fuse(self, name: str) -> AbstractContextManager[None]:
        """Return a context that does nothing."""
        return _NOTHING
