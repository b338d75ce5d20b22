"""What is known of something that is called: who wrote it, and what it is called in the tables."""

from __future__ import annotations

from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any


def call_of(kind: type) -> Any:
    """Return the function in Python that runs when an object of this type is called, or None."""
    found = (base.__dict__.get("__call__") for base in kind.__mro__)
    return next((call for call in found if isinstance(call, FunctionType)), None)


def constructor(kind: Any) -> Any:
    """Return what gets the arguments that a class is called with: its first method in Python."""
    return kind.__init__ if type(kind.__init__) is FunctionType else kind.__new__


def package_of(kind: type) -> str:
    """Return the package of a class; some, which a library made as it ran, say none."""
    return str(kind.__module__).partition(".")[0]


def module_of(function: Any) -> str:
    """Return the module that a function is of; of a method in C, the module of its class."""
    owner = getattr(function, "__self__", None)
    if type(owner) is ModuleType:
        return owner.__name__
    module = getattr(function, "__module__", None)
    if type(function) is BuiltinFunctionType and module is None:
        if owner is None:  # a function that some library made by hand, as OpenCV does
            return ""
        return str((owner if isinstance(owner, type) else type(owner)).__module__)
    return str(module or type(function).__module__)


def name_of_call(function: Any) -> str:
    """Return what a call is called in the tables: ``matplotlib.pyplot.plot()``."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", type(function).__name__)
    return f"{module}.{name}()" if module else f"{name}()"
