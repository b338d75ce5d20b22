"""Which line of the user's source is being run, and whether a library stands in between."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

from instrumented.script.own import Ownership, Whose

_COMPREHENSION = re.compile(r"(^|\.(<locals>\.)?)<(listcomp|dictcomp|setcomp|genexpr)>")
"""What Python adds to the name of a function for the comprehensions in it."""


RUNS_SCRIPTS = str(Path(__file__).with_name("running.py"))
"""The file that starts what the user wants run."""


class Site(NamedTuple):
    """A line of the user's source: file as shown, function, line number (0: no line)."""

    file: str
    function: str
    line: int


class Asks(IntEnum):
    """What code that is not the user's is, as far as it asks a traced value for something."""

    NOT = 0  # NumPy's and the instrument's: ask who called it
    TEXT = 1  # made of text, so the user's unless a library wrote it
    STANDARD = 2
    LIBRARY = 3


class Seen(NamedTuple):
    """Code that was met, and kept, so that its id stays its own.

    ``places`` are numbers of places by instruction, None unless the code is the user's.
    """

    code: CodeType
    places: dict[int, int] | None
    asks: Asks


_ASKS = {Whose.STANDARD: Asks.STANDARD, Whose.LIBRARY: Asks.LIBRARY}


NOWHERE = Site("<elsewhere>", "<elsewhere>", 0)
"""Where an operation belongs that no line of the user's asked for."""


class Callers:
    """Reads the stack of calls, from the instrument outwards.

    Args:
        ownership: whose a source file is.
    """

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self._whose: dict[str, Whose] = {}

    def seen(self, code: CodeType) -> Seen:
        """Return whose a piece of code is, in the form that looking at frames is quick with."""
        owner = self._whose.get(code.co_filename) or self._judge(code.co_filename)
        is_text = owner is Whose.BETWEEN and code.co_filename.startswith("<")
        asks = Asks.TEXT if is_text else _ASKS.get(owner, Asks.NOT)
        return Seen(code, {} if owner is Whose.USER else None, asks)

    def site(self, frame: FrameType) -> Site:
        """Return the line that a frame of the user's is at."""
        code = frame.f_code
        function = _COMPREHENSION.sub("", code.co_qualname).removeprefix(".<locals>.")
        shown = self._ownership.shown(code.co_filename)
        return Site(shown, function or "<module>", frame.f_lineno or 0)

    def asked_by(self, frame: FrameType) -> Whose:
        """Return whose the code of a frame is; code made of text is its caller's."""
        at: FrameType | None = frame
        owner = Whose.BETWEEN
        while at is not None and owner is Whose.BETWEEN:
            file = at.f_code.co_filename
            owner = self._whose.get(file) or self._judge(file)
            at = at.f_back if file.startswith("<") else None
        return owner

    def whose_text(self, frame: FrameType | None) -> Whose:
        """Return whose a text is that a frame runs: who called it, or gave it to Python's library.

        ``timeit.timeit("x + y", setup="import numpy as np; …")`` is the user's; so is that of
        ``-m timeit``.
        """
        at, owner = frame, Whose.BETWEEN
        while at is not None and owner in (Whose.BETWEEN, Whose.STANDARD):
            file = at.f_code.co_filename
            is_start = file == RUNS_SCRIPTS
            owner = Whose.USER if is_start else self._whose.get(file) or self._judge(file)
            at = at.f_back
        return owner

    def is_library_in(self, frame: FrameType) -> bool:
        """Return whether a library, not Python's own, stands between here and the user's line."""
        at: FrameType | None = frame
        while at is not None:
            owner = self._whose.get(at.f_code.co_filename) or self._judge(at.f_code.co_filename)
            if owner is Whose.USER or owner is Whose.LIBRARY:
                return owner is Whose.LIBRARY
            at = at.f_back
        return True

    def _judge(self, file: str) -> Whose:
        owner = self._whose[file] = self._ownership.whose(file)
        return owner


def named_variables(frame: FrameType, text: str) -> dict[str, Any]:
    """Return the variables of a frame that a text names, for who looks them up there."""
    names = re.findall(r"[^\W\d]\w*", text)
    inside = (frame.f_globals, frame.f_locals)
    return {name: one[name] for one in inside for name in names if name in one}
