"""A hardware profile: what an operation and a moved byte cost (docs/metric.md §10 "Energy")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

from ffenergy.energy.constant import Constant, EnergyUnit
from ffenergy.errors import PricingError

PICO = 1e-12


@dataclass(frozen=True, slots=True)
class Operations:
    """Energy of one addition, multiplication and special operation of one dtype."""

    add: Constant
    multiply: Constant
    special: Constant


@dataclass(frozen=True, slots=True)
class Level:
    """One memory level; the last of a profile has no capacity and serves all that is left.

    ``read_per_byte`` and ``write_per_byte`` are what a byte served here costs in the profile's
    energy unit: the level's own figure, and under increments those of all faster levels too.
    """

    name: str
    capacity: Constant | None
    read: Constant
    write: Constant
    read_per_byte: float
    write_per_byte: float

    @property
    def capacity_bytes(self) -> int | None:
        """Capacity in bytes; None for the last level."""
        return None if self.capacity is None else self.capacity.bytes()


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire model: byte d of the LRU stack lies ``distance_factor`` · √(d · area) mm away."""

    transport: Constant
    access_read: Constant
    access_write: Constant
    area: Constant
    distance_factor: Constant


@dataclass(frozen=True, slots=True)
class Grid:
    """Dally's grid: a 32-bit access at h hops costs max(``least``, h · ``hop``), h = ⌈√words⌉."""

    least: Constant
    hop: Constant


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of sourced constants.

    ``energy_unit`` is "pJ" (results come in joules) or "MAC" (results come in multiples of one
    multiply-accumulate; joules are refused). Exactly one of ``levels`` (fastest first), ``wire``
    and ``grid`` is there. ``compute_as`` names the dtype whose adders and multipliers serve
    another. ``convention`` says in words what the figures include.
    """

    name: str
    title: str
    process: str
    convention: str
    energy_unit: EnergyUnit
    compute: Mapping[str, Operations]
    compute_as: Mapping[str, str]
    levels: tuple[Level, ...]
    wire: Wire | None
    grid: Grid | None
    voltage: Constant | None
    word_bytes: Constant | None

    @property
    def result_scale(self) -> float:
        """Factor from ``energy_unit`` to the unit of results: 10⁻¹² for pJ → J, 1 for MAC."""
        return PICO if self.energy_unit == "pJ" else 1.0

    @property
    def result_unit(self) -> str:
        """Unit of every result, as a column ending: "joules" or "macs"."""
        return "joules" if self.energy_unit == "pJ" else "macs"

    def column(self, what: str) -> str:
        """Column name of an energy: ``energy_{what}_joules``, or ``…_macs`` if relative."""
        return f"energy_{what}_{self.result_unit}"

    @property
    def capacities_bytes(self) -> tuple[int, ...]:
        """Capacities of all levels but the last, in bytes, increasing; empty for distances."""
        return tuple(level.capacity.bytes() for level in self.levels if level.capacity is not None)

    @property
    def level_names(self) -> tuple[str, ...]:
        """Names of the levels, fastest first; empty where distances are priced."""
        return tuple(level.name for level in self.levels)

    def operations(self, dtype: str) -> Operations:
        """Operation energies of `dtype`; :class:`PricingError` if the profile has none."""
        priced = self.compute.get(self.compute_as.get(dtype, dtype))
        if priced is None:
            known = ", ".join([*self.compute, *self.compute_as])
            raise PricingError(
                f"profile {self.name}: no energies for dtype {dtype!r} (it has {known}); add"
                f" compute.{dtype} or an entry of compute_as to the profile"
            )
        return priced

    def constants(self) -> Iterator[tuple[str, Constant]]:
        """Every number of the profile with its key, in the order of the file."""
        if self.voltage is not None:
            yield "voltage", self.voltage
        if self.word_bytes is not None:
            yield "word_bytes", self.word_bytes
        for dtype, operations in self.compute.items():
            for kind in ("add", "multiply", "special"):
                yield f"compute.{dtype}.{kind}", getattr(operations, kind)
        for level in self.levels:
            if level.capacity is not None:
                yield f"levels.{level.name}.capacity", level.capacity
            yield f"levels.{level.name}.read", level.read
            yield f"levels.{level.name}.write", level.write
        if self.wire is not None:
            for key in Wire.__slots__:
                yield f"wire.{key}", getattr(self.wire, key)
        if self.grid is not None:
            for key in Grid.__slots__:
                yield f"grid.{key}", getattr(self.grid, key)

    def table(self) -> pd.DataFrame:
        """All constants: columns profile, key, value, low, high, unit, certainty, source, note."""
        rows = [
            {
                "profile": self.name,
                "key": key,
                "value": constant.value,
                "low": constant.low,
                "high": constant.high,
                "unit": constant.unit,
                "certainty": str(constant.certainty),
                "source": constant.source,
                "note": constant.note,
            }
            for key, constant in self.constants()
        ]
        table = pd.DataFrame(rows)
        return table.astype({"value": float, "low": float, "high": float})
