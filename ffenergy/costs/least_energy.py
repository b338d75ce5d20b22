"""Energy of moving what any program must move: the bounds of `bounds`, priced at every memory.

A byte that goes beyond a memory costs at least what a byte costs behind it. So with the bound LB(c)
at every capacity c, and p_0 ≤ p_1 ≤ … the prices of a byte that the levels serve,

    energy ≥ p_0 LB(c_0) + Σ (p_{k+1} − p_k) LB(c_k),

whatever the program. A profile that prices distances has a level at every power of two.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs import bounds
from ffenergy.costs.network import Network
from ffenergy.energy import Profile, distance_movement_energy

SIZES: Final = tuple(2**k for k in range(10, 31))
"""Bytes at which a profile of distances is cut into levels."""


def movement(rule: str, network: Network, profile: Profile) -> float:
    """Joules (MAC under a relative profile) of a batch; reads and writes at the cheaper price.

    Raises:
        SettingsError: a rule without a bound.
    """
    if profile.levels:
        sizes = profile.capacities_bytes
        prices = [
            min(level.read_per_byte, level.write_per_byte) * profile.result_scale
            for level in profile.levels
        ]
    else:
        sizes = SIZES
        prices = _at_distances(profile)
    cheapest = np.minimum.accumulate(prices[::-1])[::-1]  # nothing farther away is cheaper
    moved = [bounds.least(rule, network, size).nbytes for size in sizes]
    steps = np.diff(cheapest)[: len(moved)]
    nearest = cheapest[0] * moved[0] if moved else 0.0
    return float(nearest + steps @ np.array(moved, dtype=np.float64))


def _at_distances(profile: Profile) -> list[float]:
    """Price of a byte at the core, then just beyond each of SIZES."""
    places = [0, *SIZES]
    ones, zeros = [1] * len(places), [0] * len(places)
    both = []
    for read, written in ((ones, zeros), (zeros, ones)):
        table = pd.DataFrame(
            {"distance_bytes": places, "bytes_read": read, "bytes_written": written}
        )
        both.append(distance_movement_energy(profile, table)[profile.column("movement")])
    return [min(pair) for pair in zip(*both, strict=True)]
