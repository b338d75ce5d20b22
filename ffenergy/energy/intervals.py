"""The interval that a profile's uncertain constants leave of an energy or of a ratio: an estimate.

Counts come in as for `model`; out come energies under every draw of the constants (`uncertainty`),
the first of them under the constants as they stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.energy.chip import Chip
from ffenergy.energy.profile import Profile
from ffenergy.energy.uncertainty import FloatArray, factors, interval

AT_ONCE: Final = 4096
"""Distances that are priced together: with all draws of the constants some megabytes."""


@dataclass(frozen=True)
class Interval:
    """A figure under the constants as they stand, and the ends that hold 90 % of their draws."""

    value: float
    low: float
    high: float


def ratio(
    profile: Profile,
    ours: tuple[pd.DataFrame, pd.DataFrame],
    theirs: tuple[pd.DataFrame, pd.DataFrame],
) -> Interval:
    """Energy of ``ours`` over that of ``theirs``; both are (work, moved) as for `energies`."""
    drawn = energies(profile, *ours) / energies(profile, *theirs)
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
