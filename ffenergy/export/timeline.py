"""One steady training step, operation by operation: what each moves, computes, holds and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ffenergy.costs.recording import Workload, record, step_kinds
from ffenergy.energy import Profile, compute_energy, movement_energy, wire_movement_energy
from ffenergy.errors import SettingsError
from instrumented import BufferInfo, Event, analyse, analyse_live
from instrumented.analysis.reuse import COLD, NEVER
from instrumented.analysis.step import steady_step
from instrumented.books.operand import ROLES

GRAIN = "tile"  # at which the tables of energy are taken too
TRAINING_STEP = "train"


@dataclass(frozen=True)
class Timeline:
    """The operations of one steady training step in their order.

    events: the operations. buffers: what their operands lie in.
    operations: a row per operation: eager ``bytes_read``, ``bytes_written``; ``flops``;
        ``energy_compute_…`` and ``energy_movement_…`` in the unit of the profile; bytes alive
        while it runs, a column per role.
    """

    algorithm: str
    profile: Profile
    events: Sequence[Event]
    buffers: dict[int, BufferInfo]
    operations: pd.DataFrame


def has_training_step(algorithm: str, work: Workload) -> bool:
    """Tell whether an algorithm trains hidden layers; the untrained control does not."""
    return any(kind.label == TRAINING_STEP for kind in step_kinds(algorithm, work))


def timeline(algorithm: str, work: Workload, profile: Profile) -> Timeline:
    """Record three full training steps on random pixels and take the middle one apart.

    Raises:
        SettingsError: the algorithm has no training step.
    """
    kinds = [kind for kind in step_kinds(algorithm, work) if kind.label == TRAINING_STEP]
    if not kinds:
        raise SettingsError(f"{algorithm} has no training step of hidden layers; choose ff or bp")
    trace = record(kinds[0], work).trace
    step = steady_step(trace.events)
    positions = [k for k, event in enumerate(trace.events) if event.step == step]
    events = [trace.events[k] for k in positions]
    operations = pd.DataFrame(
        {
            "bytes_read": [sum(a.nbytes for a in event.reads) for event in events],
            "bytes_written": [sum(a.nbytes for a in event.writes) for event in events],
            "flops": [event.work.flops for event in events],
            "dtype": [event.dtype for event in events],
            "adds": [event.work.add for event in events],
            "multiplies": [event.work.multiply for event in events],
            "specials": [event.work.special for event in events],
        }
    )
    operations[profile.column("compute")] = compute_energy(profile, operations)
    live = analyse_live(trace.events, trace.buffers).series
    footprint = int((live["total"] + live["data_set"]).max())
    moved = _movement(trace.events, trace.buffers, profile, footprint)
    operations[profile.column("movement")] = moved.reindex(positions, fill_value=0.0).to_numpy()
    operations[list(ROLES)] = live[list(ROLES)].to_numpy()
    return Timeline(algorithm, profile, events, trace.buffers, operations)


def _movement(
    events: Sequence[Event], buffers: dict[int, BufferInfo], profile: Profile, footprint: int
) -> pd.Series[float]:
    """Movement energy of every operation of the steady step, by its number in the record.

    The analysis adds up by operation name, so every operation is named by its number. Under a
    wire model cold bytes lie at the far end of the ``footprint`` (bytes).
    """
    numbered = [replace(event, operation=str(k)) for k, event in enumerate(events)]
    analysis = analyse(numbered, buffers, grain=GRAIN)
    if profile.wire is None:
        served = analysis.levels(profile.capacities_bytes, profile.level_names)
        priced = movement_energy(profile, served)
    else:
        moved = pd.concat([analysis.reads, analysis.writes], ignore_index=True)
        moved = moved.fillna({"bytes_read": 0, "bytes_written": 0})
        distance = moved["distance"].replace({COLD: footprint, NEVER: 0})
        priced = wire_movement_energy(profile, moved.assign(distance_bytes=distance))
    return priced.groupby(priced["operation"].astype(int))[profile.column("movement")].sum()
