"""NumPy as the user's modules see it: the same functions, whose arrays are traced."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from instrumented.rules.traffic_rules import Args, Kwargs
from instrumented.script.callers import named_variables
from instrumented.script.leaving import index_of, without_rule
from instrumented.script.numpy_functions import Function, Ufunc, itself
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
    isfortran isscalar iterable base_repr binary_repr isdtype
    """.split()
)
"""Functions that take and make no arrays, or ask of what type they are."""

MADE_WHEN_ASKED = frozenset({"__getattr__", "__dir__"})
"""What makes further members of a module; its stand-in asks the module itself for those."""


class NumpyModules:
    """Makes the stand-ins of NumPy's modules, each once.

    Args:
        trace: where arrays come in.
    """

    def __init__(self, trace: ScriptTrace) -> None:
        self._trace = trace
        self._modules: dict[str, ModuleType] = {}
        self.random = RandomNumbers(trace)

    def stand_in(self, module: ModuleType) -> ModuleType:
        """Return the stand-in of a module of NumPy's, any other module as it is."""
        name = module.__name__
        if name not in STOOD_IN:
            return module
        known = self._modules.get(name)
        if known is None:
            known = self._modules[name] = _StandIn(module, self._member)
        return known

    def own(self, member: Any) -> Any:
        """Return what stands in for a member that a library handed on, as pylab does."""
        if type(member) in GRID_NAMES:
            return getattr(self.stand_in(np), GRID_NAMES[type(member)])
        module = getattr(member, "__module__", "numpy")  # before NumPy 2.2 ufuncs have none
        inside = vars(self.stand_in(sys.modules[module]))
        found = inside.get(member.__name__)
        return found if itself(found) is member else member

    def _member(self, module: ModuleType, name: str) -> Any:
        """Return a member of one of NumPy's modules as the user sees it."""
        member = getattr(module, name)
        if isinstance(member, ModuleType):
            return self.stand_in(member)
        if module.__name__ == "numpy.random":
            return self.random.member(name, member)
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
        elif name == "asarray_chkfinite":
            run = self._checked
        return Function(run, function, f"{module}.{name}".removeprefix("numpy."))

    def _checked(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        """Run ``asarray_chkfinite``, which looks at all values and answers as ``asarray``."""
        without_rule(function, operation, args, kwargs)
        return self._trace.call(np.asarray, operation, args, kwargs)

    def _blocks(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
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
    """A module as the user sees it; what NumPy's own makes when asked, it makes when asked too.

    A name that NumPy lacks (``np.float = float``) is given to NumPy itself, where libraries look.
    One that it has is replaced for the user alone: what counts goes on with NumPy's own.
    """

    def __init__(self, module: ModuleType, member: Callable[[ModuleType, str], Any]) -> None:
        super().__init__(module.__name__, module.__doc__)
        numpys = {name: vars(module)[name] for name in vars(module).keys() - MADE_WHEN_ASKED}
        made = {name: member(module, name) for name in numpys}
        self.__dict__.update(made, _real=module, _make=member, _numpys=numpys)
        ModuleType.__setattr__(module, "__class__", _watched(self))  # whoever watched it before

    def __getattr__(self, name: str) -> Any:
        return self.__dict__["_make"](self.__dict__["_real"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.__dict__["_numpys"]:
            setattr(self.__dict__["_real"], name, itself(value))
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name not in self.__dict__["_numpys"]:
            delattr(self.__dict__["_real"], name)
        self.__dict__.pop(name, None)

    def follow(self, name: str) -> None:
        """Show what others, such as a test that mocks, put into the module itself."""
        value = vars(self.__dict__["_real"])[name]
        is_numpys = isinstance(value, ModuleType) or value is self.__dict__["_numpys"].get(name)
        self.__dict__[name] = self.__getattr__(name) if is_numpys else value

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_real"])

    def __repr__(self) -> str:
        return repr(self.__dict__["_real"])

    def __reduce__(self) -> Any:
        return _imported(self)


_StandIn.__name__ = _StandIn.__qualname__ = "module"  # as printing its type names it
_StandIn.__module__ = "builtins"


def _imported(module: ModuleType) -> Any:
    """Return how a module is pickled: NumPy's own, wherever it arrives."""
    return importlib.import_module, (module.__name__,)


def _watched(stand_in: _StandIn) -> type[ModuleType]:
    """Make the class of a module of NumPy's whose stand-in follows what becomes of it."""

    def put(module: ModuleType, name: str, value: Any) -> None:
        ModuleType.__setattr__(module, name, value)
        stand_in.follow(name)

    def take(module: ModuleType, name: str) -> None:
        ModuleType.__delattr__(module, name)
        vars(stand_in).pop(name, None)

    members = {"__setattr__": put, "__delattr__": take, "__reduce__": _imported}
    return type("module", (ModuleType,), {**members, "__module__": "builtins"})


JOINING = frozenset("r_ c_".split())
GRIDS = JOINING | {"mgrid", "ogrid"}
GRID_NAMES: dict[type, str] = {type(getattr(np, name)): name for name in GRIDS}


class _Grid:
    """``np.mgrid`` and the like: what their brackets make is traced."""

    def __init__(self, trace: ScriptTrace, name: str, grid: Any) -> None:
        self._trace = trace
        self._name = name
        self._grid = grid

    def __getitem__(self, key: Any) -> Any:
        make = self._grid.__getitem__
        self._trace.booking.look()
        if type(key) is tuple:
            key = tuple(index_of(part) if type(part) is slice else part for part in key)
        elif type(key) is slice:
            key = index_of(key)
        if self._name in JOINING:
            return self._trace.joined(make, self._name, key)
        return self._trace.call(make, self._name, (key,), {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def __reduce__(self) -> Any:
        return getattr, (np, self._name)
