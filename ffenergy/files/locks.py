"""Locks between processes: held by one at a time, freed by the system when their holder dies.

The file of a lock stays where it is: unlinked, it would be held by the process that has it open
and by the one that makes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

LOCK: Final = ".lock"
PATIENCE: Final = 0.2  # seconds, so that one who only looks whether a lock is held keeps nobody out


class HeldError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock that is the file `path`.

    Raises HeldError if another process has it for `patience` seconds, and OSError if the file
    cannot be made.
    """
    lock = FileLock(path)
    try:
        lock.acquire(timeout=patience, poll_interval=PATIENCE / 10)
    except Timeout:
        raise HeldError(path) from None
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock, as far as can be seen: one that is denied counts."""
    if not path.exists():
        return False
    try:
        with held(path, PATIENCE / 2):
            return False
    except (HeldError, PermissionError):
        return True
    except OSError:  # on a medium that nobody can write to
        return False
