"""Modules of the script's own that are called as one which the instrument has loaded already."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from instrumented.script.own import OWN_LIBRARIES

LOADED_BY_PYTHON = frozenset(
    """
    __main__ _collections_abc _sitebuiltins abc codecs encodings genericpath io ntpath os posixpath
    site sitecustomize stat usercustomize zipimport
    """.split()
)
"""Modules that Python has loaded before any script: no file of a script's stands in for them."""

KEPT = LOADED_BY_PYTHON.union(sys.builtin_module_names, OWN_LIBRARIES, {"numpy"})


@contextmanager
def own_modules_found(folder: Path) -> Iterator[None]:
    """Forget, for a while, loaded modules whose names the folder has files of: ``statistics.py``.

    The script's ``import`` then finds its own file, as it does under Python.
    """
    hidden = {name: sys.modules[name] for name in sorted(_shadowed(folder))}
    for name in hidden:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _shadowed(folder: Path) -> set[str]:
    """Return the names of loaded modules, and parts of them, that the folder has its own of."""
    try:
        there = set(os.listdir(folder))  # noqa: PTH208 - its names alone
    except OSError:
        return set()
    found = set()
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in KEPT or not (top in there or f"{top}.py" in there):
            continue
        is_own = f"{top}.py" in there or (folder / top / "__init__.py").exists()
        if is_own and not _is_of(folder, top):
            found.add(name)
    return found


def _is_of(folder: Path, name: str) -> bool:
    """Return whether a module was loaded from the folder itself, or is none that has a file."""
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or Path(file).resolve().is_relative_to(folder.resolve())
