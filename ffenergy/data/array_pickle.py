"""Pickled NumPy arrays read without running anything that the pickle asks for.

A pickle is a program that may call any importable function. This reader knows three names, those
with which NumPy 1 rebuilds an array, and refuses the rest.
"""

from __future__ import annotations

import pickle
import zlib
from typing import Any, BinaryIO, Final

import numpy as np

from ffenergy.errors import DataError

_NDARRAY: Final = object()  # stands for the class, which the pickle may name but never call


def _reconstruct(kind: object, shape: object, typecode: object) -> np.ndarray[Any, Any]:
    if kind is not _NDARRAY or shape != (0,) or typecode != "b":
        raise pickle.UnpicklingError("an array is not rebuilt the way NumPy does")
    return np.empty(0, np.int8)


def _dtype(code: object, align: object, copy: object) -> np.dtype[Any]:
    if code not in ("f4", "i8"):
        raise pickle.UnpicklingError(f"dtype {code!r} is not expected")
    return np.dtype(str(code), copy=True)  # a copy: the pickle then sets its byte order


_ALLOWED: Final[dict[tuple[str, str], object]] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _dtype,
}
_DAMAGE = (
    *(pickle.UnpicklingError, EOFError, OSError, zlib.error, MemoryError, RecursionError),
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
)


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def load(stream: BinaryIO, origin: str) -> object:
    """Read one pickle of nested tuples or lists of float32 and int64 arrays, written by Python 2.

    Raises:
        DataError: the stream asks for anything but arrays, or is damaged.
    """
    try:
        return _ArrayUnpickler(stream, encoding="latin1").load()
    except _DAMAGE as error:
        raise DataError(f"{origin}: refused, not a pickle of plain arrays ({error})") from None
