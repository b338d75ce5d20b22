"""The four IDX files in a folder: found, read, written."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ffenergy.data import idx
from ffenergy.data.catalogue import IdxFile
from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError
from ffenergy.files import atomic

OVERHEAD: Final = 2**16  # of gzip, on what cannot be compressed; the rest of a file is not read


def find(folder: Path, files: Mapping[str, IdxFile]) -> dict[str, Path]:
    """Return the path of each of `files` in `folder`, under either name style, `.gz` or not.

    Raises:
        DataError: the folder or one of the files is not there.
    """
    if not folder.is_dir():
        what = "a file, not a folder" if folder.exists() else "no such folder"
        raise DataError(f"{folder}: {what}; name the folder that holds the IDX files")
    found: dict[str, Path] = {}
    for array, file in files.items():
        present = (folder / name for name in file.names())
        path = next((path for path in present if path.is_file()), None)
        if path is None:
            raise DataError(
                f"{folder}: {file.file}[.gz] is missing; put it there or name another folder"
            )
        found[array] = path
    return found


def read(folder: Path, files: Mapping[str, IdxFile]) -> dict[str, Bytes]:
    """Read and check all `files` from `folder`; uint8 arrays, read-only.

    Raises:
        DataError: a file is missing, unreadable, damaged, or has a wrong checksum.
    """
    arrays: dict[str, Bytes] = {}
    for array, path in find(folder, files).items():
        try:
            with path.open("rb") as stream:
                data = stream.read(idx.size(files[array].shape) + OVERHEAD)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{path}: cannot be read ({reason}); check its permissions") from None
        arrays[array] = files[array].read(data, str(path))
    return arrays


def write(folder: Path, files: Mapping[str, IdxFile], arrays: Mapping[str, Bytes]) -> None:
    """Write `arrays` as gzip-compressed IDX files into `folder`, each atomically.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for array, file in files.items():
        data = gzip.compress(idx.encode(arrays[array]), compresslevel=6, mtime=0)
        atomic.write_bytes(folder / f"{file.file}.gz", data)
