"""The stand-in for a trace that does nothing, so that one code runs traced and untraced."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from instrumented.books.operand import Array

_NOTHING: AbstractContextManager[None] = nullcontext()


class Untraced:
    """Has the methods of :class:`instrumented.Trace`; arrays stay plain NumPy arrays."""

    def array(self, array: Array, *, role: str = "data", name: str | None = None) -> Any:
        """Return ``array`` itself."""
        return array

    def made(
        self,
        array: Array,
        *,
        role: str = "temporary",
        name: str | None = None,
        operation: str = "random",
    ) -> Any:
        """Return ``array`` itself."""
        return array

    def escape(self, array: Any) -> Any:
        """Return ``array`` itself, or its value if it has no axes."""
        return array[()] if isinstance(array, np.ndarray) and array.ndim == 0 else array

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
