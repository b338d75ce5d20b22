"""What follows from exact sums per place and distance: logarithmic bins, miss curves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from instrumented.distances.stack import COLD

Ints = npt.NDArray[np.int64]
PLACE = ["layer", "phase", "operation", "role"]


UNBOUNDED = np.iinfo(np.int64).max


def binned(table: pd.DataFrame) -> pd.DataFrame:
    """Gather a read table into one bin per power of two: ``bin_lo < distance <= bin_hi``.

    Bins are in bytes; bytes_read and bytedmd stay exact. Cold reads have both bounds COLD.
    """
    high = 2 ** np.ceil(np.log2(table["distance"].clip(lower=1))).astype(np.int64)
    low = np.where(high == 1, 0, high // 2)
    cold = table["distance"] == COLD
    return (
        table.assign(bin_lo=np.where(cold, COLD, low), bin_hi=np.where(cold, COLD, high))
        .groupby([*PLACE, "bin_lo", "bin_hi"], sort=False)[["bytes_read", "bytedmd"]]
        .sum()
        .reset_index()
    )


def misses(table: pd.DataFrame, capacities: npt.ArrayLike) -> Ints:
    """Return the bytes of a read table that miss a fast memory of each capacity (bytes).

    ``misses(c) = cold + bytes at distance d > c`` (Mattson et al. 1970), exact for every c.
    """
    distance, total = _by_distance(table)
    beyond = np.append(np.cumsum(total[::-1])[::-1], 0)
    return beyond[np.searchsorted(distance, np.asarray(capacities), side="right")]


def miss_curve(table: pd.DataFrame) -> pd.DataFrame:
    """Return the whole miss-ratio curve: one row per capacity at which it falls.

    Columns capacity (bytes; 0 first), bytes_missed, and miss_ratio of all bytes read.
    """
    distance, total = _by_distance(table)
    finite = distance[distance < UNBOUNDED]
    capacity = np.append(0, finite)
    missed = misses(table, capacity)
    everything = max(int(total.sum()), 1)
    return pd.DataFrame(
        {"capacity": capacity, "bytes_missed": missed, "miss_ratio": missed / everything}
    )


def _by_distance(table: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return distinct distances, rising, cold ones as UNBOUNDED, and the bytes read at each."""
    distance = table["distance"].to_numpy(np.int64)
    distance = np.where(distance == COLD, UNBOUNDED, distance)
    found, at = np.unique(distance, return_inverse=True)
    total = np.zeros(found.size, np.int64)
    np.add.at(total, at, table["bytes_read"].to_numpy(np.int64))
    return found, total
