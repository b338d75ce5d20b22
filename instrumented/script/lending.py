"""Arrays in lists, tuples and dicts that a library is called with: plain while the call lasts."""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from instrumented.script.leaving import DEEPEST
from instrumented.script.script_arrays import ScriptArray
from instrumented.script.script_flat import ScriptFlat


class Lending:
    """A call of a library: lists and dicts stay the objects they are, and are put right after it.

    The library may put their items in another order, add some and take some away. Whoever keeps
    a list beyond the call finds the traced arrays in it again.

    Args:
        let_out: records that a traced value leaves, and returns it plain.
    """

    def __init__(self, let_out: Callable[[Any], Any]) -> None:
        self._let_out = let_out
        self._open: list[Any] = []
        self._lent: dict[int, tuple[Any, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for container in self._open:
            is_dict = type(container) is dict
            places = list(container.items()) if is_dict else enumerate(container)
            for place, item in places:
                lent = self._lent.get(id(item))
                if lent is not None:
                    container[place] = lent[1]

    def plain(self, value: Any, depth: int = DEEPEST) -> Any:
        """Return a value as the library gets it; only exact lists, tuples and dicts are opened."""
        kind = type(value)
        if kind is ScriptArray or kind is ScriptFlat:
            return self._let_out(value)
        if not depth:
            return value
        if kind is tuple:
            items = tuple([self.plain(item, depth - 1) for item in value])
            return value if all(map(operator.is_, items, value)) else items
        if kind is list:
            self._lend(value, enumerate(value), depth)
        elif kind is dict:
            self._lend(value, list(value.items()), depth)
        return value

    def _lend(self, container: Any, places: Any, depth: int) -> None:
        is_changed = False
        for place, item in places:
            plain = self.plain(item, depth - 1)
            if plain is not item:
                self._lent[id(plain)] = plain, item
                container[place] = plain
                is_changed = True
        if is_changed:
            self._open.append(container)
