"""What decides the bits of a training, beside its settings and its data.

A product of matrices is summed in another order by another BLAS library, another kernel of it or
another number of threads; NumPy's own loops differ by what the processor can do.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np
import threadpoolctl


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
