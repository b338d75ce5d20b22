"""Memory levels and energies of every kind of step under one hardware profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.distances import ALLOCATED, MOVED, Distances
from ffenergy.costs.prices import PLACE, PRICED_GRAIN
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile, compute_energy, distance_movement_energy, movement_energy
from instrumented.analysis.levels import allocated, serving
from instrumented.distances.stack import COLD, NEVER

COMPUTE: Final = "compute"
WIRE: Final = "wire"
GRID: Final = "grid"


def levels(found: Distances, profile: Profile, memory: str) -> pd.DataFrame:
    """Bytes that each level of the profile serves, per place; empty where distances are priced."""
    if not profile.levels:
        return pd.DataFrame()
    sums = found.at(PRICED_GRAIN, memory).sums
    level = serving(sums["distance"], profile.capacities_bytes)
    fills = sums["bytes_read"] + allocated(sums, level)
    served = (
        sums.assign(level=level, bytes_read=fills)
        .groupby(["place", "level"])[MOVED]
        .sum()
        .reset_index()
    )
    names = [profile.level_names[number] for number in served["level"].tolist()]
    capacity = dict(zip(profile.level_names, profile.capacities_bytes, strict=False))
    sizes = pd.array([capacity.get(name) for name in names], dtype="Int64")
    return found.named(served.assign(level=names, capacity_bytes=sizes))


def energy(
    found: Distances,
    costs: Mapping[str, StepCosts],
    served: pd.DataFrame,
    profile: Profile,
    memory: str,
) -> pd.DataFrame:
    """Energy of arithmetic and of movement per place and component, reads and writes apart.

    ``served`` is what ``levels`` says of the same profile.
    """
    if profile.levels:
        moved = movement_energy(profile, served).rename(columns={"level": "component"})
    else:
        moved = _by_distance(found, costs, profile, memory)
    numbers = [*MOVED, *(profile.column(what) for what in ("compute", "read", "written"))]
    table = pd.concat([_arithmetic(costs, profile, memory), moved], ignore_index=True)
    keys = ["digest", "accounting", "memory", "grain", *PLACE, "component"]
    table = table.reindex(columns=[*keys, *numbers]).fillna(dict.fromkeys(numbers, 0))
    summed = table.groupby(keys, sort=False)[numbers].sum().reset_index()
    return summed.astype(dict.fromkeys(MOVED, np.int64))


def _arithmetic(costs: Mapping[str, StepCosts], profile: Profile, memory: str) -> pd.DataFrame:
    """Energy of the arithmetic; it is the same eager and fused."""
    work = pd.concat(
        [
            step.work.assign(digest=digest, accounting=accounting)
            for digest, step in costs.items()
            for accounting in step.live
        ],
        ignore_index=True,
    )
    joules = compute_energy(profile, work)
    keys = {"component": COMPUTE, "memory": memory, "grain": PRICED_GRAIN}
    return work.assign(**keys, **{str(joules.name): joules})


def _by_distance(
    found: Distances, costs: Mapping[str, StepCosts], profile: Profile, memory: str
) -> pd.DataFrame:
    """Price each distance."""
    component = GRID if profile.grid is not None else WIRE
    table = at_distances(found, costs, memory)
    return distance_movement_energy(profile, table.assign(component=component))


def at_distances(found: Distances, costs: Mapping[str, StepCosts], memory: str) -> pd.DataFrame:
    """Bytes by place and ``distance_bytes``; cold ones lie at the far end of their footprint."""
    table = found.named(found.at(PRICED_GRAIN, memory).sums)
    table["bytes_read"] += table[ALLOCATED]
    whose = zip(table["digest"].tolist(), table["accounting"].tolist(), strict=True)
    sizes = {(d, a): step.footprint(a) for d, step in costs.items() for a in step.live}
    footprint = np.array([sizes[key] for key in whose], np.int64)
    distance = table["distance"].to_numpy(np.int64)
    distance = np.where(distance == COLD, footprint, np.where(distance == NEVER, 0, distance))
    return table.assign(distance_bytes=distance)
