"""Tables and named arrays as the contents of files, and back."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

ENDING: Final = ".npy"
HEADERS: Final = {(1, 0): np.lib.format.read_array_header_1_0}
HEADERS[2, 0] = np.lib.format.read_array_header_2_0


def as_csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV; floats keep every digit."""
    text: str = table.to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8", "backslashreplace")


def from_csv(content: bytes) -> pd.DataFrame:
    """Read a table. Raises ValueError with a reason in one line."""
    try:
        return pd.read_csv(io.BytesIO(content), engine="python")  # its floats are exact
    except (ValueError, OverflowError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(" ".join(str(error).split())) from None


def as_npz(arrays: Mapping[str, np.ndarray], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return named arrays as an archive, byte for byte that of `np.savez`.

    Raises ValueError for arrays of Python objects, which `np.savez` would pickle: an older NumPy
    takes its `allow_pickle` for the name of one more array.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}{ENDING}", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return stream.getvalue()


def from_npz(content: bytes | memoryview, most: float = math.inf) -> dict[str, np.ndarray]:
    """Read an archive of arrays of numbers or text; nothing is unpickled.

    The sizes that it announces are added up before anything is unpacked.

    Raises ValueError, with a reason in one line, if it is damaged or holds more than `most` bytes.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > most:
                raise ValueError(f"it unpacks to {total:,} bytes, of at most {most:,.0f}")
            return {
                member.filename.removesuffix(ENDING): _array(archive.read(member))
                for member in members
            }
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(" ".join(str(error).split())) from None


def _array(content: bytes) -> np.ndarray:
    """Read one array, if its header announces exactly the bytes that are there."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        shape, _, dtype = HEADERS[version](stream)
        announced, there = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
        if dtype.hasobject:
            raise ValueError("an array holds Python objects, which are not read")
        if announced != there:
            raise ValueError(f"an array of {announced:,} bytes has {there:,}")
        stream.seek(0)
        found: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, TypeError, KeyError, SyntaxError, OverflowError) as error:
        raise ValueError(f"an array is damaged: {' '.join(str(error).split())}") from None
    return found
