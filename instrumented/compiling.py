"""Compiling loops that NumPy alone cannot run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime import nrt

P = ParamSpec("P")
R = TypeVar("R")
int64 = cast("Callable[[int], int]", numba.int64)
"""A number of 64 bits: for a plain 0, or one of 32 bits, numba compiles what is called again."""

COMPILED_TOGETHER: Final = ("distances", "lowering")
"""Where compiled functions are, and the constants and the functions compiled into them."""


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba at the first call; keep the machine code on disk where possible.

    Compiled loops run beside other threads. They make no arrays and return none, but work in those
    that they are given: then numba need not count who refers to them, which takes as long as all
    the rest of a loop that hands tuples of arrays on (numba's issues 2345 and 2350).
    """
    return _compiled(function, _nrt=False)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for a part of loops, compiled into each of them where it is called."""
    return _compiled(function, _nrt=False, forceinline=True)


def compiled_with_arrays(function: Callable[P, R]) -> Callable[P, R]:
    """As ``compiled``, for a function that makes arrays or returns some."""
    return _compiled(function)


def _compiled(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    compiler: Any = numba.njit
    jitted = compiler(nogil=True, **options)(function)
    with suppress(RuntimeError):  # neither the package nor the user has a directory to write to
        jitted._cache = cast("Any", _Cache)(function)
    return cast("Callable[P, R]", jitted)


class _Cache(FunctionCache):
    """Machine code on disk, used again while all sources are the same that went into it.

    By itself numba looks at the file of the function alone: where a function or a constant from
    another file is compiled into it and has changed, the old machine code would run on.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        cast("Any", super()).__init__(function)
        place, name = self._cache_path, self._impl.filename_base
        self._cache_file = cast("Any", IndexDataCacheFile)(place, name, _sources())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the kept machine code for types of arguments, None if there is none.

        By itself numba first gets ready to compile, which takes as long as to import it. What is
        there needs its run time alone; where it is not, compiling gets ready.
        """
        cast("Any", nrt).rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return cast("Any", self)._load_overload(sig, target_context)


@cache
def _sources() -> str:
    """Return the digest of all sources that are compiled together."""
    digest = hashlib.sha256()
    for folder in COMPILED_TOGETHER:
        for path in sorted(Path(__file__).with_name(folder).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
