"""A profile as one chip of any size: what an operation, an on-chip and an off-chip byte cost.

The model of docs/bounds.md: one memory of C bytes on the chip and an unlimited one behind it. The
price of an on-chip byte grows with the side of the memory, √C, from that of the profile's largest
on-chip level; it is never dearer than a byte from behind the chip.

How far the constants may be off is carried to an interval: an estimate, named so. Every constant is
drawn from its own range (`Constant.range`), half of the draws below its value and half above it,
log-uniformly on either side. Each is drawn on its own, but for figures that a profile takes over
from each other: a write is drawn with the read of its level, and special operations with the
multiplications of their type. The draws are the same on every call, and the first has the constants
as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from ffenergy.energy.constant import Constant
from ffenergy.energy.model import GRID_WORD_BYTES
from ffenergy.energy.profile import Profile

FloatArray = npt.NDArray[np.float64]

Access = Literal["read", "write"]

NEAR: Final = 4 / 9
"""Of the capacity: √(4/9), two thirds of the way to its edge, is the mean distance within it."""
DRAWS: Final = 201
SEED: Final = 0
SHARE: Final = 0.9
"""Of all draws, those that an interval holds."""
TIED: Final = {".write": ".read", "_write": "_read", ".special": ".multiply"}
AT_ONCE: Final = 4096
"""Distances that are priced together: with all draws of the constants some megabytes."""


def factors(profile: Profile, draws: int = DRAWS) -> Mapping[str, FloatArray]:
    """Factors by key of `Profile.constants`, ``draws`` of each; the first draw is 1.

    A draw times the constant's value is a possible value of the constant.
    """
    ends = {
        key: (constant.range[0] / constant.value, constant.range[1] / constant.value)
        for key, constant in profile.constants()
    }
    return _drawn(tuple(ends.items()), draws)


@cache
def _drawn(
    ends: tuple[tuple[str, tuple[float, float]], ...], draws: int
) -> Mapping[str, FloatArray]:
    generator = np.random.default_rng(SEED)
    places = {key: generator.random(draws) for key, _ in ends}
    found = {}
    for key, (low, high) in ends:
        place = 2 * places[_tied(key, places)] - 1  # from -1, the low end, to 1
        drawn = np.where(place < 0, low**-place, high ** np.maximum(place, 0))
        drawn[0] = 1.0
        drawn.setflags(write=False)
        found[key] = drawn
    return MappingProxyType(found)


def _tied(key: str, keys: Mapping[str, object]) -> str:
    """The key whose draw this constant shares."""
    for ending, other in TIED.items():
        if key.endswith(ending) and key.removesuffix(ending) + other in keys:
            return key.removesuffix(ending) + other
    return key


def interval(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The ends between which 90 % of the draws lie; draws along the last axis."""
    low, high = np.quantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=-1)
    return low, high


@dataclass(frozen=True)
class UnitEnergies:
    """Energies in joules (or MAC under a relative profile), one figure per draw of the constants.

    The first figure of each array is that of the constants as they stand. ``off_chip_byte`` has
    the shape of the amounts of data that it was asked for, then the draws.
    """

    add: FloatArray
    multiply: FloatArray
    special: FloatArray
    on_chip_byte: FloatArray
    off_chip_byte: FloatArray

    @property
    def multiply_add(self) -> FloatArray:
        """One multiplication and the addition of its result."""
        return self.add + self.multiply


class Chip:
    """A profile whose on-chip memory may have any size; the constants are drawn once."""

    def __init__(self, profile: Profile, dtype: str = "float32") -> None:
        """Take the prices of arithmetic from the profile's ``dtype``.

        Raises:
            PricingError: a dtype without a price.
        """
        self.profile = profile
        self.drawn = factors(profile)
        operations = profile.operations(dtype)
        served = profile.compute_as.get(dtype, dtype)
        self.add, self.multiply, self.special = (
            getattr(operations, kind).energy(profile.energy_unit)
            * self.drawn[f"compute.{served}.{kind}"]
            * profile.result_scale
            for kind in ("add", "multiply", "special")
        )
        self.levels = self._levels("read")

    def prices(self, capacity_bytes: int, behind_bytes: npt.ArrayLike = 0) -> UnitEnergies:
        """Prices with ``capacity_bytes`` on the chip and ``behind_bytes`` of data in all.

        ``behind_bytes``, a number or an array of them, matters where distances are priced: there
        an on-chip byte lies at the mean distance within the capacity, and an off-chip byte at the
        far end of the data, or of the capacity if that is farther.
        """
        if self.profile.levels:
            near, far = self.levels[-2:] if len(self.levels) > 1 else self.levels * 2
            sizes = self.profile.capacities_bytes
            near = near * math.sqrt(capacity_bytes / sizes[-1]) if sizes else near
        else:
            near = self._at(NEAR * capacity_bytes)
            far = self._at(np.maximum(behind_bytes, capacity_bytes))
        return UnitEnergies(
            add=self.add,
            multiply=self.multiply,
            special=self.special,
            on_chip_byte=np.minimum(near, far),
            off_chip_byte=far,
        )

    def bytes_at(self, places: npt.ArrayLike, access: Access) -> FloatArray:
        """A byte read or written at levels, by name, or at stack distances: (places, draws)."""
        if not self.profile.levels:
            return self._at(places, access)
        served = self.levels if access == "read" else self._levels(access)
        return np.stack(
            [served[self.profile.level_names.index(str(name))] for name in np.atleast_1d(places)]
        )

    def _levels(self, access: Access) -> list[FloatArray]:
        """A byte served by each level, fastest first."""
        profile = self.profile
        word = None if profile.word_bytes is None else profile.word_bytes.bytes()
        served: list[FloatArray] = []
        for level in profile.levels:
            constant: Constant = getattr(level, access)
            own = constant.energy_per_byte(profile.energy_unit, word)
            # its figure comes on top of the faster levels'
            passed = getattr(level, f"{access}_per_byte") > own
            joules = own * self.drawn[f"levels.{level.name}.{access}"] * profile.result_scale
            served.append(joules + served[-1] if passed else joules)
        return served

    def _at(self, distance_bytes: npt.ArrayLike, access: Access = "read") -> FloatArray:
        """A byte at a stack distance, on a wire or on Dally's grid."""
        unit = self.profile.energy_unit
        distance = np.asarray(distance_bytes, dtype=np.float64)[..., None]
        grid, wire = self.profile.grid, self.profile.wire
        if grid is not None:
            least = grid.least.energy_per_byte(unit) * self.drawn["grid.least"]
            hop = grid.hop.energy_per_byte(unit) * self.drawn["grid.hop"]
            joules = np.maximum(least, np.ceil(np.sqrt(distance / GRID_WORD_BYTES)) * hop)
        else:
            assert wire is not None  # noqa: S101  # a profile has levels, a wire or a grid
            length = np.sqrt(distance * wire.area.mm2_per_byte()) * wire.distance_factor.value
            density = wire.area.unit == "Mb/mm2"
            length = length * self.drawn["wire.distance_factor"]
            length = length * self.drawn["wire.area"] ** (-0.5 if density else 0.5)
            transport = wire.transport.energy_per_byte_mm(unit) * self.drawn["wire.transport"]
            cell = getattr(wire, f"access_{access}").energy_per_byte(unit)
            cell = cell * self.drawn[f"wire.access_{access}"]
            joules = cell + length * transport
        return np.asarray(joules * self.profile.result_scale, dtype=np.float64)


@dataclass(frozen=True)
class Interval:
    """A figure under the constants as they stand, and the ends that hold 90 % of their draws."""

    value: float
    low: float
    high: float


def ratio(ours: FloatArray, theirs: FloatArray) -> Interval:
    """One energy over another; both are figures per draw of the constants, as of `energies`."""
    drawn = ours / theirs
    low, high = interval(drawn)
    return Interval(float(drawn[0]), float(low), float(high))


def energies(profile: Profile, work: pd.DataFrame, moved: pd.DataFrame) -> FloatArray:
    """Energy of all rows together under every draw, in joules or MAC.

    ``work`` has the columns dtype, adds, multiplies and specials; ``moved`` has bytes_read,
    bytes_written and, under a profile of levels, ``level``, else ``distance_bytes``.

    Raises:
        PricingError: a dtype without a price.
    """
    total = np.zeros_like(next(iter(factors(profile).values())))
    for dtype, rows in work.groupby(work["dtype"].astype(str), sort=True):
        counts = rows[["adds", "multiplies", "specials"]].sum()
        if not counts.any():
            continue
        chip = Chip(profile, str(dtype))
        total += counts["adds"] * chip.add + counts["multiplies"] * chip.multiply
        total += counts["specials"] * chip.special
    chip = Chip(profile, next(iter(profile.compute)))
    key = "level" if profile.levels else "distance_bytes"
    sums = moved.groupby(key, sort=True)[["bytes_read", "bytes_written"]].sum().astype(float)
    for start in range(0, len(sums), AT_ONCE):
        part = sums.iloc[start : start + AT_ONCE]
        read, written = (part[name].to_numpy()[:, None] for name in sums.columns)
        cost = read * chip.bytes_at(part.index.to_numpy(), "read")
        cost += written * chip.bytes_at(part.index.to_numpy(), "write")
        total = np.add.reduce([total, *cost])  # one after the other, as they are sorted
    return total
