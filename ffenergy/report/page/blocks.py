"""What a page is made of: sections of tables and pictures, every number with its exact value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

MISSING: Final = "–"
PREFIXES: Final = ("p", "n", "µ", "m", "", "k", "M", "G", "T", "P", "E")
DIGITS: Final = 4
"""Significant digits of the largest number in a column; the others share its decimals."""


Show = Callable[[Sequence[Any], str, Sequence[Any]], tuple[list[str], str]]


@dataclass(frozen=True)
class Cell:
    """A cell: what is shown, the exact value as its CSV file has it, and a colour swatch."""

    text: str
    value: str
    colour: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in CSV, its heading, how a whole column is shown.

    ``show`` takes all values of the column, its heading and the values of its family, and gives
    texts and the heading with its unit. Columns of one family share their unit and decimals.
    """

    name: str
    heading: str
    show: Show
    number: bool = True
    family: str = ""
    colours: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True)
class Table:
    """A table ready to render: ``rows`` of cells, and ``foot``, a row that sorting leaves last.

    ``source`` names the CSV files its numbers come from.
    """

    name: str
    caption: str
    source: str
    columns: list[Column]
    headings: list[str]
    rows: list[list[Cell]]
    foot: list[Cell] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """A picture with its caption, alternative text and content as a data address."""

    name: str
    caption: str
    alt: str
    address: str


@dataclass(frozen=True)
class Section:
    """A part of the page; without data it says in one line what is missing."""

    name: str
    title: str
    lead: str = ""
    notes: list[str] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    more: list[Table] = field(default_factory=list)
    missing: str = ""


def table(
    name: str,
    caption: str,
    source: str,
    columns: Sequence[Column],
    frame: pd.DataFrame,
    foot: dict[str, Any] | None = None,
) -> Table:
    """Lay out the rows of `frame`, column by column; `foot` is one more row by column name."""
    shown, headings = [], []
    values = {c.name: [*frame[c.name], *([foot[c.name]] if foot else [])] for c in columns}
    for column in columns:
        own = values[column.name]
        alike = [c.name for c in columns if column.family and c.family == column.family]
        family = [value for name in alike for value in values[name]] or own
        texts, heading = column.show(own, column.heading, family)
        headings.append(heading)
        shown.append(
            [
                Cell(text, exact(value), column.colours(str(value)))
                for text, value in zip(texts, own, strict=True)
            ]
        )
    rows = [list(row) for row in zip(*shown, strict=True)]
    last = rows.pop() if foot else []
    return Table(name, caption, source, list(columns), headings, rows, last)


def exact(value: Any) -> str:
    """A value as its CSV file has it: every digit; nothing where it is missing."""
    if pd.isna(value):
        return ""
    if hasattr(value, "item"):
        value = value.item()
    return repr(value) if isinstance(value, (int, float)) else str(value)


def text(names: Callable[[str], str] = str) -> Show:
    """Show a column of words, each by `names`."""
    return lambda values, heading, _: (
        [names(str(value)) if not pd.isna(value) else MISSING for value in values],
        heading,
    )


def fixed(decimals: int, scale: float = 1.0) -> Show:
    """Show value / scale with fixed decimals."""
    return lambda values, heading, _: (
        [_decimal(value, scale, decimals, signed=False) for value in values],
        heading,
    )


def si(unit: str, *, signed: bool = False) -> Show:
    """Show a quantity with one SI prefix for the whole family, which stands in the heading."""

    def show(values: Sequence[Any], heading: str, family: Sequence[Any]) -> tuple[list[str], str]:
        known = [float(value) for value in family if not pd.isna(value)]
        largest = max(map(abs, known), default=0.0)
        power = math.floor(math.log10(largest) / 3) if largest else 0
        power = min(max(power, -4 if unit == "J" else 0), 6)
        prefix, scale = PREFIXES[power + 4], 1000.0**power
        before = math.floor(math.log10(largest / scale)) if largest else 0
        whole = power == 0 and all(value.is_integer() for value in known)
        decimals = 0 if whole else max(0, DIGITS - 1 - before)
        texts = [_decimal(value, scale, decimals, signed=signed) for value in values]
        return texts, f"{heading}, {prefix}{unit}"

    return show


def _decimal(value: Any, scale: float, decimals: int, *, signed: bool) -> str:
    """Fixed decimals; what is not zero but would look so is marked."""
    if pd.isna(value):
        return MISSING
    number = float(value) / scale
    if number == 0:
        return "0"
    if abs(number) < 0.5 * 10.0**-decimals:
        return "≈ 0"
    sign = "+" if signed else ""
    return f"{number:{sign},.{decimals}f}".replace("-", "−")
