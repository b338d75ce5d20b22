"""One steady training step, operation by operation: what each moves, computes, holds and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.step_kinds import StepKind, What
from ffenergy.energy import Profile, compute_energy, distance_movement_energy, movement_energy
from ffenergy.errors import SettingsError
from instrumented import BufferInfo, Event, analyse, analyse_live
from instrumented.analysis.step import steady_step
from instrumented.books.operand import ROLES
from instrumented.distances.stack import COLD, NEVER

GRAIN = "tile"  # at which the tables of energy are taken too


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
    buffers: Mapping[int, BufferInfo]
    operations: pd.DataFrame


def trains_all_layers_at_once(algorithm: str, work: Workload) -> bool:
    """Tell whether a rule has one training step for all hidden layers."""
    return bool(rehearse(algorithm, work, _wanted).kinds)


def timeline(algorithm: str, work: Workload, profile: Profile) -> Timeline:
    """Record a few full training steps on random pixels and take a steady one apart.

    Raises:
        SettingsError: the algorithm has no training step of all hidden layers.
    """
    rehearsal = rehearse(algorithm, work, _wanted)
    if not rehearsal.kinds:
        raise SettingsError(f"{algorithm} has no training step of hidden layers; choose ff or bp")
    recording = rehearsal.record(rehearsal.kinds[0])
    step = steady_step(recording.events)
    positions = [k for k, event in enumerate(recording.events) if event.step == step]
    events = [recording.events[k] for k in positions]
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
    live = analyse_live(recording.events, recording.buffers).series
    footprint = int((live["total"] + live["data_set"]).max())
    moved = _movement(recording.events, recording.buffers, profile, footprint)
    operations[profile.column("movement")] = moved.reindex(positions, fill_value=0.0).to_numpy()
    operations[list(ROLES)] = live[list(ROLES)].to_numpy()
    return Timeline(algorithm, profile, events, recording.buffers, operations)


def _wanted(kind: StepKind) -> int:
    return int(kind.what is What.TRAIN and not kind.short and not kind.part)


def _movement(
    events: Sequence[Event], buffers: Mapping[int, BufferInfo], profile: Profile, footprint: int
) -> pd.Series[float]:
    """Movement energy of every operation of the steady step, by its number in the record.

    The analysis adds up by operation name, so every name begins with the operation's number; it
    ends as before, since lowering asks for it. Under a wire model cold bytes lie at the far end of
    the ``footprint`` (bytes).
    """
    numbered = [
        event._replace(operation=f"{k} {event.operation}") for k, event in enumerate(events)
    ]
    analysis = analyse(numbered, buffers, grain=GRAIN)
    if profile.levels:
        served = analysis.levels(profile.capacities_bytes, profile.level_names)
        priced = movement_energy(profile, served)
    else:
        moved = pd.concat([analysis.reads, analysis.writes], ignore_index=True)
        moved = moved.fillna({"bytes_read": 0, "bytes_written": 0})
        distance = moved["distance"].replace({COLD: footprint, NEVER: 0})
        priced = distance_movement_energy(profile, moved.assign(distance_bytes=distance))
    number = priced["operation"].str.split(" ").str[0].astype(int)
    return priced.groupby(number)[profile.column("movement")].sum()
