"""What the instrument counted of programs that ran, on a chip of any size: the map's measured side.

Bytes that go beyond the inner buffer of 32 KiB are priced as on-chip bytes, those that go beyond
the capacity as off-chip bytes, arithmetic as in every table; so a measured energy stands beside
those of `batch_energy`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from ffenergy.costs.network import Network
from ffenergy.costs.prices import PRICED_GRAIN, Prices
from ffenergy.costs.step_costs import WORK
from ffenergy.energy import PricingError, Profile, chip
from ffenergy.energy.chip import FloatArray

INNER_BYTES: Final = 2**15
READING: Final = "eager"
MEMORY: Final = "cache"
Drawn = Mapping[int, Mapping[str, FloatArray]]
"""Energies by on-chip bytes and algorithm, one per draw of the constants."""


def energies(
    prices: Prices,
    network: Network,
    profile: Profile,
    reading: str = READING,
    memory: str = MEMORY,
) -> pd.DataFrame:
    """Energy of a batch of images by on-chip size, of one measured step of each algorithm.

    Columns: ``on_chip_bytes``, ``energy_unit``, and ``energy_ff`` and the like, one per algorithm.
    Sizes and errors are those of `drawn`.
    """
    found = drawn(prices, network, profile, reading, memory)
    return pd.DataFrame(
        {"on_chip_bytes": size, "energy_unit": profile.result_unit}
        | {f"energy_{name}": spent[0] for name, spent in by_algorithm.items()}
        for size, by_algorithm in found.items()
    )


def drawn(
    prices: Prices,
    network: Network,
    profile: Profile,
    reading: str = READING,
    memory: str = MEMORY,
) -> Drawn:
    """The same under every draw of the profile's constants.

    Sizes are those capacities of ``prices.misses`` that are larger than the inner buffer.

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
    done = prices.work.assign(**prices.work[[*WORK]].mul(shares(prices, prices.work), axis=0))
    none = pd.DataFrame(columns=["level", "distance_bytes", "bytes_read", "bytes_written"])
    arithmetic = {
        str(name): chip.energies(profile, own, none) for name, own in done.groupby("algorithm")
    }
    own_chip = chip.Chip(profile)
    behind = network.itemsize * sum(network.layer_sizes) * network.batch_size
    found = {}
    for capacity, beyond in moved.loc[moved.index > INNER_BYTES].iterrows():
        price = own_chip.prices(int(str(capacity)), behind)
        inside = moved.loc[INNER_BYTES] - beyond
        found[int(str(capacity))] = {
            name: spent + inside[name] * price.on_chip_byte + beyond[name] * price.off_chip_byte
            for name, spent in arithmetic.items()
        }
    return found


def shares(prices: Prices, table: pd.DataFrame) -> pd.Series[float]:
    """How many of a row's steps are one batch of images: less than 1 with several in flight."""
    taken = prices.steps.set_index(["algorithm", "step"])["steps"].map(float)
    found = taken.reindex(pd.MultiIndex.from_frame(table[["algorithm", "step"]]))
    return found.fillna(1.0).set_axis(table.index)
