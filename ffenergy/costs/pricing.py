"""The joules of one step under one hardware profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.prices import PLACE, PRICED_GRAIN
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile, compute_energy, movement_energy, wire_movement_energy
from instrumented.reuse import COLD, NEVER

MOVED: Final = ["bytes_read", "bytes_written"]
COMPUTE: Final = "compute"
WIRE: Final = "wire"


def levels(costs: StepCosts, accounting: str, profile: Profile) -> pd.DataFrame:
    """Bytes that each level of the profile serves, per place; empty under a wire model."""
    columns = [*PLACE, "level", "capacity_bytes", *MOVED]
    if profile.wire is not None:
        return pd.DataFrame(columns=columns)
    analysis = costs.analyses[accounting, PRICED_GRAIN]
    served = analysis.levels(profile.capacities_bytes, profile.level_names)
    served = served.groupby([*PLACE, "level"], sort=False)[MOVED].sum().reset_index()
    capacity = dict(zip(profile.level_names, profile.capacities_bytes, strict=False))
    sizes = pd.array([capacity.get(name) for name in served["level"]], dtype="Int64")
    return served.assign(capacity_bytes=sizes)[columns]


def energy(costs: StepCosts, accounting: str, profile: Profile) -> pd.DataFrame:
    """Energy of arithmetic and of movement per place and component, reads and writes apart."""
    column = profile.column
    numbers = [*MOVED, *map(column, ("compute", "read", "written"))]
    parts = [_arithmetic(costs, profile)]
    if profile.wire is not None:
        moved = wire_movement_energy(profile, _by_distance(costs, accounting))
        parts.append(moved.assign(component=WIRE))
    else:
        moved = movement_energy(profile, levels(costs, accounting, profile))
        parts.append(moved.assign(component=moved["level"]))
    table = pd.concat(parts, ignore_index=True)
    table = table.reindex(columns=[*PLACE, "component", *numbers]).fillna(dict.fromkeys(numbers, 0))
    summed = table.groupby([*PLACE, "component"], sort=False)[numbers].sum().reset_index()
    return summed.astype(dict.fromkeys(MOVED, np.int64))


def _arithmetic(costs: StepCosts, profile: Profile) -> pd.DataFrame:
    joules = compute_energy(profile, costs.work)
    return costs.work[list(PLACE)].assign(component=COMPUTE, **{str(joules.name): joules})


def _by_distance(costs: StepCosts, accounting: str) -> pd.DataFrame:
    """Reads and writes with a wire's length: cold bytes lie at the footprint's far end."""
    analysis = costs.analyses[accounting, PRICED_GRAIN]
    footprint = costs.footprint(accounting)
    table = pd.concat([analysis.reads, analysis.writes], ignore_index=True)
    distance = table["distance"].replace({COLD: footprint, NEVER: 0})
    return table.assign(distance_bytes=distance).fillna(dict.fromkeys(MOVED, 0))


def joules_columns(profile: Profile) -> Sequence[str]:
    """The energy columns that add up to everything under a profile."""
    return [profile.column(what) for what in ("compute", "read", "written")]
