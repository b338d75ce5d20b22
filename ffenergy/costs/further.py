"""What is analysed only where a memory is priced: its management, or products tiled for its levels.

A managed memory is analysed at sizes that are named. In a scratchpad, what lies beyond a level is
taken from one order of micro-tiles for all sizes, or from products that are each tiled for that
level (docs/metric.md §8 "Levels").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.distances import CAPACITIES, MOVED, PER_OCTAVE
from ffenergy.costs.prices import ACCOUNTINGS, COLUMNS, MANAGED, PRICED_GRAIN, SCRATCHPAD
from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile, movement_energy
from ffenergy.energy.model import joules_or_nan
from instrumented import Analysis, analyse, analyse_tuned
from instrumented.distances.stack import COLD

SMALLEST: Final = 2**12
"""Bytes of the smallest memory that is managed: a micro-tile of a product takes 3 KiB."""
MOST_BYTES: Final = 3 * 2**30
"""Of this machine's memory for managing one record."""
KEPT_BYTES: Final = 32
"""What is remembered of an access, at most."""

Further = Callable[[StepCosts, Recording], StepCosts]


def further_analysis(memory: str, profiles: Sequence[Profile]) -> Further | None:
    """What pricing a memory asks for besides: its management, or tuned products."""
    if memory == MANAGED:
        return partial(with_managed, capacities=managed_at(profiles))
    if memory == SCRATCHPAD:
        levels = sorted({size for profile in profiles for size in profile.capacities_bytes})
        return partial(with_tuned, capacities=levels)
    return None


# ---- tuned products ------------------------------------------------------------------------------


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


# ---- a managed memory ----------------------------------------------------------------------------


def bearable(costs: StepCosts, accounting: str, steps: int) -> bool:
    """Whether managing a record of so many steps takes at most `MOST_BYTES` of memory."""
    accesses = max(
        one.accesses
        for (reading, _, grain), one in costs.analyses.items()
        if reading == accounting and grain == PRICED_GRAIN
    )
    return accesses * steps * KEPT_BYTES <= MOST_BYTES


def managed_at(profiles: Sequence[Profile]) -> tuple[int, ...]:
    """Sizes at which a managed memory is analysed: powers of two and the profiles'."""
    levels = {size for profile in profiles for size in profile.capacities_bytes}
    sizes = sorted({*CAPACITIES[::PER_OCTAVE], *levels})
    return tuple(size for size in sizes if size >= SMALLEST)


def with_managed(
    costs: StepCosts,
    recording: Recording,
    capacities: Sequence[int],
    accountings: Sequence[str] = ACCOUNTINGS,
) -> StepCosts:
    """Add what the step moves in a managed memory of each of the capacities.

    ``accountings`` are those to be managed, of those that ``costs`` has.
    """
    added: dict[tuple[str, str, str], Analysis] = {}
    fusing = any(event.fusion for event in recording.events)
    for accounting in costs.live:
        if accounting not in accountings:
            continue
        if accounting != ACCOUNTINGS[0] and not fusing and added:  # as it is eager
            added[accounting, MANAGED, PRICED_GRAIN] = added[ACCOUNTINGS[0], MANAGED, PRICED_GRAIN]
            continue
        added[accounting, MANAGED, PRICED_GRAIN] = analyse(
            recording.events,
            recording.buffers,
            grain=PRICED_GRAIN,
            memory=MANAGED,
            capacities=capacities,
            fused=accounting != ACCOUNTINGS[0],
        )
    return replace(costs, analyses=costs.analyses | added)
