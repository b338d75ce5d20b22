"""Whose source a file is: the user's, a library's, or NumPy's and the instrument's own."""

from __future__ import annotations

import enum
import os
import site
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from instrumented.script.callables import package_of
from instrumented.script.readers import READERS


class Whose(enum.Enum):
    """Who wrote a file, as far as a traced array is concerned."""

    USER = "user"  # sees traced arrays
    STANDARD = "standard"  # Python's own library: told that arrays are NumPy's; CHECKERS too
    LIBRARY = "library"  # gets plain ones, and each way there is an escape
    BETWEEN = "between"  # NumPy, the instrument, code without a file: ask who called it


LIBRARY_FOLDERS = ("site-packages", "dist-packages")
OWN_LIBRARIES = ("instrumented", "ffenergy")
PARTS_FOR_PEOPLE = ("ma", "testing", "polynomial", "matrixlib", "f2py", "ctypeslib")
"""Packages inside NumPy that are written like a library, on top of its arrays."""


MOVERS = frozenset(
    """
    builtins functools itertools operator copy collections _collections heapq _heapq bisect _bisect
    _functools _operator types typing weakref _weakref gc inspect abc contextlib threading
    _thread queue _queue concurrent multiprocessing asyncio _asyncio tqdm
    """.split()
)
"""Modules whose functions hand values on without reading them."""


CHECKERS = frozenset("attr attrs jaxtyping param traitlets typeguard".split())
"""Installed packages that ask what type a value is and hand it on, as Python's own library does."""


class Ownership:
    """Tells the user's files from those of libraries.

    The user's are those below the script's folder, and those found through any other entry of
    ``sys.path`` that is no installation: not the standard library, not a folder that packages
    are installed into.

    Args:
        folder: the folder of the script.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._known: dict[str | os.PathLike[str], Whose] = {}
        self._librarys: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()
        self._numpy = Path(np.__file__).resolve().parent
        self._instrument = Path(__file__).resolve().parent.parent
        self._libraries = tuple(sorted(_installation_folders()))

    def whose(self, file: str | os.PathLike[str]) -> Whose:
        """Return whose the source file of a code object is."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._judge(file)
        return known

    def is_users(self, file: str | os.PathLike[str]) -> bool:
        """Return whether a source file is the user's."""
        return self.whose(file) is Whose.USER

    def in_library(self, function: Any) -> bool:
        """Return whether a function was written by somebody else than the user or Python."""
        code = getattr(function, "__code__", None)
        whose = Whose.USER if code is None else self.whose(code.co_filename)
        if whose is Whose.USER or str(function.__module__).partition(".")[0] in MOVERS:
            return False
        if whose is Whose.STANDARD and hasattr(function, "__wrapped__"):  # by contextlib, say
            return self.in_library(function.__wrapped__)
        return whose is Whose.LIBRARY

    def is_reader(self, module: Any) -> bool:
        """Return whether a module is one of ``READERS``, not one of the user's of that name."""
        if type(module) is not str or module not in READERS:  # a class may say anything
            return False
        file = getattr(sys.modules.get(module), "__file__", None)
        return file is None or not self.is_users(file)

    def is_librarys(self, owner: Any) -> bool:
        """Return whether a library wrote a module, a class, or the class of any other object."""
        written = owner if isinstance(owner, type | ModuleType) else type(owner)
        known = self._librarys.get(written)
        if known is None:
            module = written if isinstance(written, ModuleType) else _module_of(written)
            file = getattr(module, "__file__", None)
            known = file is not None and self.whose(file) is Whose.LIBRARY
            self._librarys[written] = known
        return known

    def shown(self, file: str) -> str:
        """Return a file as the tables name it: from the script's folder, where that is shorter."""
        try:
            way = os.path.relpath(Path(file).resolve(), self.folder)
        except ValueError:  # on another drive
            way = file
        return printable(Path(min(way, file, key=len)).as_posix())

    def _judge(self, file: str | os.PathLike[str]) -> Whose:
        file = os.fspath(file)  # a module may say its file as a path
        if file.startswith("<"):  # frozen modules are Python's; exec'd code is its caller's
            return Whose.STANDARD if file.startswith("<frozen ") else Whose.BETWEEN
        path = Path(file).resolve()
        if path.is_relative_to(self._instrument):
            return Whose.BETWEEN
        if path.is_relative_to(self._numpy):
            part = path.relative_to(self._numpy).parts[0]
            return Whose.LIBRARY if part in PARTS_FOR_PEOPLE else Whose.BETWEEN
        if _package_installed(path) in CHECKERS:
            return Whose.STANDARD
        if path.is_relative_to(self.folder):
            inside = path.relative_to(self.folder).parts
            return Whose.LIBRARY if self._is_installed(self.folder, inside) else Whose.USER
        if any(part in LIBRARY_FOLDERS for part in path.parts):
            return Whose.LIBRARY
        if any(path.is_relative_to(folder) for folder in self._libraries):
            return Whose.STANDARD
        return Whose.LIBRARY if self._in_target_folder(path) else Whose.USER

    @staticmethod
    def _is_installed(folder: Path, inside: tuple[str, ...]) -> bool:
        """Return whether a file below the script's folder lies in an environment there."""
        if any(part in LIBRARY_FOLDERS for part in inside):
            return True
        if inside[0] in OWN_LIBRARIES and (folder / inside[0] / "py.typed").exists():
            return True
        return (folder / inside[0] / "pyvenv.cfg").exists()

    @staticmethod
    def _in_target_folder(path: Path) -> bool:
        """Return whether the entry of sys.path that holds the file is one that pip fills."""
        for entry in sys.path:
            folder = Path(entry or ".").resolve()
            if path.is_relative_to(folder):
                top = path.relative_to(folder).parts[0]
                return top in OWN_LIBRARIES or any(folder.glob("*.dist-info"))
        return False


def _module_of(kind: type) -> ModuleType | None:
    """Return the module that holds a class; none of one whose objects are only handed on."""
    is_mover = package_of(kind) in MOVERS
    return None if is_mover else sys.modules.get(str(kind.__module__))


def _package_installed(path: Path) -> str | None:
    """Return the package that a file of a folder of installed packages belongs to."""
    parts = path.parts
    found = (parts[at + 1] for at, part in enumerate(parts[:-1]) if part in LIBRARY_FOLDERS)
    return next((name.partition(".")[0] for name in found), None)


def printable(name: str) -> str:
    """Return the name of a file as text; bytes that are none, kept as surrogates, as escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _installation_folders() -> set[Path]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {sysconfig.get_path(name) for name in names} | {site.getusersitepackages()}
    folders |= set(site.getsitepackages())
    return {Path(folder).resolve() for folder in folders if folder}
