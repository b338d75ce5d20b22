"""Whether somebody else holds an array that is to change its size, which NumPy refuses."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from sys import getrefcount
from types import MethodType
from typing import Any

from instrumented.script.script_arrays import ScriptArray

RESIZE = ScriptArray.resize

HELD_ONCE = 3
"""References to an array that one variable holds: that, its method, and who counts them."""


def resizing(method: MethodType) -> Callable[..., Any]:
    """Return ``x.resize`` of a traced array about to be called, as NumPy allows it."""
    references = getrefcount(method.__self__)
    array: Any = method.__self__
    own = array._booking.known(array._array) is array  # the booking's is a weak one
    if references <= HELD_ONCE and weakref.getweakrefcount(array) <= own:
        return method

    def resize(*shape: Any, refcheck: bool = True) -> None:
        array.resize(*shape, refcheck=refcheck, is_held=True)

    return resize
