"""What one element of every NumPy ufunc costs in arithmetic (docs/metric.md §3 "Arithmetic").

Behaviour as data: each ufunc stands in exactly one of the tables below, or is refused by name.
What a version of NumPy lacks is skipped; the completeness test holds the tables against its list.
"""

from __future__ import annotations

import sys

import numpy as np

from instrumented.books.counters import NO_WORK, Work
from instrumented.errors import UncountedOperationError

ONE_ADD = Work(add=1)
ONE_MULTIPLY = Work(multiply=1)
ONE_SPECIAL = Work(special=1)

ADDER_UFUNCS = """
    add subtract negative absolute fabs sign maximum minimum fmax fmin heaviside
    equal not_equal less less_equal greater greater_equal
    logical_and logical_or logical_xor logical_not
    bitwise_and bitwise_or bitwise_xor invert left_shift right_shift bitwise_count
    isnan isinf isfinite isnat signbit copysign nextafter spacing
    rint floor ceil trunc conjugate frexp
""".split()
"""One operation of an adder: sums, comparisons, selections, bit logic, rounding."""

MULTIPLIER_UFUNCS = "multiply square ldexp deg2rad rad2deg degrees radians".split()
"""One multiplication."""

SPECIAL_UFUNCS = """
    divide floor_divide remainder fmod reciprocal modf gcd lcm
    power float_power sqrt cbrt exp exp2 expm1 log log2 log10 log1p logaddexp logaddexp2
    sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh hypot
""".split()
"""One division, root, exponential, logarithm or other function not done by an adder."""

COPYING_UFUNCS = "positive real imag".split()
"""Moves bytes and computes nothing."""

BEHIND_FUNCTIONS = frozenset("clip real imag".split())
"""Ufuncs whose names in numpy are functions around them."""

CONTRACTION_UFUNCS = "matmul vecdot matvec vecmat".split()
"""Sums of products: 2 flops per multiply-add, counted from the core dimensions."""

ODD_UFUNCS: dict[str, Work] = {
    "divmod": Work(special=2),  # a quotient and a remainder
    "clip": Work(add=2),  # one comparison with each bound
}

REFUSED_UFUNCS = """
    endswith find index isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle
    isupper rfind rindex startswith str_len count
    _center _expandtabs _expandtabs_length _ljust _lstrip_chars _lstrip_whitespace
    _partition _partition_index _replace _rjust _rpartition _rpartition_index _rstrip_chars
    _rstrip_whitespace _slice _strip_chars _strip_whitespace _zfill
    _ones_like
""".split()
"""String functions, whose operands have no fixed width in bytes, and NumPy internals."""


def _tables() -> dict[str, Work]:
    cost: dict[str, Work] = {}
    for names, work in (
        (ADDER_UFUNCS, ONE_ADD),
        (MULTIPLIER_UFUNCS, ONE_MULTIPLY),
        (SPECIAL_UFUNCS, ONE_SPECIAL),
        (COPYING_UFUNCS, NO_WORK),
    ):
        for name in names:
            if name in cost:
                raise ValueError(f"ufunc {name!r} stands in two tables of ufunc_work")
            cost[name] = work
    for name, work in ODD_UFUNCS.items():
        if name in cost:
            raise ValueError(f"ufunc {name!r} stands in two tables of ufunc_work")
        cost[name] = work
    return cost


def _ufunc(name: str) -> np.ufunc | None:
    """Return NumPy's ufunc of a name; None where this version of NumPy has none."""
    owner = sys.modules["numpy._core.umath"] if name in BEHIND_FUNCTIONS else np
    found = getattr(owner, name, None)
    if found is not None and not isinstance(found, np.ufunc):
        raise TypeError(f"numpy.{name} is not a ufunc; mend the tables of ufunc_work")
    return found


ELEMENT_WORK = {name: work for name, work in _tables().items() if _ufunc(name) is not None}
"""ufunc name -> Work of one result element."""

_WORK_OF = {_ufunc(name): work for name, work in ELEMENT_WORK.items()}

CONTRACTIONS = frozenset(
    found for name in CONTRACTION_UFUNCS if (found := _ufunc(name)) is not None
)
"""Ufuncs that sum products."""


def has_work(ufunc: np.ufunc) -> bool:
    """Return whether a ufunc is in the tables above."""
    return ufunc in _WORK_OF


def element_work(ufunc: np.ufunc, method: str = "") -> Work:
    """Return the arithmetic of one result element.

    Raises:
        UncountedOperationError: the ufunc is not in the tables above.
    """
    work = _WORK_OF.get(ufunc)  # by the object: foreign ufuncs may borrow a name of NumPy's
    if work is None:
        name = getattr(ufunc, "__name__", repr(ufunc)) + (method and f".{method}")
        raise UncountedOperationError(
            f"ufunc {name!r} has no traffic rule; NumPy's own are counted by the tables in "
            "instrumented/rules/ufunc_work.py, others are not"
        )
    return work
