"""Values that leave a trace: how, on which line of the user's source, how many bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

OWN_PACKAGES = ("instrumented", "numpy")

Line = tuple[str, int]
"""A file and a line in it; the line is 0 where there is none."""


class EscapeSite(NamedTuple):
    """One way out at one line, in one layer and phase."""

    how: str
    file: str
    line: int
    layer: str
    phase: str


class Escapes:
    """Every way out that was taken: calls and bytes per site, in order of first use.

    Args:
        line_of_user: returns the file and line that an escape is booked on.
    """

    def __init__(self, line_of_user: Callable[[], Line]) -> None:
        self.sites: dict[EscapeSite, list[int]] = {}
        self._line_of_user = line_of_user

    def note(self, how: str, layer: str, phase: str, nbytes: int) -> list[int]:
        """Add one value of ``nbytes`` that left; return calls and bytes of its site, to go on."""
        site = EscapeSite(how, *self._line_of_user(), layer, phase)
        tally = self.sites.setdefault(site, [0, 0])
        tally[0] += 1
        tally[1] += nbytes
        return tally


def calling_line() -> Line:
    """Return the innermost line being run that belongs neither to NumPy nor to the instrument."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in OWN_PACKAGES:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return "", 0
