"""The builtin ``type`` where the user's modules hand it on, which call it with traced values."""

from __future__ import annotations

import copyreg
import pkgutil
import sys
from collections.abc import Callable
from typing import Any


class _TypeOfTypes(type):
    """The type of a stand-in for ``type``, which takes itself for that and makes its own of it."""

    _tell: Callable[[Any], type]

    def __new__(
        cls, name: str, bases: tuple[type, ...], members: dict[str, Any], **given: Any
    ) -> Any:
        """Make a metaclass of the user's, of the builtin: ``T = type``, then ``class Meta(T)``."""
        plain = tuple(type if type(base) is cls else base for base in bases)
        return _made(name, plain, members, **given)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """Tell the type of a value, or make one of a name, bases and members."""
        if len(args) == 1 and not kwargs:
            return cls._tell(args[0])
        return _made(*args, **kwargs)

    def __getitem__(cls, item: Any) -> Any:
        return type[item]

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, type)

    def __subclasscheck__(cls, kind: type) -> bool:
        return issubclass(kind, type)

    def __eq__(cls, other: object) -> bool:
        return other is type or type(other) is _TypeOfTypes

    def __hash__(cls) -> int:
        return hash(type)

    def __repr__(cls) -> str:
        return repr(type)


def _made(*args: Any, **kwargs: Any) -> Any:
    """Make a class as ``type`` does: of the module that asked for it."""
    made = type(*args, **kwargs)
    if "__module__" not in args[2]:
        made.__module__ = sys._getframe(2).f_globals.get("__name__", "builtins")
    return made


def type_handed_on(tell: Callable[[Any], type]) -> Any:
    """Make the class that stands in for ``type``.

    Args:
        tell: returns the type that the user is told of a value.
    """
    members = {"_tell": staticmethod(tell), "__module__": "builtins", "__doc__": type.__doc__}
    return type.__new__(_TypeOfTypes, "type", (type,), members)


TYPE_OF_TYPES = _TypeOfTypes
"""The type of nothing but what stands in for ``type``."""

copyreg.pickle(_TypeOfTypes, lambda _: (pkgutil.resolve_name, ("builtins:type",)))
