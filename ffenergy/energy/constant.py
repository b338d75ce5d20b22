"""One sourced physical constant, and its conversion from the unit of its source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

EnergyUnit = Literal["pJ", "MAC"]

ENERGY_SCALE: dict[EnergyUnit, dict[str, float]] = {
    "pJ": {"pJ": 1.0, "fJ": 1e-3},
    "MAC": {"MAC": 1.0},
}
ACCESSES_PER_BYTE = {"B": 1.0, "bit": 8.0, "32bit": 1 / 4, "64bit": 1 / 8}
BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class Certainty(StrEnum):
    """How far a figure was checked."""

    CONFIRMED = "confirmed"  # read in the primary text
    SECONDARY = "secondary"  # read in a transcription that names its source
    MEMORY = "memory"  # recalled, not confirmed
    ASSUMED = "assumed"  # no source gives it; the note says what was assumed


SPREAD: Final = {
    Certainty.CONFIRMED: 1.1,
    Certainty.SECONDARY: 1.25,
    Certainty.MEMORY: 1.5,
    Certainty.ASSUMED: 2.0,
}
"""Factor either way within which a figure without a range of its own is taken to lie."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A number with its unit, where it is from and how sure it is.

    ``value`` and the optional range ``low`` to ``high`` stay in ``unit``, the unit of the source;
    ``source`` is the full reference. The conversions raise ``ValueError`` on a foreign unit.
    """

    value: float
    unit: str
    source: str
    certainty: Certainty
    note: str
    low: float | None = None
    high: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """``low`` to ``high``, in ``unit``; where an end is missing, what the certainty allows."""
        spread = SPREAD[self.certainty]
        low = self.value / spread if self.low is None else self.low
        high = self.value * spread if self.high is None else self.high
        return low, high

    def energy(self, energy_unit: EnergyUnit) -> float:
        """Energy of one operation, in `energy_unit`."""
        return self.value * self._scale(self.unit, energy_unit, ENERGY_SCALE[energy_unit])

    def energy_per_byte(self, energy_unit: EnergyUnit, word_bytes: float | None = None) -> float:
        """Energy of one byte, in `energy_unit` a byte; "…/word" needs the bytes of a word."""
        accesses = dict(ACCESSES_PER_BYTE)
        if word_bytes is not None:
            accesses["word"] = 1 / word_bytes
        scales = {
            f"{energy}/{access}": scale * per_byte
            for energy, scale in ENERGY_SCALE[energy_unit].items()
            for access, per_byte in accesses.items()
        }
        return self.value * self._scale(self.unit, energy_unit, scales)

    def energy_per_byte_mm(self, energy_unit: EnergyUnit) -> float:
        """Energy of moving one byte one millimetre, in `energy_unit` a byte and mm."""
        scales = {
            f"{energy}/{access}/mm": scale * per_byte
            for energy, scale in ENERGY_SCALE[energy_unit].items()
            for access, per_byte in ACCESSES_PER_BYTE.items()
        }
        return self.value * self._scale(self.unit, energy_unit, scales)

    def bytes(self) -> int:
        """A capacity, as a whole number of bytes."""
        count = self.value * self._scale(self.unit, "bytes", BYTES)
        if not math.isfinite(count) or count != int(count):
            raise ValueError(f"{self.value} {self.unit} is not a whole number of bytes")
        if count >= 2**63:
            raise ValueError(f"{self.value} {self.unit} is more than 2^63 bytes")
        return int(count)

    def mm2_per_byte(self) -> float:
        """Area of one byte of memory, in mm²; a density in Mb/mm² has 10⁶ bits a Mb."""
        if self.unit == "Mb/mm2":
            return 8 / (self.value * 1e6)
        return self.value * self._scale(self.unit, "area", {"mm2/B": 1.0, "um2/B": 1e-6})

    def number(self, unit: str) -> float:
        """The value itself, in exactly `unit`."""
        return self.value * self._scale(self.unit, unit, {unit: 1.0})

    @staticmethod
    def _scale(unit: str, wanted: str, scales: dict[str, float] | dict[str, int]) -> float:
        if unit not in scales:
            choices = ", ".join([*scales, "Mb/mm2"] if wanted == "area" else scales)
            raise ValueError(f"unit {unit!r} does not fit: use {choices}")
        return scales[unit]
