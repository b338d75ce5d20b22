"""NumPy's functions, ufuncs and unbound methods of arrays as the user's modules call them.

Pickled, they are NumPy's own.
"""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any

import numpy as np

from instrumented.rules.unwrap import IMMEDIATES
from instrumented.script.builtin_type import TYPE_OF_TYPES
from instrumented.script.script_arrays import ScriptArray
from instrumented.script.tracing import ScriptTrace


class _StandsIn:
    """Looks like what it stands in for, and is equal to it."""

    _function: Any

    def __repr__(self) -> str:
        return repr(self._function)

    def __eq__(self, other: object) -> bool:
        return bool(self._function == itself(other))

    def __hash__(self) -> int:
        return hash(self._function)


class Function(_StandsIn):
    """A function of NumPy's that counts; no Python function, as NumPy's own are none."""

    def __init__(
        self, run: Callable[..., Any], function: Callable[..., Any], operation: str
    ) -> None:
        self._run = run
        self._function = function
        self._operation = operation
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self._run(self._function, self._operation, args, kwargs)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        binds = owner is not None and hasattr(type(self._function), "__get__")
        return MethodType(self, owner) if binds else self

    def __reduce__(self) -> Any:
        function = self._function
        if isinstance(function, MethodType | BuiltinMethodType):  # of a random state: with it
            owner = function.__self__
            if not isinstance(owner, ModuleType):
                return getattr, (owner, function.__name__)
        return pkgutil.resolve_name, (f"numpy:{self._operation}",)


class Ufunc(_StandsIn):
    """A ufunc that also counts when it is given lists; everything else is the ufunc's own."""

    def __init__(self, trace: ScriptTrace, ufunc: np.ufunc) -> None:
        self._trace = trace
        self._function = ufunc
        self.__name__ = ufunc.__name__
        self.__doc__ = ufunc.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the ufunc."""
        if not kwargs and IMMEDIATES.issuperset(map(type, args)):
            return self._function(*args)  # nothing moves, and loops over numbers do so often
        return self._trace.ufunc(self._function, "__call__", args, kwargs)

    def _method(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            return self._trace.ufunc(self._function, name, args, kwargs)

        call.__name__ = name
        return call

    @property
    def reduce(self) -> Callable[..., Any]:
        """The ufunc's reduce."""
        return self._method("reduce")

    @property
    def accumulate(self) -> Callable[..., Any]:
        """The ufunc's accumulate."""
        return self._method("accumulate")

    @property
    def reduceat(self) -> Callable[..., Any]:
        """The ufunc's reduceat."""
        return self._method("reduceat")

    @property
    def outer(self) -> Callable[..., Any]:
        """The ufunc's outer."""
        return self._method("outer")

    @property
    def at(self) -> Callable[..., Any]:
        """The ufunc's at."""
        return self._method("at")

    @property  # type: ignore[misc]  # read only: isinstance(np.add, np.ufunc) holds
    def __class__(self) -> Any:
        return np.ufunc

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __reduce__(self) -> Any:
        return pkgutil.resolve_name, (f"numpy:{self.__name__}",)


class ArrayMethod(_StandsIn):
    """``ndarray.sum`` and the like, called on traced arrays too; all else is the method's own."""

    __module__ = property(lambda self: self._function.__module__)

    def __init__(self, function: Any) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method on the first argument."""
        if args and type(args[0]) is ScriptArray:
            return getattr(args[0], self._function.__name__)(*args[1:], **kwargs)
        return self._function(*args, **kwargs)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        if owner is None:
            return self
        if type(owner) is ScriptArray:
            return getattr(owner, self._function.__name__)
        return self._function.__get__(owner, kind)

    @property  # type: ignore[misc]  # read only: as inspect and isinstance have it
    def __class__(self) -> Any:
        return type(self._function)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __dir__(self) -> list[str]:
        return dir(self._function)

    def __reduce__(self) -> Any:
        return self._function.__reduce__()

    def __deepcopy__(self, memo: Any) -> Any:
        return self


def conversion(trace: ScriptTrace, kind: type, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``np.float32`` as it is called: of an array, or a list, it makes one of its type."""

    def convert(*args: Any, **kwargs: Any) -> Any:
        given = args[0] if len(args) == 1 and not kwargs else None
        if type(given) is list or (type(given) is ScriptArray and given.ndim):
            return trace.call(np.asarray, "asarray", (given, kind), {})
        return otherwise(*args, **kwargs)

    return convert


ArrayMethod.__name__ = ArrayMethod.__qualname__ = "method_descriptor"  # as help() names it
array_method_of = functools.cache(ArrayMethod)
"""Returns what stands in for an unbound method of arrays: one for each."""


def itself(value: Any) -> Any:
    """Return what a value stands in for, of NumPy or the builtin type; any other as it is."""
    kind = type(value)
    if kind is Function or kind is Ufunc or kind is ArrayMethod:
        return value._function
    return type if kind is TYPE_OF_TYPES else value


def for_traced(method: Any) -> Any:
    """Return an unbound method as the user's code hands it on: of arrays, for traced ones too.

    NumPy looks for its own ``__array_ufunc__`` and the like in classes that took them over.
    """
    is_arrays = issubclass(method.__objclass__, np.ndarray)
    is_looked_for = method.__name__.startswith("__array_")
    return array_method_of(method) if is_arrays and not is_looked_for else method
