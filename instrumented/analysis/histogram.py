"""Reuse-distance tables: exact sums per place and distance, and logarithmic bins of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from instrumented.analysis.fused import PLACE
from instrumented.analysis.reuse import COLD
from instrumented.distances.bytedmd import access_costs
from instrumented.lowering.program import NO_VALUE, Flags, Program
from instrumented.lowering.uses import Ints

UNBOUNDED = np.iinfo(np.int64).max


def read_table(
    program: Program, places: pd.DataFrame, distance: Ints, chosen: Flags
) -> pd.DataFrame:
    """Sum the chosen reads per place and exact distance.

    Args:
        program: the lowered trace.
        places: layer, phase, operation and role of every operand (``operand_places``).
        distance: stack distance of every access.
        chosen: which accesses to count.

    Returns:
        Columns layer, phase, operation, role, distance (bytes, COLD for first reads), bytes_read,
        bytedmd. Tables add up: concatenate them and sum the last two columns.
    """
    reads = np.flatnonzero(chosen & ~program.write & (program.nbytes > 0))
    moved = {"bytes_read": program.nbytes[reads], "bytedmd": _costs(program, distance, reads)}
    return _table(program, places, distance, reads, moved)


def write_table(
    program: Program, places: pd.DataFrame, distance: Ints, chosen: Flags
) -> pd.DataFrame:
    """Sum the chosen writes per place and distance of the next read of what they wrote.

    Columns as in ``read_table``, bytes_written instead of the last two; distance NEVER where the
    value dies unread.
    """
    writes = np.flatnonzero(chosen & program.write & (program.nbytes > 0))
    return _table(program, places, distance, writes, {"bytes_written": program.nbytes[writes]})


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


def _table(
    program: Program, places: pd.DataFrame, distance: Ints, accesses: Ints, moved: dict[str, Ints]
) -> pd.DataFrame:
    """Sum columns of some accesses per place and distance."""
    place = places.groupby(PLACE, sort=False).ngroup().to_numpy()
    names = places[PLACE].drop_duplicates(ignore_index=True)
    frame = pd.DataFrame(
        {"place": place[program.operand[accesses]], "distance": distance[accesses], **moved}
    )
    summed = frame.groupby(["place", "distance"])[list(moved)].sum().reset_index()
    named = names.iloc[summed.pop("place").to_numpy()].reset_index(drop=True)
    return pd.concat([named, summed], axis=1)


def _costs(program: Program, distance: Ints, reads: Ints) -> Ints:
    """Return the ByteDMD cost of some reads; a partial read pays its share of its block."""
    moved = program.nbytes[reads]
    value = program.value[reads]
    whole = np.where(value == NO_VALUE, moved, program.contents.sizes[value])
    costs = access_costs(distance[reads], whole)
    return np.where(whole == moved, costs, costs // whole * moved + costs % whole * moved // whole)
