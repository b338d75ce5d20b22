"""What of Python's and NumPy's own reads numbers and bytes in C, where no number can notice."""

from __future__ import annotations

import hashlib
import io
from pickle import PickleBuffer
from types import FunctionType, MethodDescriptorType, MethodWrapperType, WrapperDescriptorType
from typing import Any

import numpy as np

READERS = frozenset(
    """
    array base64 binascii bz2 cmath csv ctypes datetime decimal fractions gzip hashlib hmac io json
    json.encoder locale lzma marshal math multiprocessing.connection pathlib pickle random re shelve
    socket statistics struct tempfile uuid wave zipfile zlib
    """.split()
)
"""Modules whose functions and types read numbers in ways that no number can notice."""

SEEDED = (np.random.BitGenerator, np.random.RandomState, np.random.SeedSequence)
"""Types that take a seed, some of them asking it twice."""

TAKE_BYTES = frozenset(
    {
        *(memoryview, bytearray, io.BytesIO, np.ndarray, np.nditer),
        *(hashlib.blake2b, hashlib.blake2s, PickleBuffer),
    }
)
"""Types that look into the memory of what they are made of."""

READ_BY_METHODS = (float, int, complex, np.generic, bytes, bytearray, memoryview)
"""Types whose methods, taken from the type, read the number or the bytes that they are given."""

READING = (MethodDescriptorType, MethodWrapperType, WrapperDescriptorType)
"""Types of their methods, taken from the type or from a number: ``(1.0).__add__``."""


def takes_plain(kind: type, made_by: Any) -> bool:
    """Return whether what makes a type, or a C type of the script's, takes numbers or bytes."""
    if kind in TAKE_BYTES or issubclass(kind, np.generic):
        return True
    is_users = type(made_by) is FunctionType
    return not is_users and (type(kind).__module__ == "_ctypes" or issubclass(kind, SEEDED))
