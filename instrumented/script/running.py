"""Runs a script or a module as ``python`` would, with its arrays traced."""

from __future__ import annotations

import atexit
import builtins
import gc
import importlib.util
import runpy
import sys
import threading
import zipfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from instrumented.books.recorder import Recorder
from instrumented.errors import InstrumentError
from instrumented.script.borders import Borders, formatted
from instrumented.script.callers import Callers
from instrumented.script.executing import RUN_TEXT
from instrumented.script.importing import compile_marked, users_files_marked
from instrumented.script.log_messages import log_messages_noted
from instrumented.script.own import Ownership, Whose, printable
from instrumented.script.shadowing import own_modules_found
from instrumented.script.tracebacks import leave_out_own_lines, replaced, told_as_the_scripts
from instrumented.script.tracing import ScriptTrace
from instrumented.script.unions import unions_of_plain_types

INTERRUPTED = 130


@dataclass(frozen=True)
class Finished:
    """A script that has run: its trace, its exit code, what it is called."""

    name: str
    trace: ScriptTrace
    ownership: Ownership
    exit_code: int
    interrupted: bool = False
    processes: bool = False


class MissingModuleError(InstrumentError):
    """There is no such module to run; the message is Python's own."""


@dataclass(frozen=True)
class _Program:
    """What is to run as ``__main__``; ``execute`` gives the module its names and runs it."""

    name: str
    folder: Path
    argv: list[str]
    first_path: str
    execute: Callable[[ModuleType], object]


def run_script(script: str, arguments: Sequence[str], recorder: Recorder | None = None) -> Finished:
    """Run a script file with its arrays traced.

    Raises:
        InstrumentError: there is no such file, or it is no source.
    """
    path = Path(script)
    try:
        if path.is_dir() and (path / "__main__.py").is_file():
            path = path / "__main__.py"
        is_there = path.is_file()
    except OSError:  # a name that no file can have
        is_there = False
    if not is_there:
        raise InstrumentError(f"there is no script {script}; give the path of a Python file")
    if _is_no_source(path):
        raise InstrumentError(
            f"{script} is compiled, or an archive, and source alone is traced; give the file or the"
            " folder that it was made from"
        )
    file, folder = str(path.absolute()), path.resolve().parent

    def execute(main: ModuleType) -> None:
        names = {"__file__": file, "__loader__": SourceFileLoader("__main__", file)}
        main.__dict__.update(names, __cached__=None)
        exec(compile_marked(Path(file).read_bytes(), file), main.__dict__)  # noqa: S102 - as asked

    program = _Program(path.name, folder, [script, *arguments], str(folder), execute)
    return _run(program, recorder)


def _is_no_source(path: Path) -> bool:
    """Return whether a file is one of Python's programs, but no text: a ``.pyc``, a ``.pyz``."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(4) == importlib.util.MAGIC_NUMBER or zipfile.is_zipfile(file)
    return False  # Python itself says why it cannot be read


def run_module(module: str, arguments: Sequence[str], recorder: Recorder | None = None) -> Finished:
    """Run a module as ``python -m`` would, with its arrays traced, those of its package too.

    Raises:
        MissingModuleError: there is no such module, or it has no code.
    """
    here = str(Path.cwd())

    def execute(main: ModuleType) -> None:
        del main  # which runpy finds in sys.modules
        run: Any = vars(runpy)["_run_module_as_main"]  # what ``python -m`` is: in tracebacks too
        run(module)

    program = _Program(module, folder_of(module, here), ["-m", *arguments], here, execute)
    return _run(program, recorder)


def folder_of(module: str, here: str) -> Path:
    """Return the folder whose files are the user's when a module runs; nothing is imported.

    That which its outermost package lies in; of what was installed, the package itself; of the
    standard library (``-m unittest``) the folder ``here``.
    """
    with replaced(sys, "path", [here, *sys.path]):
        try:
            spec = importlib.util.find_spec(module.partition(".")[0])
        except (ImportError, ValueError):  # ValueError: __main__, or no name
            spec = None
    if spec is None or not (spec.has_location or spec.submodule_search_locations):
        return Path(here)
    inside = list(spec.submodule_search_locations or [str(spec.origin)])
    found = Path(inside[0]).resolve()
    owner = Ownership(Path(here)).whose(str(found))
    if owner is Whose.LIBRARY:
        return found
    return Path(here) if owner is Whose.STANDARD else found.parent


def _run(program: _Program, recorder: Recorder | None) -> Finished:
    ownership = Ownership(program.folder)
    trace = ScriptTrace(Callers(ownership), recorder)
    borders = Borders(trace, ownership)
    main = ModuleType("__main__")
    main.__dict__.update(__annotations__={}, __builtins__=builtins)
    with ExitStack() as stack:
        stack.enter_context(borders)
        stack.enter_context(borders.executing)
        stack.enter_context(users_files_marked(ownership))
        stack.enter_context(log_messages_noted(partial(formatted, trace)))
        stack.enter_context(own_modules_found(Path(program.first_path)))
        stack.enter_context(_Replaced(sys.modules, "__main__", main))
        stack.enter_context(replaced(sys, "argv", program.argv))
        stack.enter_context(replaced(sys, "path", [program.first_path, *sys.path[1:]]))
        stack.enter_context(told_as_the_scripts())
        stack.enter_context(unions_of_plain_types())
        if program.argv[0] == "-m" and program.name in RUN_TEXT:
            borders.executing.run_by(main.__dict__)
        code, interrupted = _ending(program, main)
    atexit.register(id, _Held(main, ownership))  # let go when all that was registered was called
    name = printable(program.name)
    return Finished(name, trace, ownership, code, interrupted, _started_processes())


class _Held:
    """What the script made, which lives until its own last functions have been called.

    Python then empties the builtins before it collects what modules held; its code needs the marks.
    """

    def __init__(self, main: ModuleType, ownership: Ownership) -> None:
        self._main = main
        self._ownership = ownership

    def __del__(self) -> None:
        for name, module in list(sys.modules.items()):
            if self._ownership.is_users(getattr(module, "__file__", None) or "<built-in>"):
                del sys.modules[name]
        del self._main
        gc.collect()


def _started_processes() -> bool:
    """Return whether the script had work done in processes of its own, which are not traced."""
    if "multiprocessing.process" not in sys.modules:
        return False
    counter = getattr(sys.modules["multiprocessing.process"], "_process_counter", None)
    return counter is not None and repr(counter) != "count(1)"


def _exec(program: _Program, main: ModuleType) -> None:
    program.execute(main)
    _end_pools()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()


def _end_pools() -> None:
    """Let pools of threads and processes finish and go, as they do when Python ends."""
    for stop in reversed(getattr(threading, "_threading_atexits", ())):
        stop()
    for name, flag in (("thread", "_shutdown"), ("process", "_global_shutdown")):
        module = sys.modules.get(f"concurrent.futures.{name}")
        if module is not None:  # Python does not end here: whoever runs the script may go on
            setattr(module, flag, False)


def _ending(program: _Program, main: ModuleType) -> tuple[int, bool]:
    """Run; return Python's exit code, and whether it was interrupted. Errors are shown as ever."""
    try:
        _exec(program, main)
    except SystemExit as stop:
        if isinstance(stop.__context__, vars(runpy)["_Error"]):
            raise MissingModuleError(str(stop.__context__)) from None
        if stop.code is None or isinstance(stop.code, int):
            return int(stop.code or 0), False
        stream: Any = sys.stderr or sys.__stderr__
        with suppress(Exception):  # closed, full, or none
            stream.write(f"{stop.code}\n")
        return 1, False
    except BaseException as error:  # noqa: BLE001 - what Python does at the top
        _show(error, main)
        interrupted = isinstance(error, KeyboardInterrupt)
        return INTERRUPTED if interrupted else 1, interrupted
    return 0, False


def _show(error: BaseException, main: ModuleType) -> None:
    """Print a traceback without the instrument's own lines, through the script's excepthook."""
    with suppress(Exception):  # closed, or none
        sys.stdout.flush()
    error.__traceback__ = _mains_part(error.__traceback__, main)
    leave_out_own_lines(error)
    sys.excepthook(type(error), error, error.__traceback__)


def _mains_part(shown: TracebackType | None, main: ModuleType) -> TracebackType | None:
    """Drop what stands above the first line of what runs as ``__main__``, and above runpy's."""
    tops = (main.__dict__, vars(runpy))
    while shown is not None and not any(shown.tb_frame.f_globals is top for top in tops):
        shown = shown.tb_next
    return shown


class _Replaced:
    """Puts a value into a mapping for a while."""

    def __init__(self, mapping: Any, key: str, value: Any) -> None:
        self._mapping, self._key, self._value = mapping, key, value

    def __enter__(self) -> None:
        self._before = self._mapping.get(self._key)
        self._mapping[self._key] = self._value

    def __exit__(self, *_: object) -> None:
        self._mapping[self._key] = self._before
