"""Subnormal numbers count as zero while training.

A weight that nothing but decay moves, and the moments of a gradient that has become zero, shrink
until float32 can hold them only as subnormal numbers (below 1.2e-38). They are worth nothing to the
result, but x86 processors take 10 to 100 times as long over them (benchmarks/subnormals.py). The
processor can be told to take them as zero, in its control register MXCSR, which the C library keeps
in its floating-point environment (fenv.h).

Elsewhere than on x86-64 Linux nothing is changed: training is slower there, not different.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FLUSH: Final = 0x8040
"""MXCSR's bits 15 (results that would be subnormal are zero) and 6 (so are operands)."""
ENVIRONMENT: Final = 32  # bytes of fenv_t
MXCSR: Final = 28  # where in it MXCSR is


@contextmanager
def flushed() -> Iterator[None]:
    """Take subnormal numbers as zero in this thread until the block ends."""
    before = _exchange(FLUSH)
    try:
        yield
    finally:
        _exchange(before)


def _exchange(bits: int) -> int:
    """Set the two bits of MXCSR to ``bits``; return what they were, 0 where there are none."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return 0
    library = ctypes.CDLL(None)  # Python's own process, which has the C library's mathematics
    environment = ctypes.create_string_buffer(ENVIRONMENT)
    if library.fegetenv(environment):
        return 0
    (register,) = struct.unpack_from("<I", environment, MXCSR)
    struct.pack_into("<I", environment, MXCSR, register & ~FLUSH | bits)
    library.fesetenv(environment)
    return int(register & FLUSH)
