"""Compiles the user's files with their borders marked, whichever loader reads them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import SourceFileLoader
from types import CodeType
from typing import Any

from instrumented.script.marks import ELSEWHERE
from instrumented.script.own import Ownership
from instrumented.script.rewriting import rewrite
from instrumented.script.tracebacks import replaced

GET_CODE = SourceFileLoader.get_code.__code__
"""What asks how old a file is, to look for its compiled code, and then has it compiled."""


@contextmanager
def users_files_marked(ownership: Ownership) -> Iterator[None]:
    """Have Python's loader of source compile the user's files marked (never from or to a cache).

    It does so by itself, in its own frames, where a file does not compile: it fails as ever.

    Args:
        ownership: says which files are the user's.
    """
    plain = SourceFileLoader.path_stats

    def path_stats(loader: SourceFileLoader, path: str) -> Any:
        if type(loader) is not SourceFileLoader or sys._getframe(1).f_code is not GET_CODE:
            return plain(loader, path)
        vars(loader).pop("source_to_code", None)
        if ownership.is_users(path):
            with suppress(*UNMARKED, OSError):
                code = compile_marked(loader.get_data(path), path)
                vars(loader)["source_to_code"] = lambda *_: code
        if "source_to_code" in vars(loader):
            raise OSError  # there is no cache
        return plain(loader, path)

    with replaced(SourceFileLoader, "path_stats", path_stats):
        yield


UNMARKED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What is raised for source that cannot be marked: none, or too deep. Python says itself why."""


def compile_marked(source: str | bytes, file: str) -> CodeType:
    """Compile the source of one of the user's modules with its borders marked."""
    code: CodeType = compile(rewrite(source, file), file, "exec", dont_inherit=True)
    return sendable(code)


def sendable(code: CodeType) -> CodeType:
    """Return code that makes its marks known where it is unpickled.

    Libraries such as joblib send a function of the script to another process as code, with its
    constants. Nothing is traced there, nor need the instrument be installed.
    """
    consts = (sendable(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_consts=(*consts, _MARKS))


class _Marks:
    def __reduce__(self) -> Any:
        return eval, (ELSEWHERE, {"text": ELSEWHERE})


_MARKS = _Marks()
