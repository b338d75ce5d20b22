"""Memory: how much there is, and the refusal of what asks for more.

Sizes are known before anything is allocated, so what cannot fit is refused in one line, instead of
running until the system ends it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Final

from ffenergy.errors import SettingsError

UNITS: Final = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
UNITS_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
PATTERN: Final = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?([KMGT]i?|)B?")
CGROUPS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
MOST_CELLS: Final = 100_000
"""Combinations that one sweep may have; each becomes a row, most of them a file."""

_most: ContextVar[int | None] = ContextVar("most", default=None)


def most() -> int:
    """Bytes that may be used: what was said with `limited`, or the memory of this machine."""
    said = _most.get()
    return here() if said is None else said


@contextmanager
def limited(nbytes: int | None) -> Iterator[None]:
    """Within the block, let `nbytes` be what may be used; None: the memory of this machine."""
    token = _most.set(nbytes)
    try:
        yield
    finally:
        _most.reset(token)


def here() -> int:
    """Bytes of memory of this machine, or of the container that this process runs in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in CGROUPS:
        with suppress(OSError, ValueError):  # "max" is no number
            found.append(int(Path(path).read_text(encoding="ascii")))
    return min(found)


def parsed(text: str) -> int:
    """Read a number of bytes such as 8GB, 500M or 2GiB; raises SettingsError."""
    found = PATTERN.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise SettingsError(f"--max-memory is {text!r}; write a number of bytes, such as 8GB")
    return int(float(found[1]) * (UNITS | UNITS_BINARY)[found[2]])


def check(nbytes: int, what: str, remedy: str) -> None:
    """Raise SettingsError if `what` needs more than may be used; `remedy` says what to lower."""
    if nbytes > most():
        raise SettingsError(
            f"{what} needs at least {told(nbytes)} of memory, and {told(most())} may be used; "
            f"{remedy}, or say with --max-memory how much there is"
        )


def check_cells(count: int, place: str) -> None:
    """Raise SettingsError if a sweep has more combinations than one may have."""
    if count > MOST_CELLS:
        raise SettingsError(
            f"{place} has {count:,} combinations, of at most {MOST_CELLS:,}; make several sweeps"
        )


def told(nbytes: int) -> str:
    """Return a number of bytes with three digits, in decimal units."""
    for unit in ("T", "G", "M", "K"):
        if nbytes >= UNITS[unit]:
            return f"{nbytes / UNITS[unit]:.3g} {unit.lower() if unit == 'K' else unit}B"
    return f"{nbytes} B"
