"""Products tiled for each level of a profile, beside the one order that is read at every size.

The memory is a scratchpad. What lies beyond a level is taken from one order of micro-tiles, or from
products that are each tiled for that level (docs/metric.md §8 "Levels").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ffenergy.costs.distances import MOVED
from ffenergy.costs.prices import ACCOUNTINGS, COLUMNS, PRICED_GRAIN, SCRATCHPAD
from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile, movement_energy
from ffenergy.energy.model import joules_or_nan
from instrumented import analyse_tuned
from instrumented.distances.marks import COLD


def with_tuned(costs: StepCosts, recording: Recording, capacities: Sequence[int]) -> StepCosts:
    """Add what it saves to tile every product of the step for a memory of each capacity."""
    events, buffers = recording.events, recording.buffers
    found = {
        accounting: analyse_tuned(
            events, buffers, capacities=capacities, fused=accounting != ACCOUNTINGS[0]
        )
        for accounting in costs.live
    }
    return replace(costs, tuned=found)


def tuned(costs: Mapping[str, StepCosts], profiles: Sequence[Profile]) -> pd.DataFrame:
    """Bytes beyond every level but the last in either order, and energy that tuning saves."""
    rows = [
        (digest, accounting, *row)
        for digest, step in costs.items()
        for accounting, saved in step.tuned.items()
        for row in _of_step(
            step.analyses[accounting, SCRATCHPAD, PRICED_GRAIN].table, saved, profiles
        )
    ]
    return pd.DataFrame(rows, columns=["digest", *COLUMNS["tuned"][2:]])


def _of_step(
    table: pd.DataFrame, saved: pd.DataFrame, profiles: Sequence[Profile]
) -> Iterator[tuple[object, ...]]:
    distance = table["distance"].replace(COLD, np.iinfo(np.int64).max)
    by_size = saved.groupby("capacity")[MOVED].sum()
    for profile in profiles:
        for number, capacity in enumerate(profile.capacities_bytes):
            one = table.loc[distance > capacity, MOVED].sum().to_numpy()
            less = by_size.reindex([capacity], fill_value=0).to_numpy()[0]
            joules = joules_or_nan(profile, float(less @ _dearer(profile, number)))
            level = profile.level_names[number]
            yield profile.name, level, capacity, *one, *(one - less), joules


def _dearer(profile: Profile, number: int) -> np.ndarray:
    """Return by how much a byte read and one written are dearer behind a level than in it."""
    both = profile.level_names[number : number + 2]
    unit = pd.DataFrame({"level": both, "bytes_read": 1, "bytes_written": 1})
    priced = movement_energy(profile, unit)[[profile.column("read"), profile.column("written")]]
    found: np.ndarray = np.diff(priced.to_numpy(), axis=0)[0]
    return found
