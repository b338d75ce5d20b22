"""What a table of the report is made of: columns with name, unit, format and meaning; cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from ffenergy.report.numbers import Form, exact, fixed, prefixed, words
from ffenergy.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    PART_COLOURS,
    PART_NAMES,
    PHASE_COLOURS,
    ROLE_COLOURS,
    short_name,
)


@dataclass(frozen=True)
class Column:
    """A column: its name in CSV, its heading, its unit, how it is shown, and what it means.

    Columns of one ``family`` share their prefix and their decimals.
    """

    name: str
    heading: str
    unit: str = ""
    form: Form = words()  # noqa: RUF009  # a function without state
    meaning: str = ""
    family: str = ""
    number: bool = True
    colours: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True)
class TableCell:
    """A cell: what is shown, the exact value as its CSV file has it, and a colour swatch."""

    text: str
    value: str
    colour: str = ""


@dataclass(frozen=True)
class Table:
    """A table ready to print: ``rows`` of cells, and ``foot``, a row that sorting leaves last.

    ``source`` names the CSV files that its numbers come from.
    """

    name: str
    caption: str
    source: str
    columns: tuple[Column, ...]
    headings: list[str]
    rows: list[list[TableCell]]
    foot: list[TableCell] = field(default_factory=list)

    @property
    def lines(self) -> list[list[TableCell]]:
        """The rows, and the foot if there is one."""
        return [*self.rows, *([self.foot] if self.foot else [])]


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
        texts, unit = column.form(own, column.unit, family)
        headings.append(f"{column.heading}, {unit}" if unit else column.heading)
        shown.append(
            [
                TableCell(text, exact(value), column.colours(str(value)))
                for text, value in zip(texts, own, strict=True)
            ]
        )
    rows = [list(row) for row in zip(*shown, strict=True)]
    last = rows.pop() if foot else []
    return Table(name, caption, source, tuple(columns), headings, rows, last)


UNITS: Final = {"joules": "J", "macs": "MAC"}
_NAMED: Final = (
    (
        "accounting",
        "reading",
        "eager: every operation streams; fused: a kernel a group",
    ),
    ("scenario", "scenario", "as it runs; well built; the least that any program needs"),
    ("reading", "reading", "eager, deferred (fused, normalisation carried along), or a bound"),
    ("memory", "memory", "what levels and energies are of: cache, scratchpad, managed"),
    ("order", "order", "of computation: step-major, layer-major, layer by layer"),
    ("groups", "groups", "layers that a batch passes in one go, such as 1|2-3"),
    ("note", "note", "the bound, or what the rule does not have"),
    ("layer", "layer", "input, layer1 … layerN, head"),
    ("stage", "stage", "what was trained: layers, network or head"),
    ("step", "step", "kind of step: train, train-short (the last batch), evaluate, …"),
    ("operation", "operation", "NumPy's name of the operation"),
    ("reached", "reached", "whether the error was reached"),
    ("dataset", "data", "name of the data set"),
    ("profile", "profile", "hardware profile of the energies"),
)
_BYTES: Final = (
    ("bytes", "bytes", "read and written, of everything traced"),
    (
        "off_chip_bytes",
        "off the chip",
        "bytes beyond the largest memory on the chip, all fetches of products",
    ),
    ("on_chip_bytes", "on-chip memory", "the largest memory on the chip"),
    ("bytes_read", "read", "read"),
    ("bytes_written", "written", "written"),
    ("training_bytes_read", "read", "read by the training steps up to there"),
    ("training_bytes_written", "written", "written by the training steps up to there"),
    ("layer_bytes_without", "layer without it", "what the layer moves with normalisation gone"),
    ("peak_live_bytes", "peak live memory", "most bytes alive at once in a training step"),
    ("peak_activation_bytes", "of it activations", "most bytes of activations alive at once"),
    ("cumulative_bytes_read", "read so far", "read since the start"),
    ("cumulative_bytes_written", "written so far", "written since the start"),
)
_SHARES: Final = (
    ("share_of_layer_energy", "of the layer's energy", "share of all energy of the layer"),
    ("share_of_total_energy", "of the run's energy", "share of all energy of the algorithm"),
    ("share_of_layer_bytes", "of the layer's bytes", "share of all bytes of the layer"),
    ("share_of_total_bytes", "of the run's bytes", "share of all bytes of the algorithm"),
    ("normalize_energy_share", "L2 normalisation, of energy", "share of L2 normalisation"),
    ("normalize_bytes_share", "L2 normalisation, of bytes", "share of L2 normalisation"),
)
_ENERGIES: Final = (
    ("energy_compute", "compute", "estimated energy of arithmetic"),
    ("energy_movement", "movement", "estimated energy of moving bytes"),
    ("energy", "energy", "estimated energy of arithmetic and movement"),
    ("training_energy", "energy", "estimated energy of the training steps up to there"),
    ("layer_energy_without", "layer without it", "energy of the layer with normalisation gone"),
)
_FIXED: Final = (
    ("test_error", "test error", "%", 2, "test images told wrong"),
    ("train_error", "training error", "%", 2, "training images told wrong"),
    ("target_error", "target", "%", 1, "error to be reached"),
    ("commute_to_compute", "commute ÷ compute", "", 2, "energy of movement over that of compute"),
    ("wall_seconds", "wall time", "s", 1, "seconds that the training took on this machine"),
    ("loss", "loss", "nats", 4, "training loss, per case"),
    ("bytes_per_flop", "bytes per flop", "", 3, "bytes read and written over flops"),
)


def _known() -> dict[str, Column]:
    found = [Column(name, heading, meaning=told, number=False) for name, heading, told in _NAMED]
    found.append(Column("epoch", "epoch", meaning="counted from 1"))
    found.append(Column("in_flight", "in flight", meaning="batches between two groups of layers"))
    found += [
        Column(name, heading, "B", prefixed(), told, "memory" if "peak" in name else "bytes")
        for name, heading, told in _BYTES
    ]
    found += [Column(name, heading, "%", fixed(1, 0.01), told) for name, heading, told in _SHARES]
    found += [
        Column(name, heading, unit, fixed(decimals), told)
        for name, heading, unit, decimals, told in _FIXED
    ]
    found += [
        Column(name, "arithmetic", "flop", prefixed(), told)
        for name, told in (("flops", "flops"), ("cumulative_flops", "flops since the start"))
    ]
    found += [
        Column(f"bytedmd_{grain}", f"ByteDMD, {grain} grain", "", prefixed(), told)
        for grain, told in (
            ("operation", "Σ ⌈√distance⌉ of all bytes read, an array operation at a time"),
            ("tile", "Σ ⌈√distance⌉ of all bytes read, in tiles of 16 × 16 × 16"),
        )
    ]
    for unit, symbol in UNITS.items():
        for bare, heading, told in _ENERGIES:
            name = f"{bare}_{unit}"
            if bare == "layer_energy_without":
                name = f"layer_energy_{unit}_without"
            found.append(Column(name, heading, symbol, prefixed(), told, "energy"))
    looks: tuple[tuple[str, Callable[[str], str], Mapping[str, str], str], ...] = (
        ("algorithm", lambda k: ALGORITHM_NAMES.get(k, k), ALGORITHM_COLOURS, "what was trained"),
        ("part", lambda k: PART_NAMES.get(k, k), PART_COLOURS, "part of the difference"),
        ("phase", str, PHASE_COLOURS, "phase of a step: forward, backward, normalize, …"),
        ("role", lambda k: k.replace("_", " "), ROLE_COLOURS, "what the bytes are"),
    )
    found += [
        Column(name, name, "", words(show), told, number=False, colours=_colour(colours))
        for name, show, colours, told in looks
    ]
    return {column.name: column for column in found}


def _colour(colours: Mapping[str, str]) -> Callable[[str], str]:
    return lambda key: colours.get(key, "")


KNOWN: Final = _known()
"""Every column of the CSV files that tables show, by its name there."""


def columns(names: Iterable[str]) -> list[Column]:
    """Several columns of CSV files by their names there. Raises KeyError for one without a look."""
    return [KNOWN[name] for name in names]


def columns_of(error_on: str, names: Iterable[str]) -> list[Column]:
    """The same of a run whose errors are on the images that ``error_on`` names."""
    error = f"{error_on} error"
    meaning = f"{error_on} images told wrong"
    return [
        replace(one, heading=error, meaning=meaning) if one.name == "test_error" else one
        for one in columns(names)
    ]


def amount(name: str, heading: str, unit: str, *, signed: bool = False) -> Column:
    """A column of quantities under a heading of its own; those of one unit share a prefix."""
    return Column(name, heading, unit, prefixed(signed=signed), family=unit)


def pair(algorithm: str, accounting: str) -> str:
    """Heading of a column that belongs to one algorithm under one accounting."""
    return f"{short_name(algorithm)} {accounting}"
