"""``owner[index] += value``, ``owner.name = value``: what is changed in place comes in first."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any


class Updated:
    """An item of an object; ``value`` is taken out once, changed, and stored once.

    An owner keeps the plain array that it had, if that was changed where it lies.

    Args:
        enter: returns the traced array of a plain one, anything else as it is.
        owner: what has the item.
        key: where.
    """

    __slots__ = ("_enter", "_found", "_key", "_owner", "_shown")

    _take: Callable[..., Any] = staticmethod(operator.getitem)
    _store: Callable[..., None] = staticmethod(operator.setitem)

    def __init__(self, enter: Callable[[Any], Any], owner: Any, key: Any) -> None:
        self._enter = enter
        self._owner = owner
        self._key = key
        self._found = self._shown = None

    @property
    def value(self) -> Any:
        """What is changed, as the user's code sees it."""
        self._found = self._take(self._owner, self._key)
        self._shown = self._enter(self._found)
        return self._shown

    @value.setter
    def value(self, value: Any) -> None:
        self._store(self._owner, self._key, self._found if value is self._shown else value)


class UpdatedField(Updated):
    """An attribute of an object, which may be given without having been taken.

    Args:
        enter: as above.
        give: takes a value and who gets it; returns what it gets.
        owner: what has the attribute.
        name: its name, as the compiler makes it of a private one.
    """

    __slots__ = ("_give",)

    _take = staticmethod(getattr)

    def __init__(
        self,
        enter: Callable[[Any], Any],
        give: Callable[[Any, Any], Any],
        owner: Any,
        name: str,
    ) -> None:
        super().__init__(enter, owner, name)
        self._give = give

    def _store(self, owner: Any, name: str, value: Any) -> None:
        setattr(owner, name, self._give(value, owner))
