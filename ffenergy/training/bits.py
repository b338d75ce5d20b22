"""What decides the bits of a training, beside its settings and its data.

A product of matrices is summed in another order by another BLAS library, another kernel of it or
another number of threads; NumPy's own loops differ by what the processor can do. And training takes
subnormal numbers as zero where it can.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

import numpy as np
import threadpoolctl

FLUSH: Final = 0x8040
"""MXCSR's bits 15 (results that would be subnormal are zero) and 6 (so are operands)."""
ENVIRONMENT: Final = 32  # bytes of fenv_t
MXCSR: Final = 28  # where in it MXCSR is


def deciding() -> dict[str, str]:
    """Return versions, BLAS library, its kernels and threads, and the processor's instructions."""
    blas = [pool for pool in threadpoolctl.threadpool_info() if pool.get("user_api") == "blas"]
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    return {
        "ffenergy": version("ffenergy"),
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "NumPy": np.__version__,
        "BLAS": "; ".join(f"{p.get('internal_api')} {p.get('version')}" for p in blas),
        "BLAS kernels": "; ".join(str(p.get("architecture")) for p in blas),
        "BLAS threads": "; ".join(str(p.get("num_threads")) for p in blas),
        "machine": platform.machine(),
        "SIMD": " ".join([*simd["baseline"], *simd["found"]]),
    }


def blas_threads(had: Mapping[str, str]) -> int | None:
    """Return the number of threads in what decided; None if it names none, or several."""
    numbers = set(had.get("BLAS threads", "").split("; "))
    only = numbers.pop() if len(numbers) == 1 else ""
    return int(only) if only.isdecimal() else None


def difference(had: Mapping[str, str], has: Mapping[str, str]) -> str:
    """Say in a few words how what decided differs from what decides now; empty if it does not."""
    names = [name for name in {**had, **has} if had.get(name) != has.get(name)]
    return ", ".join(f"{name} {had.get(name)}, now {has.get(name)}" for name in names)


@contextmanager
def flushed() -> Iterator[None]:
    """Take subnormal numbers as zero in this thread until the block ends.

    A weight that nothing but decay moves, and the moments of a gradient that has become zero,
    shrink until float32 can hold them only as subnormal numbers (below 1.2e-38). They are worth
    nothing to the result, but x86 processors take 10 to 100 times as long over them
    (benchmarks/subnormals.py). The processor can be told to take them as zero, in its control
    register MXCSR, which the C library keeps in its floating-point environment (fenv.h).

    Elsewhere than on x86-64 Linux nothing is changed: training is slower there, not different.
    """
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
