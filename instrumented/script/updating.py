"""``owner[index] += value``, ``owner.name += value``: what is changed in place comes in first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Updated:
    """An item of an object; ``value`` is taken out once, changed, and stored once.

    An owner keeps the plain array that it had, if that was changed where it lies.

    Args:
        enter: returns the traced array of a plain one, anything else as it is.
        owner: what has the item.
        index: where.
    """

    __slots__ = ("_enter", "_found", "_index", "_owner", "_shown")

    def __init__(self, enter: Callable[[Any], Any], owner: Any, index: Any) -> None:
        self._enter = enter
        self._owner = owner
        self._index = index

    @property
    def value(self) -> Any:
        """The item, as the user's code sees it."""
        self._found = self._owner[self._index]
        self._shown = self._enter(self._found)
        return self._shown

    @value.setter
    def value(self, value: Any) -> None:
        self._owner[self._index] = self._found if value is self._shown else value


class UpdatedField:
    """An attribute of an object: as an item, by its name.

    Args:
        enter: returns the traced array of a plain one, anything else as it is.
        owner: what has the attribute.
        name: its name, as the compiler makes it of a private one.
    """

    __slots__ = ("_enter", "_found", "_name", "_owner", "_shown")

    def __init__(self, enter: Callable[[Any], Any], owner: Any, name: str) -> None:
        self._enter = enter
        self._owner = owner
        self._name = name

    @property
    def value(self) -> Any:
        """The attribute, as the user's code sees it."""
        self._found = getattr(self._owner, self._name)
        self._shown = self._enter(self._found)
        return self._shown

    @value.setter
    def value(self, value: Any) -> None:
        setattr(self._owner, self._name, self._found if value is self._shown else value)
