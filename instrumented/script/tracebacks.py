"""Warnings and tracebacks of a script tell of its own lines, never of the instrument's."""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

INSTRUMENT = str(Path(__file__).resolve().parents[1])

WALKERS = ("walk_tb", "_walk_tb_with_full_positions")
"""Generators of the module traceback that all of its functions read tracebacks with."""


@contextmanager
def told_as_the_scripts() -> Iterator[None]:
    """Leave the instrument's lines out of tracebacks, and give its warnings to its callers."""
    before = warnings.filters[:]
    warnings.filterwarnings("always", module=r"instrumented\.")
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "instrumented":
            vars(module)["__tracebackhide__"] = True  # pytest goes through frames by itself
    with ExitStack() as stack:
        stack.enter_context(replaced(warnings, "_showwarnmsg", _shown(_member("_showwarnmsg"))))
        for name in WALKERS:
            if hasattr(traceback, name):
                walk = _without_instrument(getattr(traceback, name))
                stack.enter_context(replaced(traceback, name, walk))
        stack.enter_context(replaced(threading, "excepthook", _in_thread))
        yield
    warnings.filters[:] = before  # type: ignore[index]


def _in_thread(args: threading.ExceptHookArgs) -> None:
    """Show an error that ends a thread as Python does."""
    if args.exc_value is not None:
        leave_out_own_lines(args.exc_value)
        args = threading.ExceptHookArgs(
            (args.exc_type, args.exc_value, args.exc_value.__traceback__, args.thread)
        )
    threading.__excepthook__(args)


def leave_out_own_lines(error: BaseException) -> None:
    """Take the instrument's lines out of an error and those it came of, for Python's own hooks.

    They are written in C, and read every line.
    """
    waiting, seen = [error], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_own(one.__traceback__)
        waiting += [e for e in (one.__cause__, one.__context__) if e is not None]
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions


def _without_own(shown: TracebackType | None) -> TracebackType | None:
    lines = []
    while shown is not None:
        if not shown.tb_frame.f_code.co_filename.startswith(INSTRUMENT):
            lines.append(shown)
        shown = shown.tb_next
    for line in reversed(lines):
        shown = TracebackType(shown, line.tb_frame, line.tb_lasti, line.tb_lineno)
    return shown


def _member(name: str) -> Any:
    return getattr(warnings, name)


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Give an object another attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _is_own(frame: Any) -> bool:
    """Return whether a frame, or the code of one, is the instrument's."""
    code = frame.f_code if isinstance(frame, FrameType) else frame
    return bool(code.co_filename.startswith(INSTRUMENT))


def _without_instrument(walk: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def walked(shown: TracebackType | None) -> Iterator[Any]:
        items = list(walk(shown))
        yield from [item for item in items if not _is_own(item[0])] or items

    return walked


def _shown(show: Callable[[Any], None]) -> Callable[[Any], None]:
    """Issue a warning of the instrument's lines again, for the line that called it."""

    def shown(message: warnings.WarningMessage) -> None:
        if not message.filename.startswith(INSTRUMENT):
            show(message)
            return
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != message.filename:
            frame = frame.f_back  # a library that warns for its caller
        while frame is not None and frame.f_code.co_filename.startswith(INSTRUMENT):
            frame.f_globals.get("__warningregistry__", {}).clear()  # each time is the first
            frame = frame.f_back
        if frame is not None:
            warnings.warn_explicit(
                message.message,
                message.category,
                frame.f_code.co_filename,
                frame.f_lineno,
                module=frame.f_globals.get("__name__", "<unknown>"),
                registry=frame.f_globals.setdefault("__warningregistry__", {}),
            )

    return shown
