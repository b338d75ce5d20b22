"""A profile's memory with another on-chip size, priced from the bins of ``reuse.csv``.

Bins of powers of two have an edge at every size that is a power of two, so what such a memory
serves follows from them exactly (docs/metric.md §8 "Levels"). Other sizes count as the power of
two below them.
"""

from __future__ import annotations

import pandas as pd

from ffenergy.energy import PricingError, Profile, movement_energy
from instrumented.analysis.levels import allocated, serving

SMALLEST = 2**10
"""Bytes of the smallest on-chip memory that may be asked for."""


def capacities(profile: Profile, size_bytes: int) -> tuple[int, ...]:
    """Capacities in bytes of all levels but the last, if all there is on the chip has `size_bytes`.

    The largest on-chip level takes that size, no faster one is larger, and each counts as the
    power of two below it. Prices per byte stay those of the levels.

    Raises:
        PricingError: a size that is no power of two, or a profile without a bounded level.
    """
    if size_bytes < SMALLEST or size_bytes & (size_bytes - 1):
        raise PricingError(
            f"{size_bytes} bytes on the chip; give a power of two of at least {SMALLEST}"
        )
    if not profile.capacities_bytes:
        raise PricingError(f"profile {profile.name} has no on-chip level whose size could change")
    inner = profile.capacities_bytes[:-1]
    return (*(power_below(min(own, size_bytes)) for own in inner), size_bytes)


def own_size(profile: Profile) -> int:
    """The profile's own on-chip size in bytes, as the power of two that is not above it."""
    return power_below(profile.capacities_bytes[-1])


def uneven(profile: Profile) -> list[int]:
    """Capacities of the profile that are no powers of two, in bytes."""
    return [own for own in profile.capacities_bytes if own != power_below(own)]


def movement(profile: Profile, reuse: pd.DataFrame, size_bytes: int) -> pd.DataFrame:
    """Price rows of ``reuse.csv`` under `profile` with `size_bytes` on the chip.

    Columns read: ``distance_to_bytes``, ``bytes_read``, ``bytes_written`` and, of a cache,
    ``bytes_allocated``, which are added to the bytes read; all others are kept as keys. Returns a
    copy with ``level`` and the columns of :func:`movement_energy`.

    Raises:
        PricingError: as for :func:`capacities`.
    """
    number = serving(reuse["distance_to_bytes"], capacities(profile, size_bytes))
    names = [profile.level_names[k] for k in number]
    if "bytes_allocated" in reuse:
        reuse = reuse.assign(bytes_read=reuse["bytes_read"] + allocated(reuse, number))
    return movement_energy(profile, reuse.assign(level=names))


def power_below(size: int) -> int:
    """The largest power of two that is at most `size`."""
    return 1 << (int(size).bit_length() - 1)
