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

CONTAINERS = frozenset({list, dict, set, tuple, str})
"""Types whose methods hand items on."""

DICTS = frozenset({dict, OrderedDict, defaultdict})

FIRST, SECOND, AFTER_FIRST = slice(1), slice(1, 2), slice(1, None)

APPLY: dict[Any, slice] = {
    **dict.fromkeys((sum, max, min, sorted, itertools.accumulate), FIRST),
    **dict.fromkeys((map, filter), AFTER_FIRST),
    functools.reduce: SECOND,
}
"""What applies operators, or functions that may be operators, to items: which arguments hold them.

The others, a start, a function, are taken as they are, even if one can run through them too.
"""


class Items:
    """Brings in the items of what is about to be run through, one at a time as ever.

    Args:
        enter: returns the traced array of a plain one, anything else as it is.
        others: what stands for other functions of Python's.
    """

    def __init__(self, enter: Callable[[Any], Any], others: dict[Any, Any]) -> None:
        self._enter = enter
        self._applying: dict[Any, Any] = others | {
            function: self._apply(function, through, self.each)
            for function, through in APPLY.items()
        }
        self._applying[itertools.starmap] = self._apply(itertools.starmap, SECOND, self._rows)

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

    def _apply(
        self, function: Callable[..., Any], through: slice, come_in: Callable[[Any], Any]
    ) -> Callable[..., Any]:
        @functools.wraps(function, updated=())
        def call(*args: Any, **kwargs: Any) -> Any:
            given = list(map(self._enter, args))
            if len(args) == 1 or function not in (max, min):
                given[through] = map(come_in, args[through])
            return function(*given, **kwargs)

        return call


@functools.cache
def _gives_items(kind: type) -> bool:
    """Return whether objects of a type are iterators, kinds of lists, or Python code iterates."""
    if issubclass(kind, Traced):
        return False
    if hasattr(kind, "__next__") or issubclass(kind, list | tuple):
        return True
    return isinstance(getattr(kind, "__iter__", None), FunctionType)
