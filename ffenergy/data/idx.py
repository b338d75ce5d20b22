"""The IDX file format of MNIST, for unsigned bytes.

A file is two zero bytes, a type byte (8: unsigned byte), the number of dimensions, each dimension
as a big-endian 32-bit integer, then the values in C order (Y. LeCun, "The MNIST database").
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib

import numpy as np

from ffenergy.data.dataset import Bytes
from ffenergy.errors import DataError

_UNSIGNED_BYTE = 8
_GZIP_MAGIC = b"\x1f\x8b"
_REMEDY = "replace the file with an undamaged copy"


def decompress(data: bytes, origin: str, most: int) -> bytes:
    """Return `data` without its gzip layer, if it has one; `origin` names the file in errors.

    No more than `most` bytes are unpacked. Raises DataError.
    """
    if not data.startswith(_GZIP_MAGIC):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            plain = stream.read(most + 1)
    except EOFError:
        raise DataError(f"{origin}: the gzip data ends early; {_REMEDY}") from None
    except (OSError, zlib.error) as error:
        raise DataError(f"{origin}: the gzip data is corrupt ({error}); {_REMEDY}") from None
    if len(plain) > most:
        raise DataError(f"{origin}: the gzip data unpacks to more than {most:,} bytes; {_REMEDY}")
    return plain


def decode(data: bytes, origin: str, ndim: int) -> Bytes:
    """Parse an uncompressed IDX file of unsigned bytes with `ndim` dimensions.

    Returns a read-only view of `data`, uint8.

    Raises:
        DataError: another magic number, or fewer or more bytes than the header announces.
    """
    expected = bytes((0, 0, _UNSIGNED_BYTE, ndim))
    header = 4 + 4 * ndim
    if len(data) < header:
        raise DataError(
            f"{origin}: truncated, {len(data)} bytes are less than a header of {header}; {_REMEDY}"
        )
    if data[:4] != expected:
        raise DataError(
            f"{origin}: magic number 0x{data[:4].hex()} where 0x{expected.hex()} belongs,"
            f" so this is not the IDX file its name says; {_REMEDY}"
        )
    shape = struct.unpack_from(f">{ndim}I", data, 4)
    size, promised = len(data) - header, math.prod(shape)
    if size < promised:
        raise DataError(
            f"{origin}: truncated, {size} of the {promised} values that the header"
            f" announces; {_REMEDY}"
        )
    if size > promised:
        raise DataError(
            f"{origin}: {size - promised} trailing bytes after the {promised} values that the"
            f" header announces; {_REMEDY}"
        )
    try:
        return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
    except ValueError as error:  # no values, in dimensions too large for an array
        raise DataError(f"{origin}: {error}; {_REMEDY}") from None


def size(shape: tuple[int, ...]) -> int:
    """Return the bytes of an uncompressed IDX file of unsigned bytes."""
    return 4 + 4 * len(shape) + math.prod(shape)


def encode(array: Bytes) -> bytes:
    """Return the uncompressed IDX file of a uint8 `array` of any shape."""
    magic = bytes((0, 0, _UNSIGNED_BYTE, array.ndim))
    return magic + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
