"""Reuse distances of many kinds of step in one table, and what follows from it without a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.prices import MANAGED, PLACE
from ffenergy.costs.step_costs import StepCosts
from instrumented.distances.stack import COLD, NEVER
from instrumented.distances.sums import SHIFT

PER_OCTAVE: Final = 4
CAPACITIES: Final = tuple(
    round(2 ** (10 + k / PER_OCTAVE)) for k in range(PER_OCTAVE * 24 + 1)
)  # 1 KiB to 16 GiB
WHOSE: Final = ["digest", "accounting", "memory", "grain"]
ALLOCATED: Final = "bytes_allocated"
MOVED: Final = ["bytes_read", "bytes_written"]
SUMS: Final = [*MOVED, ALLOCATED, "bytedmd"]


@dataclass(frozen=True)
class Distances:
    """Exact sums per place and distance.

    ``places`` has digest, accounting, memory, grain, layer, phase, role, a row per place; ``sums``
    has ``place`` (a row of places), ``distance`` (bytes; COLD, or NEVER for a write never read),
    ``bytes_read``, ``bytes_allocated``, ``bytes_written``, ``bytedmd``.
    """

    places: pd.DataFrame
    sums: pd.DataFrame

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """Replace the column ``place`` by the columns of ``places``."""
        places = self.places.iloc[table["place"].to_numpy()].reset_index(drop=True)
        return pd.concat([places, table.drop(columns="place").reset_index(drop=True)], axis=1)

    def at(self, grain: str, memory: str) -> Distances:
        """The distances of one grain in one memory."""
        return self._only((self.places["grain"] == grain) & (self.places["memory"] == memory))

    def of(self, *memories: str) -> Distances:
        """The distances in some of the memories."""
        return self._only(self.places["memory"].isin(memories))

    def _only(self, chosen: pd.Series[bool]) -> Distances:
        mine = chosen.to_numpy()[self.sums["place"].to_numpy()]
        return Distances(self.places, self.sums[mine])


def distances(costs: Mapping[str, StepCosts]) -> Distances:
    """Put the tables of all analyses, by digest, into one, sorted by place and distance."""
    numbers: dict[tuple[str, ...], int] = {}
    parts = []
    for digest, step in costs.items():
        for key, analysis in step.analyses.items():
            named = list(zip(*(analysis.places[name].tolist() for name in PLACE), strict=True))
            mine = np.zeros(len(named), np.int64)
            for number in np.flatnonzero(np.bincount(analysis.sums["place"])).tolist():
                # operations of one layer, phase and role go together
                whose = (digest, *key, *named[number])
                mine[number] = numbers.setdefault(whose, len(numbers))
            parts.append(_added_up(mine, analysis.sums))
    columns = dict(zip(["place", "distance", *SUMS], np.concatenate(parts, axis=1), strict=True))
    return Distances(pd.DataFrame(list(numbers), columns=[*WHOSE, *PLACE]), pd.DataFrame(columns))


def _added_up(places: np.ndarray, sums: pd.DataFrame) -> np.ndarray:
    """Add up sums under other numbers of places; rows are place, distance and SUMS, sorted."""
    key = (places[sums["place"].to_numpy()] << SHIFT) + sums["distance"].to_numpy() - COLD
    order = np.argsort(key, kind="stable")  # quick, since those of a place are in order
    key = key[order]
    first = np.flatnonzero(np.diff(key, prepend=-1))
    added = [np.add.reduceat(sums[name].to_numpy()[order], first) for name in SUMS]
    place, distance = np.divmod(key[first], 1 << SHIFT)
    return np.stack([place, distance + COLD, *added])


def reuse(found: Distances) -> pd.DataFrame:
    """Gather distances into bins of powers of two; the sums stay exact."""
    distance = found.sums["distance"].to_numpy(np.int64)
    high = 2 ** np.ceil(np.log2(np.maximum(distance, 1))).astype(np.int64)
    low = np.where(high == 1, 0, high // 2)
    special = (distance == COLD) | (distance == NEVER)
    bins = {
        "distance_from_bytes": np.where(special, distance, low),
        "distance_to_bytes": np.where(special, distance, high),
    }
    table = found.sums.assign(**bins).groupby(["place", *bins])[SUMS].sum()
    return found.named(table.reset_index())


def misses(found: Distances, costs: Mapping[str, StepCosts]) -> pd.DataFrame:
    """What travels beyond an on-chip memory, for sizes up to the first that holds all reuse.

    A read, or an allocation of a cache, at distance d misses a memory smaller than d, a cold one
    misses all; a written byte travels to where the farthest access before it is overwritten is.
    A managed memory has the sizes at which it was managed.
    """
    fills = found.sums["bytes_read"] + found.sums[ALLOCATED]
    found = Distances(found.places, found.sums.assign(bytes_read=fills))
    whose = found.places.groupby(WHOSE, sort=False).ngroup().to_numpy()
    names = found.places[WHOSE].drop_duplicates(ignore_index=True)
    numbers, parts = [], []
    for number, rows in found.sums.groupby(whose[found.sums["place"].to_numpy()]):
        distance = rows["distance"].to_numpy()
        beyond = np.stack([_beyond(distance, rows[name].to_numpy()) for name in MOVED], axis=1)
        settled = int((beyond == beyond[-1]).all(axis=1).argmax()) + 1
        parts.append(np.column_stack([CAPACITIES[:settled], beyond[:settled]]))
        numbers += [int(str(number))] * settled
    table = pd.DataFrame(np.concatenate(parts), columns=["capacity_bytes", *MOVED])
    table = pd.concat([table, names.iloc[numbers].reset_index(drop=True)], axis=1)
    table = table.merge(_least(costs), how="left")
    known = (table["memory"] != MANAGED) | table["bytes_least"].notna()
    return table[known].reset_index(drop=True)


def _least(costs: Mapping[str, StepCosts]) -> pd.DataFrame:
    """The lower estimates of managed memories: WHOSE, ``capacity_bytes`` and ``bytes_least``."""
    parts = [
        pd.DataFrame(
            {
                **dict(zip(WHOSE, (digest, accounting, memory, grain), strict=True)),
                "capacity_bytes": analysis.least["capacity"],
                "bytes_least": analysis.least[MOVED].sum(axis=1),
            }
        )
        for digest, step in costs.items()
        for (accounting, memory, grain), analysis in step.analyses.items()
        if analysis.least is not None
    ]
    empty = pd.DataFrame(columns=[*WHOSE, "capacity_bytes", "bytes_least"])
    found = pd.concat(parts, ignore_index=True) if parts else empty
    return found.astype({"capacity_bytes": np.int64, "bytes_least": "Int64"})


def _beyond(distance: np.ndarray, nbytes: np.ndarray) -> np.ndarray:
    """Return the bytes farther away than each of CAPACITIES."""
    distance = np.where(distance == COLD, np.iinfo(np.int64).max, distance)
    order = np.argsort(distance, kind="stable")
    total = np.append(np.cumsum(nbytes[order][::-1])[::-1], 0)
    found: np.ndarray = total[np.searchsorted(distance[order], CAPACITIES, side="right")]
    return found.astype(np.int64)
