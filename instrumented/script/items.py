"""Items of lists and iterators come in where C code works on them: ``sum(xs)``, ``f(*xs)``."""

from __future__ import annotations

import functools
import itertools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from instrumented.books.traced import Traced

HOLD_ITEMS = frozenset({list, tuple, deque, type({}.values())})
"""Types whose items can be looked at without using them up."""

DICTS = frozenset({dict, OrderedDict, defaultdict})

APPLY = (sum, max, min, sorted, map, filter, functools.reduce, itertools.accumulate)
"""What applies operators, or functions that may be operators, to the items it is given."""


class Items:
    """Brings in the items of what is about to be run through, one at a time as ever.

    Args:
        enter: returns the traced array of a plain one, anything else as it is.
    """

    def __init__(self, enter: Callable[[Any], Any]) -> None:
        self._enter = enter
        self._applying: dict[Any, Any] = {
            function: self._apply(function, self.each) for function in APPLY
        }
        self._applying[itertools.starmap] = self._apply(itertools.starmap, self._rows)

    def each(self, value: Any) -> Any:
        """Return a list, a tuple or an iterator such that arrays in it come in."""
        kind: Any = type(value)
        if kind in HOLD_ITEMS:
            return map(self._enter, value) if np.ndarray in map(type, value) else value
        return map(self._enter, value) if _gives_items(kind) else value

    def named(self, value: Any) -> Any:
        """Return a dict of keyword arguments whose arrays have come in."""
        if type(value) in DICTS and np.ndarray in map(type, value.values()):
            return {name: self._enter(item) for name, item in value.items()}
        return value

    def applying(self, function: Any) -> Any:
        """Return what stands for a function, or a type, of Python's that runs through items."""
        return self._applying.get(function, function)

    def _rows(self, value: Any) -> Any:
        kind: Any = type(value)
        return map(self.each, value) if kind in HOLD_ITEMS or _gives_items(kind) else value

    @staticmethod
    def _apply(function: Callable[..., Any], come_in: Callable[[Any], Any]) -> Callable[..., Any]:
        @functools.wraps(function, updated=())
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(*map(come_in, args), **kwargs)

        return call


@functools.cache
def _gives_items(kind: type) -> bool:
    """Return whether objects of a type are iterators, kinds of lists, or Python code iterates."""
    if issubclass(kind, Traced):
        return False
    if hasattr(kind, "__next__") or issubclass(kind, list | tuple):
        return True
    return isinstance(getattr(kind, "__iter__", None), FunctionType)
