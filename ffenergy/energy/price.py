"""Joules of any recorded trace in one line: ``price(trace, "jouppi-7nm-hbm2")``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from ffenergy.energy.loading import load_profile
from ffenergy.energy.model import compute_energy, distance_movement_energy, movement_energy
from ffenergy.energy.profile import Profile
from instrumented.analysis.step import Analysis, Recorded, analyse
from instrumented.books.events import Event
from instrumented.distances.stack import COLD, NEVER

COMPUTE: Final = "compute"
DISTANCE: Final = "distance"
PLACE: Final = ["layer", "phase"]
BYTES: Final = ["bytes_read", "bytes_written"]
READING: Final = ["accounting", "memory", "grain", "profile"]


def price(
    trace: Recorded,
    profile: str | Path | Profile,
    *,
    grain: str = "tile",
    fused: bool = False,
    step: int | None = None,
) -> pd.DataFrame:
    """Price one step of a recorded trace under a hardware profile.

    Its memory is a scratchpad: an LRU stack of live bytes, which dead values leave at once
    (docs/metric.md §8 "Levels"). A cache is another memory, and moves more.

    Args:
        trace: a trace made with ``record=True``: three like steps or more, of which one in the
            steady state is priced, or no steps at all, and then the whole record.
        profile: a bundled profile's name, a TOML file, or a profile.
        grain: ``tile``, at which reports are priced, or ``operation``.
        fused: read every fusion scope as one kernel.
        step: the step to price; by default the last but one.

    Returns:
        One row per layer, phase and level, fastest first; the level of arithmetic is ``compute``,
        that of a profile that prices distances ``distance``. A level that serves no bytes has no
        row, nor has ``compute`` where there are no flops. Columns layer, phase, level,
        capacity_bytes (missing where there is no bound), bytes_read, bytes_written, flops and
        energy_joules (energy_macs under a relative profile), which is an estimate; bytes are
        those that the level serves, their sums are exact. Then what the figures are of:
        accounting (eager or fused), memory (scratchpad), grain, and the profile's name.

    Raises:
        ProfileError: the profile is unknown or broken.
        PricingError: the profile does not price a type that the trace computes in.
        InstrumentError: the trace kept no events, or one or two steps.
    """
    chosen = profile if isinstance(profile, Profile) else load_profile(profile)
    found = analyse(trace, grain=grain, fused=fused, step=step)
    events = [event for event in trace.events if event.step == found.step]
    energy = chosen.column("movement").replace("_movement", "")
    parts = [_arithmetic(events, chosen, energy), _movement(found, chosen, energy)]
    table = pd.concat(parts, ignore_index=True)
    levels = [COMPUTE, *(chosen.level_names or (DISTANCE,))]
    order = {place: n for n, place in enumerate(dict.fromkeys((e.layer, e.phase) for e in events))}
    rank = pd.DataFrame(
        {
            "place": [
                order[place]
                for place in zip(table["layer"].tolist(), table["phase"].tolist(), strict=True)
            ],
            "level": [levels.index(level) for level in table["level"].tolist()],
        }
    ).sort_values(["place", "level"], kind="stable")
    table = table.loc[rank.index].reset_index(drop=True)
    capacity = dict(zip(chosen.level_names, chosen.capacities_bytes, strict=False))
    sizes = pd.array([capacity.get(level) for level in table["level"].tolist()], dtype="Int64")
    counts = [*BYTES, "flops"]
    table = table.assign(capacity_bytes=sizes).fillna(dict.fromkeys(counts, 0))
    table["accounting"] = "fused" if fused else "eager"
    table = table.assign(memory=found.memory, grain=found.grain, profile=chosen.name)
    table = table[[*PLACE, "level", "capacity_bytes", *counts, energy, *READING]]
    return table.astype(dict.fromkeys(counts, np.int64))


def offer(profile: str) -> Callable[[Any], pd.DataFrame]:
    """Return what ``instrumented run --profile`` prices with: a scratchpad, at operation grain.

    Raises:
        ProfileError: the profile is unknown or broken.
    """
    chosen = load_profile(profile)
    return lambda trace: price(trace, chosen, grain="operation")


def _arithmetic(events: list[Event], profile: Profile, energy: str) -> pd.DataFrame:
    rows = [
        (e.layer, e.phase, e.dtype, e.work.add, e.work.multiply, e.work.special)
        for e in events
        if e.work.flops
    ]
    kinds = ["adds", "multiplies", "specials"]
    work = pd.DataFrame(rows, columns=[*PLACE, "dtype", *kinds])
    work = work.groupby([*PLACE, "dtype"], sort=False)[kinds].sum().reset_index()
    work["flops"] = work[kinds].sum(axis=1)
    work[energy] = compute_energy(profile, work)
    summed = work.groupby(PLACE, sort=False)[["flops", energy]].sum().reset_index()
    return summed.assign(level=COMPUTE)[[*PLACE, "level", "flops", energy]]


def _movement(found: Analysis, profile: Profile, energy: str) -> pd.DataFrame:
    if profile.levels:
        served = found.levels(profile.capacities_bytes, profile.level_names)
        priced = movement_energy(profile, served)
    else:
        priced = distance_movement_energy(profile, _by_distance(found))
    priced = priced.rename(columns={profile.column("movement"): energy})
    columns = [*BYTES, energy]
    return priced.groupby([*PLACE, "level"], sort=False)[columns].sum().reset_index()


def _by_distance(found: Analysis) -> pd.DataFrame:
    """Return bytes by distance; what is cold lies as far as anything that is not."""
    table = pd.concat([found.reads, found.writes], ignore_index=True)
    table = table.fillna(dict.fromkeys(BYTES, 0))
    distance = table["distance"].to_numpy(np.int64)
    farthest = int(distance.max(initial=1))
    distance = np.where(distance == COLD, farthest, np.where(distance == NEVER, 0, distance))
    return table.assign(distance_bytes=distance, level=DISTANCE)
