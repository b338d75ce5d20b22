"""Which line of the user's source is being run, and whether a library stands in between."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import NamedTuple

from instrumented.script.own import Ownership, Whose


class Site(NamedTuple):
    """A line of the user's source: file as shown, function, line number (0: no line)."""

    file: str
    function: str
    line: int


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
        self._sites: dict[int, tuple[CodeType, dict[int, Site]]] = {}

    def caller(self, frame: FrameType | None) -> tuple[Site, bool]:
        """Return the user's line that ``frame`` serves, and whether a library asked.

        The line is the innermost of the user's; a library asked if its code lies further in.
        """
        whose = self._whose
        by_library = False
        while frame is not None:
            code = frame.f_code
            owner = whose.get(code.co_filename) or self._judge(code.co_filename)
            if owner is Whose.USER:
                known = self._sites.get(id(code))
                if known is None:  # the code is kept, so that its id stays its own
                    known = self._sites[id(code)] = (code, {})
                site = known[1].get(frame.f_lasti)
                if site is None:
                    site = known[1][frame.f_lasti] = self._site(frame)
                return site, by_library
            if owner is not Whose.BETWEEN:
                by_library = True
            frame = frame.f_back
        return NOWHERE, True

    def asked_by(self, frame: FrameType) -> Whose:
        """Return whose the code of a frame is."""
        file = frame.f_code.co_filename
        return self._whose.get(file) or self._judge(file)

    def _site(self, frame: FrameType) -> Site:
        code = frame.f_code
        return Site(self._ownership.shown(code.co_filename), code.co_qualname, frame.f_lineno or 0)

    def _judge(self, file: str) -> Whose:
        owner = self._whose[file] = self._ownership.whose(file)
        return owner
