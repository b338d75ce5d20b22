"""Every way in which a number becomes text: one place for digits, prefixes, signs and dashes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

MISSING: Final = "–"
DRAWN: Final = "90 % of draws of constants"
"""What an interval of a ratio of energies holds."""
PREFIXES: Final = ("p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E")
NONE: Final = PREFIXES.index("")
PREFIXED: Final = {"B": 0, "flop": 0, "J": -4, "MAC": 0}
"""Units that take a prefix, and the smallest they take, in powers of 1000."""
DIGITS: Final = 4
"""Significant digits of the largest number in a column; the others share its decimals."""

Form = Callable[[Sequence[Any], str, Sequence[Any]], tuple[list[str], str]]
"""Shows a whole column: its values, its unit, the values of its family → texts, unit shown."""


def figure(value: float, sign: str = "") -> str:
    """Three significant digits, all those of larger whole numbers; never an exponent."""
    if not value:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.3g}")))))
    return f"{value:{sign},.{decimals}f}".replace("-", "−")


def quantity(value: float, unit: str, sign: str = "") -> str:
    """A figure with its unit, under the prefix that leaves one to three digits: 8.64 TB."""
    if math.isnan(value):
        return "unknown"
    power = prefix_power(value, unit)
    return f"{figure(value / 1000.0**power, sign)} {PREFIXES[power + NONE]}{unit}"


def tick(value: float, unit: str) -> str:
    """A round quantity as short as it gets, for axes: 200 GB, 1 TB."""
    power = prefix_power(value, unit)
    return f"{value / 1000.0**power:g} {PREFIXES[power + NONE]}{unit}"


def number_of(count: int, noun: str) -> str:
    """How many there are of something: 1 seed, 3 seeds."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counted(few: int, many: int, noun: str) -> str:
    """The same where it is not always as many: 2–3 seeds."""
    return f"{'' if few == many else f'{few}–'}{number_of(many, noun)}"


def prefix_power(value: float, unit: str) -> int:
    """Power of 1000 of the prefix for a quantity; 0 where the unit takes none."""
    if not value or unit not in PREFIXED:
        return 0
    power = math.floor(math.log10(abs(float(f"{value:.3g}")))) // 3
    return min(max(power, PREFIXED[unit]), len(PREFIXES) - 1 - NONE)


def times(value: float) -> str:
    """A ratio: 1.82×."""
    return "an unknown multiple of" if math.isnan(value) else f"{value:.2f}×"


def between(low: float, high: float) -> str:
    """The ends of the interval of a ratio: 1.18–1.27."""
    return f"{low:.2f}–{high:.2f}"


def percent(share: float) -> str:
    """A share of one as percent: 7.1 %."""
    return "an unknown share" if math.isnan(share) else f"{100 * share:.1f} %"


def error_percent(value: float) -> str:
    """An error in percent: 1.59 %."""
    return "unknown" if math.isnan(value) else f"{value:.2f} %"


def memory_size(nbytes: float) -> str:
    """A size of a memory in binary units: 512 B, 16 KiB, 2.05 MiB."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if nbytes >= size:
            return f"{nbytes / size:.3g} {unit}"
    return f"{nbytes:.3g} B"


def exact(value: Any) -> str:
    """A value as its CSV file has it: every digit; nothing where it is missing."""
    if is_missing(value):
        return ""
    if hasattr(value, "item"):
        value = value.item()
    return repr(value) if isinstance(value, (int, float)) else str(value)


def is_missing(value: Any) -> bool:
    """Whether a cell is empty: None, NaN or pandas' NA."""
    return bool(pd.isna(value))


def words(names: Callable[[str], str] = str) -> Form:
    """Show a column of words, each by `names`."""
    return lambda values, unit, _: (
        [MISSING if is_missing(value) else names(str(value)) for value in values],
        unit,
    )


def fixed(decimals: int, scale: float = 1.0, *, signed: bool = False) -> Form:
    """Show value / scale with fixed decimals."""
    return lambda values, unit, _: (
        [decimal(value, scale, decimals, signed=signed) for value in values],
        unit,
    )


def prefixed(*, signed: bool = False) -> Form:
    """Show quantities with one SI prefix for the whole family, which stands before the unit."""

    def show(values: Sequence[Any], unit: str, family: Sequence[Any]) -> tuple[list[str], str]:
        known = [float(value) for value in family if not is_missing(value)]
        largest = max(map(abs, known), default=0.0)
        lowest = PREFIXED.get(unit, 0)
        power = math.floor(math.log10(largest) / 3) if largest else 0
        power = min(max(power, lowest), len(PREFIXES) - 1 - NONE)
        scale = 1000.0**power
        before = math.floor(math.log10(largest / scale)) if largest else 0
        whole = power == 0 and all(value.is_integer() for value in known)
        decimals = 0 if whole else max(0, DIGITS - 1 - before)
        texts = [decimal(value, scale, decimals, signed=signed) for value in values]
        return texts, f"{PREFIXES[power + NONE]}{unit}"

    return show


def decimal(value: Any, scale: float = 1.0, decimals: int = 2, *, signed: bool = False) -> str:
    """Fixed decimals of value / scale; what is not zero but would look so is marked."""
    if is_missing(value):
        return MISSING
    number = float(value) / scale
    if number == 0:
        return "0"
    if abs(number) < 0.5 * 10.0**-decimals:
        return "≈ 0"
    sign = "+" if signed else ""
    return f"{number:{sign},.{decimals}f}".replace("-", "−")
