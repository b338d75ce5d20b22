"""What the builtins get: an import that knows who asks, and what the marks of the source call."""

from __future__ import annotations

import builtins
import sys
import warnings
from collections.abc import Callable
from functools import partial
from mmap import mmap
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from instrumented.books.traced import Elements, Traced
from instrumented.rules.indexing import read_scalar
from instrumented.scalar import ScalarValues
from instrumented.script import marks
from instrumented.script.builtin_type import TYPE_OF_TYPES, type_handed_on
from instrumented.script.callables import (
    call_of,
    constructor,
    module_of,
    name_of_call,
    package_of,
)
from instrumented.script.callers import named_variables
from instrumented.script.executing import Executing
from instrumented.script.holders import RESIZE, resizing
from instrumented.script.items import CONTAINERS, Items
from instrumented.script.leaving import array_method, handed
from instrumented.script.lending import Lending
from instrumented.script.numpy_functions import (
    ArrayMethod,
    Function,
    Ufunc,
    array_method_of,
    conversion,
    for_traced,
    itself,
)
from instrumented.script.numpy_modules import GRID_NAMES, STOOD_IN, NumpyModules
from instrumented.script.own import MOVERS, Ownership, Whose
from instrumented.script.readers import (
    READ_BY_METHODS,
    READERS,
    READING,
    TAKE_BYTES,
    takes_plain,
)
from instrumented.script.script_arrays import ScriptArray
from instrumented.script.script_flat import ScriptFlat
from instrumented.script.tracing import ScriptTrace
from instrumented.script.updating import Updated, UpdatedField

MOVERS_AND_NUMPY = MOVERS | {"numpy"}

HAND_ON = READERS | MOVERS_AND_NUMPY
"""Modules whose functions do with the items of a list what each of them allows."""

ITEMS_OF_ALL = frozenset({ScriptArray, dict, list, tuple, str})
"""Types whose items are taken with any index."""

COUNTED_METHODS = frozenset(
    name for name in dir(ScriptArray) if not name.startswith("_") and name != "resize"
)
"""Methods of arrays that do with a plain one's memory what they do with it where it is traced."""

UNTRACED_ARRAYS = frozenset({np.ndarray, np.memmap, np.recarray})
"""Types of arrays, of text or dates or in a file, that NumPy finds the items of."""

GENERATORS = frozenset({np.random.Generator, np.random.RandomState})
"""Types of NumPy's own generators, which come out of libraries and of pickles."""

BUFFERS = frozenset({bytes, bytearray, memoryview, mmap})
"""Types whose methods and items take the bytes of what has any."""

LOOK_AT_CALLERS = frozenset({sys._getframe, warnings.warn})
"""Functions that count the calls around them: nothing may stand in between."""

TAKE_VARIABLES = frozenset({("numexpr", "evaluate"), ("pandas", "eval"), ("pandas", "query")})
"""Package and name of functions whose text names variables of who calls them."""

FUNCTIONS = frozenset({FunctionType, BuiltinFunctionType, np.ufunc, type(np.sum)})
"""Types of NumPy's functions, among others."""

METHODS_OF_TYPES = (MethodDescriptorType, WrapperDescriptorType)

CYTHONS = "cython_function_or_method"
"""Type of functions that Cython compiled: each library has its own of this name."""


def formatted(trace: ScriptTrace, value: Any) -> Any:
    """Return the operand of a format string, without what is traced in it."""
    return trace.let_out(value, "formatting")


class Borders:
    """What stands between the user's modules and everything else.

    Args:
        trace: where arrays come in and values leave.
        ownership: whose a module is.
    """

    def __init__(self, trace: ScriptTrace, ownership: Ownership) -> None:
        self._trace = trace
        self._ownership = ownership
        self._numpy = NumpyModules(trace)
        self.executing = Executing(trace.booking.callers, ownership)
        self._items = Items(trace.enter, self.executing.standing_in)
        self._standing_in: dict[Any, Any] = {}
        self._users: dict[int, tuple[CodeType, Any]] = {}
        self._plain_import = builtins.__import__

    def __enter__(self) -> None:
        """Put them up. The marks stay: what the script leaves behind is called as Python ends."""
        vars(builtins).update(self._marks(), __import__=self._import)

    def __exit__(self, *_: object) -> None:
        builtins.__import__ = self._plain_import

    def _marks(self) -> dict[str, Any]:
        return {
            marks.CALLED: self._called,
            marks.RETURNED: self._returned,
            marks.RETURNING: self._returning,
            marks.FOUND: self._found,
            marks.ITEM: self._item,
            marks.INDEX: self._index,
            marks.STORED: self._stored,
            marks.GIVEN: self._given,
            marks.UPDATED: self._updated,
            marks.UPDATED_FIELD: partial(UpdatedField, self._trace.enter, self._given),
            marks.EACH: self._items.each,
            marks.NAMED: self._items.named,
            marks.SLICE: slice,
            marks.ITSELF: itself,
            marks.ARRAY_METHOD: array_method,
            marks.FORMATTED: self._formatted,
            marks.REMAINDER: self._remainder,
            marks.TYPE: self._type,
            marks.TYPE_HANDED_ON: type_handed_on(self._type),
            marks.EXECUTED: self.executing.executed,
            marks.KIND: type,
            marks.PLAIN_ARRAY: np.ndarray,
        }

    def _import(
        self,
        name: str,
        globals: Any = None,  # noqa: A002 - the names that Python gives them
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        module = self._plain_import(name, globals, locals, fromlist, level)
        self.executing.meet()
        name = module.__name__
        if name in STOOD_IN and self.executing.imports_for_user(globals, sys._getframe(1)):
            return self._numpy.stand_in(module)
        return module

    # ---- what comes in -----------------------------------------------------------------

    def _found(self, value: Any) -> Any:
        kind = type(value)
        if kind is np.ndarray:
            return self._trace.enter(value)
        is_unbound = kind is MethodDescriptorType or kind is WrapperDescriptorType
        return for_traced(value) if is_unbound else value

    def _item(self, owner: Any, index: Any) -> Any:
        kind = type(owner)
        if kind not in ITEMS_OF_ALL:
            owner = self._numpy.own(owner) if kind in GRID_NAMES else owner
            if issubclass(kind, ScalarValues):
                self._trace.booking.look()
                return handed(read_scalar(self._trace.booking, owner, index))
            owner = self._found(owner)
            index = self._index(owner, index)
        value = owner[index]
        if type(value) is np.ndarray:
            return self._trace.enter(value)
        return self._stand_in(value) if kind is dict and owner is sys.modules else value

    def _index(self, owner: Any, index: Any) -> Any:
        kind = type(owner)
        if kind in ITEMS_OF_ALL:
            return index
        if issubclass(kind, ScalarValues):
            return None  # which is refused for the number's sake, no index for its own
        is_plain = self._takes_plain(kind)
        return self._trace.let_out(index, f"an index of {kind.__name__}") if is_plain else index

    def _updated(self, owner: Any, index: Any) -> Updated:
        owner = self._found(owner)
        if not isinstance(owner, ScalarValues):
            index = self._index(owner, index)
        return Updated(self._trace.enter, owner, index)

    def _stored(self, value: Any, owner: Any) -> Any:
        kind = type(owner)
        if type(value) is not list or kind in ITEMS_OF_ALL or issubclass(kind, dict | list):
            return self._given(value, owner)
        return [self._given(item, owner) for item in value]

    def _given(self, value: Any, owner: Any) -> Any:
        """Return what an object gets as an item or an attribute: plain values if a library's."""
        kind = type(owner)
        if kind in UNTRACED_ARRAYS and isinstance(value, np.generic | tuple):
            return value if owner.dtype.hasobject else self._trace.let_out(value, "storing")
        if kind in ITEMS_OF_ALL or not issubclass(type(value), Traced):
            return value
        if not (kind in BUFFERS or self._ownership.is_librarys(owner)):
            return value
        how = f"storing into {getattr(owner, '__name__', kind.__name__)}"
        return self._trace.let_out(value, how)

    def _set_attribute(self, *given: Any) -> None:
        if len(given) == 3:
            owner, name, value = given
            given = owner, name, self._given(value, owner)
        setattr(*given)

    def _takes_plain(self, kind: type) -> bool:
        """Return whether an object of a class that is not Python's takes no traced index."""
        return kind in UNTRACED_ARRAYS or self._ownership.is_librarys(kind)

    def _runs_users(self, kind: type) -> bool:
        """Return whether calling an object of this type runs Python that no library wrote."""
        call = call_of(kind)
        return call is not None and not self._ownership.in_library(call)

    def _wraps_c(self, function: Any) -> bool:
        """Return whether Python's own library wrapped code in C: a temporary file its ``write``."""
        if type(getattr(function, "__wrapped__", None)) is not BuiltinFunctionType:
            return False
        return self._ownership.whose(function.__code__.co_filename) is Whose.STANDARD

    def _returned(self, value: Any) -> Any:
        kind = type(value)
        if kind is ScriptArray:
            return value
        if kind is np.ndarray:
            return self._trace.enter(value)
        if issubclass(kind, ModuleType):
            return self._stand_in(value)
        if kind is MethodDescriptorType or kind is WrapperDescriptorType:
            return for_traced(value)
        return value

    def _stand_in(self, module: Any) -> Any:
        """Return what stands in for a module of NumPy's that was loaded, any other value as is."""
        name = getattr(module, "__name__", None)
        is_numpys = name in STOOD_IN and sys.modules.get(name) is module
        return self._numpy.stand_in(module) if is_numpys else module

    def _type(self, value: Any) -> type:
        kind = type(value)
        if issubclass(kind, Traced):
            return self._trace.plain_type(value)
        return np.flatiter if kind is ScriptFlat else type(itself(value))

    # ---- what leaves -------------------------------------------------------------------

    def _called(self, function: Any) -> Any:
        kind = type(function)
        inside = function.__func__ if kind is MethodType else function
        if type(inside) is FunctionType:
            known = self._users.get(id(inside.__code__))
            if known and known[0] is inside.__code__ and known[1] is inside.__module__:
                return function
        elif kind is BuiltinFunctionType and type(function.__self__) in CONTAINERS:
            return function
        if kind in FUNCTIONS and getattr(function, "__module__", "numpy") in STOOD_IN:
            function = self._numpy.own(function)
            kind = type(function)
        if function is setattr:
            return self._set_attribute
        if kind is FunctionType:
            reads = self._ownership.is_reader(function.__module__) or self._wraps_c(function)
            if not reads and not self._ownership.in_library(function):
                return self._once_more(function, function)
        elif kind is Function or kind is Ufunc or kind is ArrayMethod:
            return function
        elif kind is np.vectorize:
            return Function(self._trace.uncounted, function, "vectorize")
        elif kind is MethodType:
            if inside is RESIZE:
                return resizing(function)
            if type(function.__self__) in GENERATORS:
                return self._numpy.random.method(function, inside.__name__)
            reads = type(inside).__name__ == CYTHONS or self._ownership.is_reader(inside.__module__)
            if not reads and not self._ownership.in_library(inside):
                return self._once_more(function, inside)
        elif issubclass(kind, type):
            if issubclass(function, (np.number, np.bool_)):
                return conversion(self._trace, function, self._reader(function))
            made_by, whose = constructor(function), self._ownership
            is_given = whose.is_librarys(function) or whose.in_library(made_by)
            reads = whose.is_reader(function.__module__) or takes_plain(function, made_by)
            if not reads and not is_given:
                return self._items.applying(function)
        elif kind in METHODS_OF_TYPES and issubclass(function.__objclass__, np.ndarray):
            return array_method_of(function)
        elif kind in READING and issubclass(function.__objclass__, READ_BY_METHODS):
            return self._reader(function)
        elif kind is BuiltinFunctionType:
            owner = function.__self__
            if type(owner) is np.ndarray and function.__name__ in COUNTED_METHODS:
                entered = self._found(owner)
                if entered is not owner:
                    return getattr(entered, function.__name__)
            if isinstance(owner, Traced | Elements) or function in LOOK_AT_CALLERS:
                return function
            if module_of(function).partition(".")[0] in MOVERS and type(owner) not in BUFFERS:
                return self._items.applying(function)
        elif package_of(kind) in MOVERS_AND_NUMPY or self._runs_users(kind):
            return function
        return self._reader(function)

    def _once_more(self, function: Any, inside: Any) -> Any:
        """Return a function as it is, at its next call too if the user wrote what is inside."""
        if type(inside) is FunctionType and self._ownership.is_users(inside.__code__.co_filename):
            self._users[id(inside.__code__)] = inside.__code__, inside.__module__
        return function

    def _returning(self, value: Any) -> Any:
        """Let what a function of the user's returns out if it was a library that called it."""
        kind = type(value)
        if kind is tuple or issubclass(kind, Traced):
            caller = sys._getframe(1).f_back
            callers = self._trace.booking.callers
            if caller is not None and callers.asked_by(caller) is Whose.LIBRARY:
                return self._trace.let_out(value, "returning to a library")
        return value

    def _reader(self, function: Any) -> Any:
        """Return a function that lets the traced values among its arguments out, then calls."""
        try:
            known = self._standing_in.get(function)
        except TypeError:  # not hashable: one of ctypes'
            return self._leaving(function)
        if known is None:
            known = self._leaving(function)
            if getattr(function, "__self__", None) is None or isinstance(
                function.__self__, ModuleType
            ):
                self._standing_in[function] = known
        return known

    def _leaving(self, function: Callable[..., Any]) -> Callable[..., Any]:
        how = name_of_call(function)

        def let_out(value: Any, how: str) -> Any:
            return type if type(value) is TYPE_OF_TYPES else self._trace.let_out(value, how)

        def call(*args: Any, **kwargs: Any) -> Any:
            plain = [let_out(argument, how) for argument in args]
            named = {key: let_out(argument, how) for key, argument in kwargs.items()}
            return function(*plain, **named)

        def call_library(*args: Any, **kwargs: Any) -> Any:
            with Lending(lambda value: let_out(value, how)) as lending:
                plain = [lending.plain(argument) for argument in args]
                named = {key: lending.plain(argument) for key, argument in kwargs.items()}
                lending.begin()
                return function(*plain, **named)

        def call_with_variables(*args: Any, **kwargs: Any) -> Any:
            texts = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
            caller = sys._getframe(1)
            found = {"local_dict": named_variables(caller, " ".join(texts)), "global_dict": {}}
            return call_library(*args, **(found | kwargs))

        package = module_of(function).partition(".")[0]
        if (package, getattr(function, "__name__", "")) in TAKE_VARIABLES:
            return call_with_variables
        takes_bytes = isinstance(function, type) and function in TAKE_BYTES
        owner = getattr(function, "__objclass__", type(getattr(function, "__self__", None)))
        if takes_bytes or owner in BUFFERS:
            return call_library  # which reads arrays in lists too
        hands_on = package in HAND_ON and not self._ownership.in_library(function)
        return call if hands_on else call_library

    def _remainder(self, left: Any, right: Any) -> Any:
        return left % (self._formatted(right) if isinstance(left, str | bytes) else right)

    def _formatted(self, value: Any) -> Any:
        return formatted(self._trace, value)
