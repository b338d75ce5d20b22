"""Code that is made of text as the script runs: ``eval``, ``exec``, ``compile``, doctest, timeit.

What has been compiled stays Python's own, so that who looks into it finds no marks; when it is
about to run, the same source compiled with its borders marked takes its place.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import copy
import functools
import os
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType, MethodType
from typing import Any, NamedTuple

from instrumented.books.traced import Traced, plain_of
from instrumented.script.callers import Callers
from instrumented.script.importing import UNMARKED, compile_marked, sendable
from instrumented.script.module_names import RUN_THROUGH_ITEMS, UNTOUCHED
from instrumented.script.own import Ownership, Whose
from instrumented.script.rewriting import mark_borders

Run = Callable[..., Any]

INHERITED = functools.reduce(
    int.__or__, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
)
"""Flags of code that text which it compiles has, too."""

COMPILE_PARAMETERS = ("source", "filename", "mode", "flags", "dont_inherit", "optimize")

TAKEN_FOR_BUILTINS = UNTOUCHED | RUN_THROUGH_ITEMS | {"type"}
"""Names whose calls are marked in a way of their own, unless a program has them itself."""

PYTEST = "_pytest.assertion.rewrite"

RUN_TEXT = ("code", "codeop", "doctest", "timeit", PYTEST)
"""Modules that compile and run what others wrote, by the builtins, in functions of their own."""

COMPILE_FILES = ("runpy", "zipimport")
"""Modules that compile whole files."""

TEXTS = frozenset({str, bytes})
"""Types of text that is marked; others hand on what they please."""


class SourceOfCode(NamedTuple):
    """What code was compiled from, and how; of a tree it has a copy, as the tree may change."""

    given: Any  # str, bytes, a tree
    file: str
    mode: str
    flags: int
    optimize: int


class Executing:
    """Has the user's texts run with their borders marked.

    Args:
        callers: tells whose text a frame runs.
        ownership: says which files are the user's.
    """

    def __init__(self, callers: Callers, ownership: Ownership) -> None:
        self._callers = callers
        self._ownership = ownership
        self._sources: dict[int, tuple[weakref.ref[CodeType], SourceOfCode]] = {}
        self._given: list[tuple[dict[str, Any], str, Any]] = []
        self._unmet = set(RUN_TEXT)
        self.standing_in: dict[Any, Run] = {
            compile: self._compile,
            eval: functools.partial(self._run, eval),
            exec: functools.partial(self._run, exec),
        }

    def __enter__(self) -> None:
        """Have modules that run what the user wrote take these builtins for Python's own."""
        for name in COMPILE_FILES:
            self._give(vars(sys.modules[name]), compile=self._compile_file)
        self.meet()

    def __exit__(self, *_: object) -> None:
        for names, name, before in reversed(self._given):
            if before is None:
                names.pop(name, None)
            else:
                names[name] = before

    def meet(self) -> None:
        """Do so for modules that have been loaded since."""
        for name in self._unmet & sys.modules.keys():
            module = sys.modules[name]
            if not getattr(module.__spec__, "_initializing", False):  # it is being loaded
                self._unmet.discard(name)
                file = getattr(module, "__file__", None)
                if file and not self._ownership.is_users(file):  # no `code.py` of the script's
                    self.run_by(vars(module))

    def run_by(self, names: dict[str, Any]) -> None:
        """Do so for a module that runs text, given as its names."""
        self._give(names, compile=self._compile, exec=self._execute)
        if not {"_read_pyc", "_saferepr"} <= names.keys():
            return
        kept, told = names["_read_pyc"], names["_saferepr"]  # pytest's
        self._give(
            names,  # what it kept was compiled without marks
            _read_pyc=lambda file, *of: (
                None if self._ownership.is_users(str(file)) else kept(file, *of)
            ),
            _saferepr=lambda value: told(_numpys_method(value)),
        )

    def _give(self, names: dict[str, Any], **functions: Run) -> None:
        self._given += [(names, name, names.get(name)) for name in functions]
        names.update(functions)

    def imports_for_user(self, names: Any, frame: FrameType) -> bool:
        """Return whether it is the user who imports; code made of text does so for its caller."""
        names = names or {}
        is_text = "__file__" not in names or frame.f_code.co_filename.startswith("<")
        return self._is_users(names, frame, is_text=is_text)

    def _is_users(self, names: Any, frame: FrameType, *, is_text: bool) -> bool:
        """Return whether code with these global names, or text that a frame runs, is the user's."""
        file = names.get("__file__")
        if isinstance(file, str | os.PathLike) and self._ownership.is_users(file):
            return True
        return is_text and self._callers.whose_text(frame) is Whose.USER

    # ---- what runs ------------------------------------------------------------------------

    def executed(self, name: str, *given: Any) -> tuple[Any, ...]:
        """Return the arguments of a call of ``eval`` or ``exec``, the code marked if it can be."""
        return self._exchanged(sys._getframe(1), name, given)

    def _run(self, run: Run, *given: Any, **options: Any) -> Any:
        """Stand in for ``eval`` or ``exec`` under another name: run in the caller's names."""
        if not given or options.keys() - {"closure"}:
            return run(*given, **options)
        frame = sys._getframe(1)
        code, names, variables = (*given, None, None)[:3]
        if names is None:
            variables = _variables(frame) if variables is None else variables
            names = frame.f_globals
        code, *_ = self._exchanged(frame, run.__name__, (code, names, variables))
        if type(code) in TEXTS and "closure" not in options:
            flags = frame.f_code.co_flags & INHERITED
            code = compile(
                _stripped(code, run.__name__), "<string>", run.__name__, flags, dont_inherit=True
            )
        return run(code, names, variables, *given[3:], **options)

    def _execute(self, *given: Any) -> None:
        """Stand in for the ``exec`` of a module that runs what others wrote."""
        frame = sys._getframe(1)
        if self._is_users(given[1], frame, is_text=True):
            given = self._exchanged(frame, "exec", given)
        exec(*given)  # noqa: S102 - as asked

    def _exchanged(self, frame: FrameType, name: str, given: tuple[Any, ...]) -> tuple[Any, ...]:
        code, names, variables = (*given, None, None, None)[:3]
        if not {type(names), type(variables)} <= {dict, type(None)}:
            return given  # it may answer to any name, the marks' too
        if names is None:
            names = frame.f_globals
            variables = frame.f_locals if variables is None else variables
        inside = names.get("__builtins__", builtins)
        if inside is not builtins and inside is not vars(builtins):
            return given  # without the marks
        source = self._source_of(code, name, frame.f_code.co_flags & INHERITED)
        if source is None:
            return given
        bound = {*(TAKEN_FOR_BUILTINS & names.keys())}
        if variables is not None and variables is not names:
            bound |= TAKEN_FOR_BUILTINS.intersection(variables)
        marked = _marked(source, frozenset(bound))
        return given if marked is None else (marked, *given[1:])

    def _source_of(self, code: Any, name: str, flags: int) -> SourceOfCode | None:
        if type(code) is CodeType:
            whose, source = self._sources.get(id(code), (None, None))
            return source if whose is not None and whose() is code else None
        if type(code) in TEXTS:
            source = SourceOfCode(_stripped(code, name), "<string>", name, flags, -1)
            with suppress(Exception):  # Python itself says what is wrong with it
                compile(source.given, source.file, name, flags, dont_inherit=True)
                return source
        return None

    # ---- what compiles ----------------------------------------------------------------------

    def _compile(self, *args: Any, **kwargs: Any) -> Any:
        """Stand in for ``compile``: note the source of what is made."""
        given = dict(zip(COMPILE_PARAMETERS, args, strict=False)) | kwargs
        if len(given) < len(args) + len(kwargs):
            return compile(*args, **kwargs)  # which says that they are too many
        flags = given.get("flags", 0)
        if not given.get("dont_inherit") and type(flags) is int:
            flags |= sys._getframe(1).f_code.co_flags & INHERITED
        code = compile(**given | {"flags": flags, "dont_inherit": True})
        if type(code) is CodeType:
            self._note(code, given["source"], given["mode"], flags, given.get("optimize", -1))
        return code

    def _note(self, code: CodeType, source: Any, mode: str, flags: int, optimize: int) -> None:
        file, key = code.co_filename, id(code)
        if not (file.startswith("<") or self._ownership.is_users(file)):
            return
        if isinstance(source, ast.mod):
            try:
                source = copy.deepcopy(source)
            except RecursionError:
                return
        elif type(source) not in TEXTS:
            return
        reference = weakref.ref(code, lambda _: self._sources.pop(key, None))
        self._sources[key] = reference, SourceOfCode(source, file, mode, flags, optimize)

    def _compile_file(self, source: str | bytes, file: Any, mode: str, **options: Any) -> CodeType:
        """Stand in for the ``compile`` of a module that compiles files."""
        if self._ownership.is_users(os.fsdecode(file)):
            with suppress(*UNMARKED):
                return compile_marked(source, os.fsdecode(file))
        code: CodeType = compile(source, file, mode, **options | {"dont_inherit": True})
        return code


@functools.lru_cache(maxsize=256)
def _marked(source: SourceOfCode, bound: frozenset[str]) -> CodeType | None:
    """Return the code of a source with its borders marked; None if that cannot be."""
    given, file, mode, flags, optimize = source
    with suppress(*UNMARKED), _warned_before():
        if isinstance(given, ast.mod):
            tree: Any = copy.deepcopy(given)
        else:
            tree = compile(given, file, mode, flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        mark_borders(tree, bound)
        code = compile(tree, file, mode, flags, dont_inherit=True, optimize=optimize)
        return sendable(code)
    return None


@contextmanager
def _warned_before() -> Iterator[None]:
    """Drop what the compiler warns of a second time; what has been warned of stays known."""
    silent = ("ignore", None, SyntaxWarning, None, 0), ("ignore", None, DeprecationWarning, None, 0)
    filters: Any = warnings.filters
    filters[:0] = silent
    try:
        yield
    finally:
        for one in silent:
            filters.remove(one)


def _numpys_method(value: Any) -> Any:
    """Return NumPy's own method for a traced array's, which pytest takes for one of Python's."""
    if type(value) is MethodType and isinstance(value.__self__, Traced):
        return getattr(plain_of(value.__self__), value.__name__)
    return value


def _stripped(text: Any, name: str) -> Any:
    """Return a text as the compiler gets it: ``eval`` takes the blanks before it away."""
    if name != "eval":
        return text
    return text.lstrip(" \t" if isinstance(text, str) else b" \t")


def _variables(frame: FrameType) -> Any:
    """Return the local variables that ``exec`` finds in a frame: from Python 3.13 on, copies."""
    names = frame.f_locals
    is_function = frame.f_code.co_flags & CO_OPTIMIZED
    return dict(names) if is_function and type(names) is not dict else names
