"""A folder of files that change together, each known by its checksum.

One document in it (JSON, such as `run.json`) names every file that was written, with its SHA-256,
and ends with a seal of its own. So readers tell a file that was damaged, and what is removed is
what is named.

New contents are staged beside their places; then the document that names them is replaced, which
is the moment of the change; then they are moved in. Killed before it, nothing has changed. Killed
after it, readers find what is staged, and whoever locks the folder next moves it in.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from ffenergy import machine_memory
from ffenergy.files.atomic import UNFINISHED, is_unfinished, sweep, write_bytes, write_text
from ffenergy.files.documents import check, check_seal, parse_json, read_text, sealed
from ffenergy.files.locks import LOCK, held, is_held

FILES: Final = "files"
"""Key of a document: names of the files that were written, each with its SHA-256."""
STAGED: Final = f".staged{UNFINISHED}"


class ChangedError(ValueError):
    """A file is not as it was written."""


class StrangerError(Exception):
    """A file of that name is there and nobody recorded it as his own."""


class Folder:
    """The folder at `path`, whose files the JSON file called `document` records."""

    def __init__(self, path: Path, document: str) -> None:
        self.path, self.document = path, document

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from changing the folder, which is made if need be.

        What a process that was killed left half done is done, and its litter is removed.

        Raises HeldError, and OSError.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with held(self.path / LOCK):
            self._settle()
            yield

    @property
    def is_locked(self) -> bool:
        """Whether some process holds the lock."""
        return is_held(self.path / LOCK)

    def recorded(self) -> dict[str, str] | None:
        """Names of the files that were written, each with its SHA-256; none without a document.

        Return None for a document that records nothing: one of an earlier version.

        Raises OSError, and ValueError for one that is damaged.
        """
        try:
            document = parse_json(read_text(self.path / self.document))
        except FileNotFoundError:
            return {}
        check(document, {f"{FILES}?": {str: str}})
        check_seal(document, needed=FILES in document)
        names: dict[str, str] | None = document.get(FILES)
        check_names(names or ())
        return names

    def change(
        self,
        document: Mapping[str, Any],
        contents: Mapping[str, bytes],
        gone: Collection[str] = (),
    ) -> None:
        """Write `contents` by name and the document, all or nothing; other files stay recorded.

        Those called `gone` are removed before, so that none is ever there unrecorded.

        Raises:
            StrangerError: one of the names is taken by a file that was not written here.
            OSError, ValueError: the folder cannot be written, or its document not be read.
        """
        recorded = self.recorded()
        for name in contents:
            if recorded is not None and name not in recorded and (self.path / name).exists():
                raise StrangerError(name)
        digests = {name: digest_of(content) for name, content in contents.items()}
        try:
            for name, content in contents.items():
                self._stage(name, digests[name], content)
            for name in (kept := dict(recorded or {})).keys() & set(gone):
                (self.path / name).unlink(missing_ok=True)
                del kept[name]
            written = {**document, FILES: {**kept, **digests}}
            write_text(self.path / self.document, sealed(written))
        except BaseException:
            with suppress(OSError):
                self._settle()
            raise
        for name, digest in digests.items():
            self._staged(name, digest).replace(self.path / name)

    def content(self, name: str, digest: str | None) -> bytes:
        """Return what the file holds.

        Raises ChangedError if its SHA-256 is not `digest` (None: not known), and OSError.
        """
        found = b""
        missing: OSError | None = None
        try:
            found = _read(self.path / name)
        except FileNotFoundError as error:
            missing = error
        if missing is None and digest in (None, digest_of(found)):
            return found
        if digest is not None:
            with suppress(FileNotFoundError):
                staged = _read(self._staged(name, digest))
                if digest_of(staged) == digest:
                    return staged
        if missing is not None:
            raise missing
        raise ChangedError(
            f"it was changed since it was written (its checksum is not that in {self.document})"
        )

    def strangers(self, own: Collection[str]) -> list[str]:
        """Names of what is there beside the record, the names in `own`, locks and litter.

        Raises OSError, and ValueError if the document is damaged.
        """
        known = {self.document, LOCK, *own, *(self.recorded() or ())}
        there = (path for path in self.path.iterdir() if not is_unfinished(path))
        return sorted(path.name for path in there if path.name not in known)

    def clear(self) -> None:
        """Remove what is recorded, the document last. Raises OSError, and ValueError."""
        for name in self.recorded() or ():
            (self.path / name).unlink(missing_ok=True)
        (self.path / self.document).unlink(missing_ok=True)

    def _stage(self, name: str, digest: str, content: bytes) -> None:
        try:
            write_bytes(self._staged(name, digest), content)
        except OSError as error:
            error.filename = str(self.path / name)
            raise

    def _staged(self, name: str, digest: str) -> Path:
        return self.path / f".{name}.{digest[:16]}{STAGED}"

    def _settle(self) -> None:
        """Move in what is recorded and still staged; remove all else that writers left."""
        try:
            recorded = self.recorded() or {}
        except (OSError, ValueError):
            return  # whoever reads the document says what is wrong with it
        for name, digest in recorded.items():
            with suppress(FileNotFoundError):
                self._staged(name, digest).replace(self.path / name)
        sweep(self.path)


def _read(path: Path) -> bytes:
    """Read a file that fits in memory; raises OSError, and ValueError for one that does not."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > machine_memory.most():
            raise ValueError(f"it has {size:,} bytes, more than may be used (--max-memory)")
        return stream.read()


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's contents in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def check_names(names: Collection[str]) -> None:
    """Raise ValueError if a name is not that of a file in the folder itself."""
    for name in names:
        if not name or name.startswith(".") or {*name} & {"/", "\\", "\0", os.sep}:
            raise ValueError(f"{FILES} has {name!r}, which is no name of a file")
