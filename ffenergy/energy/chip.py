"""A profile as one chip of any size: what an operation, an on-chip and an off-chip byte cost.

The model of docs/bounds.md: one memory of C bytes on the chip and an unlimited one behind it. The
price of an on-chip byte grows with the side of the memory, √C, from that of the profile's largest
on-chip level; it is never dearer than a byte from behind the chip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ffenergy.energy.profile import Profile
from ffenergy.energy.uncertainty import FloatArray, factors


@dataclass(frozen=True)
class Prices:
    """Energies in joules (or MAC under a relative profile), one figure per draw of the constants.

    The first figure of each array is that of the constants as they stand.
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


def prices(
    profile: Profile, capacity_bytes: int, behind_bytes: int, dtype: str = "float32"
) -> Prices:
    """Prices with ``capacity_bytes`` on the chip and ``behind_bytes`` of data in all.

    ``behind_bytes`` matters where distances are priced: there an on-chip byte lies at the mean
    distance within the capacity, two thirds of the way to its edge, and an off-chip byte at the
    far end of the data, or of the capacity if that is farther.

    Raises:
        PricingError: a dtype without a price.
    """
    drawn = factors(profile)
    operations = profile.operations(dtype)
    served = profile.compute_as.get(dtype, dtype)
    energy = {
        kind: getattr(operations, kind).energy(profile.energy_unit)
        * drawn[f"compute.{served}.{kind}"]
        * profile.result_scale
        for kind in ("add", "multiply", "special")
    }
    if profile.levels:
        near, far = _levels(profile, drawn, capacity_bytes)
    else:
        behind = max(behind_bytes, capacity_bytes)
        near = _at(profile, drawn, capacity_bytes * 4 / 9)  # √(4/9) = 2/3
        far = _at(profile, drawn, behind)
    return Prices(**energy, on_chip_byte=np.minimum(near, far), off_chip_byte=far)


def _levels(
    profile: Profile, drawn: Mapping[str, FloatArray], capacity: int
) -> tuple[FloatArray, FloatArray]:
    """Of the largest on-chip level, scaled to the capacity, and of the last level."""
    word = None if profile.word_bytes is None else profile.word_bytes.bytes()
    served: list[FloatArray] = []
    for level in profile.levels:
        own = level.read.energy_per_byte(profile.energy_unit, word)
        passed = level.read_per_byte > own  # its figure comes on top of the faster levels'
        below = served[-1] if passed else 0.0
        served.append(own * drawn[f"levels.{level.name}.read"] + below)
    near, far = served[-2] if len(served) > 1 else served[-1], served[-1]
    own_size = profile.capacities_bytes[-1] if profile.capacities_bytes else capacity
    scale = math.sqrt(capacity / own_size) * profile.result_scale
    return near * scale, far * profile.result_scale


def _at(profile: Profile, drawn: Mapping[str, FloatArray], distance: float) -> FloatArray:
    """A byte at a stack distance, on a wire or on Dally's grid."""
    unit = profile.energy_unit
    if profile.grid is not None:
        least = profile.grid.least.energy_per_byte(unit) * drawn["grid.least"]
        hop = profile.grid.hop.energy_per_byte(unit) * drawn["grid.hop"]
        joules = np.maximum(least, math.ceil(math.sqrt(distance / 4)) * hop)
    else:
        wire = profile.wire
        assert wire is not None  # noqa: S101  # a profile has levels, a wire or a grid
        side = math.sqrt(distance * wire.area.mm2_per_byte())
        length = side * wire.distance_factor.value * drawn["wire.distance_factor"]
        density = wire.area.unit == "Mb/mm2"
        length = length * drawn["wire.area"] ** (-0.5 if density else 0.5)
        transport = wire.transport.energy_per_byte_mm(unit) * drawn["wire.transport"]
        cell = wire.access_read.energy_per_byte(unit) * drawn["wire.access_read"]
        joules = cell + length * transport
    return np.asarray(joules * profile.result_scale, dtype=np.float64)
