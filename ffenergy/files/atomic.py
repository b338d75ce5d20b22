"""Whole files or none: every file is written beside its place and moved in by one rename."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

UNFINISHED: Final = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents become `path` when the block ends without an error.

    Until then a reader sees the old file or none. After an error the old file is untouched.
    """
    # random, since a process of the same number may have died here (in another container)
    temporary = path.with_name(f".{path.name}.{os.urandom(6).hex()}{UNFINISHED}")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # not the hidden one
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def is_unfinished(path: Path) -> bool:
    """Whether the file is one that a writer has not moved into its place."""
    return path.name.startswith(".") and path.name.endswith(UNFINISHED)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed left in `folder`; no one may be writing there now."""
    for path in folder.glob(f".*{UNFINISHED}"):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically."""
    with replacing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, newlines unchanged, to `path` atomically.

    Bytes of a file name that are no UTF-8, which Python reads as surrogates, become escapes.
    """
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """Return `text` as UTF-8, surrogates as escapes."""
    return text.encode("utf-8", "backslashreplace")
