"""NumPy as the user's modules see it: the same functions, whose arrays are traced."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from instrumented.script.callers import named_variables
from instrumented.script.numpy_functions import Function, Ufunc
from instrumented.script.random_numbers import RandomNumbers
from instrumented.script.tracing import ScriptTrace

STOOD_IN = frozenset(
    """
    numpy numpy.linalg numpy.fft numpy.random numpy.lib numpy.lib.stride_tricks numpy.emath
    numpy.lib.scimath numpy.matlib
    """.split()
)
"""Modules whose functions the user gets from us; others are libraries on top of NumPy."""

LOADED = frozenset(
    """
    fromfile frombuffer fromregex fromstring genfromtxt load loadtxt memmap from_dlpack
    """.split()
)
"""Functions that bring in what was there already: entering costs nothing."""

ALLOCATED = frozenset("empty empty_like".split())

LEFT_ALONE = frozenset(
    """
    errstate geterr seterr seterrcall geterrcall get_printoptions set_printoptions printoptions
    get_include show_config show_runtime info test dtype promote_types issubdtype iinfo finfo
    setbufsize getbufsize broadcast_shapes ndindex index_exp s_ typename
    format_float_positional format_float_scientific base_repr binary_repr isdtype
    """.split()
)
"""Functions that neither take nor make arrays."""


class NumpyModules:
    """Makes the stand-ins of NumPy's modules, each once.

    Args:
        trace: where arrays come in.
    """

    def __init__(self, trace: ScriptTrace) -> None:
        self._trace = trace
        self._modules: dict[str, ModuleType] = {}
        self._random = RandomNumbers(trace)

    def stand_in(self, module: ModuleType) -> ModuleType:
        """Return the stand-in of a module of NumPy's, any other module as it is."""
        name = module.__name__
        if name not in STOOD_IN:
            return module
        known = self._modules.get(name)
        if known is None:
            known = self._modules[name] = _StandIn(module, self._member)
        return known

    def _member(self, module: ModuleType, name: str) -> Any:
        """Return a member of one of NumPy's modules as the user sees it."""
        member = getattr(module, name)
        if isinstance(member, ModuleType):
            return self.stand_in(member)
        if module.__name__ == "numpy.random":
            return self._random.member(name, member)
        if isinstance(member, np.ufunc):
            return Ufunc(self._trace, member)
        if name in GRIDS:
            return _Grid(self._trace, name, member)
        if name in LEFT_ALONE or isinstance(member, type) or not callable(member):
            return member
        return self._function(member, module.__name__, name)

    def _function(self, function: Callable[..., Any], module: str, name: str) -> Any:
        run = self._trace.call
        if name in LOADED:
            run = self._trace.loaded
        elif name in ALLOCATED:
            run = self._trace.allocated
        elif name == "bmat":
            run = self._blocks
        return Function(run, function, f"{module}.{name}".removeprefix("numpy."))

    def _blocks(
        self,
        function: Callable[..., Any],
        operation: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Run ``bmat``, which takes ``"a, b; b, a"`` for the caller's variables of these names."""
        named = dict(zip(("obj", "ldict", "gdict"), args, strict=False)) | kwargs
        text = named.get("obj")
        if isinstance(text, str):
            caller = sys._getframe(2)
            found = named_variables(caller, text)
            if named.get("gdict") is not None:
                found = {**named["gdict"], **(named.get("ldict") or {})}
            args, kwargs = (text, found, found), {}
        return self._trace.call(function, operation, args, kwargs)


class _StandIn(ModuleType):
    """A module whose members are made when they are first asked for."""

    def __init__(self, module: ModuleType, member: Callable[[ModuleType, str], Any]) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(
            {
                name: getattr(module, name)
                for name in ("__file__", "__path__", "__spec__", "__version__", "__package__")
                if hasattr(module, name)
            }
        )
        self.__dict__["_real"] = module
        self.__dict__["_make"] = member

    def __getattr__(self, name: str) -> Any:
        real, make = self.__dict__["_real"], self.__dict__["_make"]
        if name == "__all__":
            return list(real.__all__)
        made = make(real, name)
        if not isinstance(made, ModuleType):
            self.__dict__[name] = made
        return made

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_real"])

    def __repr__(self) -> str:
        return repr(self.__dict__["_real"])

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.__name__,)


GRIDS = frozenset("mgrid ogrid r_ c_".split())


class _Grid:
    """``np.mgrid`` and the like: what their brackets make is traced."""

    def __init__(self, trace: ScriptTrace, name: str, grid: Any) -> None:
        self._trace = trace
        self._name = name
        self._grid = grid

    def __getitem__(self, key: Any) -> Any:
        return self._trace.call(self._grid.__getitem__, self._name, (key,), {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def __reduce__(self) -> Any:
        return getattr, (np, self._name)
