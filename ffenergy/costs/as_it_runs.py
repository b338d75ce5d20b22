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
    """Energy of a batch of images by on-chip size, of one measured step of each algorithm.

    Columns: ``on_chip_bytes``, those capacities of ``prices.misses`` that are larger than the
    inner buffer, ``energy_unit``, and ``energy_ff`` and the like, one per algorithm.

    Raises:
        PricingError: no bytes were counted beyond the inner buffer.
    """
    every = prices.misses
    named = {"accounting": reading, "memory": memory, "grain": PRICED_GRAIN}
    missed = every[(every[list(named)] == pd.Series(named)).all(axis=1)]
    nbytes = (missed["bytes_read"] + missed["bytes_written"]) * shares(prices, missed)
    moved = missed.assign(nbytes=nbytes).pivot_table(
        index="capacity_bytes", columns=["algorithm", "step"], values="nbytes"
    )
    moved = moved.ffill().T.groupby("algorithm").sum().T  # beyond the last size nothing changes
    if INNER_BYTES not in moved.index:
        raise PricingError(f"no figure of what misses {INNER_BYTES} bytes; measure the step again")
    spent = compute_energy(profile, prices.work) * shares(prices, prices.work)
    work = prices.work.assign(joules=spent)
    arithmetic = work.groupby("algorithm")["joules"].sum()
    chip = Chip(profile)
    behind = network.itemsize * sum(network.layer_sizes) * network.batch_size
    rows = []
    for capacity, beyond in moved.loc[moved.index > INNER_BYTES].iterrows():
        price = chip.prices(int(str(capacity)), behind)
        inside = moved.loc[INNER_BYTES] - beyond
        spent = arithmetic + inside * price.on_chip_byte[0] + beyond * price.off_chip_byte[0]
        named = {f"energy_{name}": energy for name, energy in spent.items()}
        size = {"on_chip_bytes": int(str(capacity)), "energy_unit": profile.result_unit}
        rows.append(size | named)
    return pd.DataFrame(rows)


def shares(prices: Prices, table: pd.DataFrame) -> pd.Series[float]:
    """How many of a row's steps are one batch of images: less than 1 with several in flight."""
    taken = prices.steps.set_index(["algorithm", "step"])["steps"].map(float)
    found = taken.reindex(pd.MultiIndex.from_frame(table[["algorithm", "step"]]))
    return found.fillna(1.0).set_axis(table.index)
