"""Loads the user's modules with their borders marked; everything else loads as ever."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from instrumented.script.marks import ELSEWHERE
from instrumented.script.own import Ownership
from instrumented.script.rewriting import rewrite


class UserLoader(SourceFileLoader):
    """Loads marked code (never from or to a cache).

    Args:
        fullname: the module's name.
        path: its file.
    """

    def __init__(self, fullname: str, path: str) -> None:
        super().__init__(fullname, path)
        self._code = compile_marked(self.get_data(path), path)

    def get_code(self, fullname: str) -> CodeType:
        """Return the marked code of the module."""
        del fullname
        return self._code


class UserFinder(MetaPathFinder):
    """Finds the user's modules, ahead of Python's own finders.

    Args:
        ownership: says which files are the user's.
    """

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of the user's, None for any other."""
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        if not self._ownership.is_users(spec.origin):
            return None
        with suppress(SyntaxError, ValueError):  # Python's own loader fails, as Python does
            spec.loader = UserLoader(fullname, spec.origin)
        return spec

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)

    def __exit__(self, *_: object) -> None:
        sys.meta_path.remove(self)


def compile_marked(source: str | bytes, file: str) -> CodeType:
    """Compile the source of one of the user's modules with its borders marked."""
    code: CodeType = compile(rewrite(source, file), file, "exec", dont_inherit=True)
    return _sendable(code)


def _sendable(code: CodeType) -> CodeType:
    """Return code that makes its marks known where it is unpickled.

    Libraries such as joblib send a function of the script to another process as code, with its
    constants. Nothing is traced there, nor need the instrument be installed.
    """
    consts = (_sendable(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_consts=(*consts, _MARKS))


class _Marks:
    def __reduce__(self) -> Any:
        return eval, (ELSEWHERE, {"text": ELSEWHERE})


_MARKS = _Marks()
