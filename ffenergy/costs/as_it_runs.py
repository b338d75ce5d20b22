"""What the instrument counted of programs that ran, on a chip of any size: the map's measured side.

Bytes that go beyond the inner buffer of 32 KiB are priced as on-chip bytes, those that go beyond
the capacity as off-chip bytes, arithmetic as in every table; so a measured energy stands beside
those of `batch_energy`.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from ffenergy.costs.network import Network
from ffenergy.costs.prices import PRICED_GRAIN, Prices
from ffenergy.energy import PricingError, Profile, compute_energy
from ffenergy.energy.chip import Chip

INNER_BYTES: Final = 2**15
READING: Final = "eager"
MEMORY: Final = "cache"


def energies(
    prices: Prices,
    network: Network,
    profile: Profile,
    reading: str = READING,
    memory: str = MEMORY,
) -> pd.DataFrame:
    """Energy of a batch by on-chip size, of one full training step of each algorithm.

    Columns: ``on_chip_bytes``, those capacities of ``prices.misses`` that are larger than the
    inner buffer, and one per algorithm, in the profile's unit.

    Raises:
        PricingError: no bytes were counted beyond the inner buffer.
    """
    every = prices.misses
    named = {"accounting": reading, "memory": memory, "grain": PRICED_GRAIN}
    missed = every[(every[list(named)] == pd.Series(named)).all(axis=1)]
    moved = missed.assign(nbytes=missed["bytes_read"] + missed["bytes_written"]).pivot_table(
        index="capacity_bytes", columns="algorithm", values="nbytes", aggfunc="sum"
    )
    if INNER_BYTES not in moved.index:
        raise PricingError(f"no figure of what misses {INNER_BYTES} bytes; measure the step again")
    work = prices.work.assign(joules=compute_energy(profile, prices.work))
    arithmetic = work.groupby("algorithm")["joules"].sum()
    chip = Chip(profile)
    behind = network.itemsize * sum(network.layer_sizes) * network.batch_size
    rows = []
    for capacity, beyond in moved.loc[moved.index > INNER_BYTES].iterrows():
        price = chip.prices(int(str(capacity)), behind)
        inside = moved.loc[INNER_BYTES] - beyond
        spent = arithmetic + inside * price.on_chip_byte[0] + beyond * price.off_chip_byte[0]
        rows.append({"on_chip_bytes": int(str(capacity)), **spent})
    return pd.DataFrame(rows)
