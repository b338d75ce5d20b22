"""Arrays and numbers in lists, tuples and dicts: plain to a library while a call of it lasts."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from instrumented.books.traced import Traced
from instrumented.script.builtin_type import TYPE_OF_TYPES
from instrumented.script.leaving import DEEPEST
from instrumented.script.script_flat import ScriptFlat

LEAVE = (Traced, ScriptFlat, TYPE_OF_TYPES)
"""Types of what a library gets something else for."""


@dataclass
class _Open:
    """A list or dict that is lent, the one that holds it, and how many held it at the start."""

    container: Any
    around: int
    is_changed: bool = False
    holders: int = 0


class Lending:
    """A call of a library: lists and dicts stay the objects they are, and are put right after it.

    The library may put their items in another order, add some and take some away. What it keeps
    beyond the call stays plain, since it reads that later; what the script takes out comes in.

    Args:
        let_out: records that a traced value leaves, and returns it plain.
    """

    def __init__(self, let_out: Callable[[Any], Any]) -> None:
        self._let_out = let_out
        self._open: list[_Open] = []
        self._lent: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def begin(self) -> None:
        """Note, when all is lent, how many hold each list and dict."""
        for one in self._open:
            one.holders = sys.getrefcount(one.container)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        kept: set[int] = set()
        for one in self._open:
            is_held = error is None and sys.getrefcount(one.container) > one.holders
            if is_held or one.around in kept:
                kept.add(id(one.container))
            elif one.is_changed:
                self._put_right(one.container)

    def _put_right(self, container: Any) -> None:
        is_dict = type(container) is dict
        places = list(container.items()) if is_dict else enumerate(container)
        for place, item in places:
            lent = self._lent.get(id(item))
            if lent is not None:
                container[place] = lent[1]

    def plain(self, value: Any, depth: int = DEEPEST, around: int = 0) -> Any:
        """Return a value as the library gets it; only exact lists, tuples and dicts are opened."""
        kind = type(value)
        if issubclass(kind, LEAVE):
            return self._let_out(value)
        if not depth:
            return value
        if kind is tuple:
            items = tuple([self.plain(item, depth - 1, around) for item in value])
            return value if all(map(operator.is_, items, value)) else items
        if kind is list:
            self._lend(value, enumerate(value), depth, around)
        elif kind is dict:
            self._lend(value, list(value.items()), depth, around)
        return value

    def _lend(self, container: Any, places: Any, depth: int, around: int) -> None:
        one = _Open(container, around)
        self._open.append(one)
        for place, item in places:
            plain = self.plain(item, depth - 1, id(container))
            if plain is not item:
                self._lent[id(plain)] = plain, item
                container[place] = plain
                one.is_changed = True
        if self._open[-1] is one and not one.is_changed:
            del self._open[-1]  # nothing traced in it
