"""A training step as Chrome trace events, the JSON that Perfetto and chrome://tracing open.

Format: Google, "Trace Event Format" (the JSON object form). One process per algorithm, one track
per layer, one complete event per array operation, counters for bytes, live memory and energy.

NumPy's operations were counted, not timed, so the axis is no clock: one nanosecond on it is one
byte moved under eager accounting, reads and writes together, operations one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from ffenergy.export.timeline import GRAIN, Timeline
from ffenergy.style import ALGORITHM_NAMES, layers_in_order
from instrumented import Access, BufferInfo, Event
from instrumented.books.operand import ROLES

FILE = "step.perfetto.json"
BYTES_PER_MICROSECOND = 1000  # trace events count time in microseconds
DIGITS = 12  # of a number with a fraction; Perfetto misreads those of 20 decimals
TIME_AXIS = (
    "not time: 1 ns stands for 1 byte moved (eager accounting, reads and writes); operations "
    "follow one another in the order in which they ran"
)
UNITS = {"joules": "J", "macs": "MACs"}


def document(timelines: Sequence[Timeline]) -> dict[str, Any]:
    """Return the trace of one training step per algorithm, ready for ``json.dump``."""
    events = [
        event
        for process, timeline in enumerate(timelines, start=1)
        for event in _process(process, timeline)
    ]
    profiles = {timeline.profile.name: timeline.profile.convention for timeline in timelines}
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "made_by": f"ffenergy {version('ffenergy')}",
            "time_axis": TIME_AXIS,
            "bytes_accounting": "eager",
            "energy_model": f"reuse distances at {GRAIN} grain, steady state",
            **{f"energy_profile {name}": text for name, text in profiles.items()},
        },
    }


def _process(process: int, timeline: Timeline) -> Iterator[dict[str, Any]]:
    layers = layers_in_order({event.layer for event in timeline.events})
    first = 100 * process + 1  # a track numbered as its process would be taken for its main thread
    tracks = {layer: number for number, layer in enumerate(layers, start=first)}
    name = ALGORITHM_NAMES.get(timeline.algorithm, timeline.algorithm)
    yield _metadata("process_name", process, 0, name=f"{name}: one training step")
    yield _metadata("process_labels", process, 0, labels="1 ns = 1 byte moved, not time")
    yield _metadata("process_sort_index", process, 0, sort_index=process)
    for layer, track in tracks.items():
        yield _metadata("thread_name", process, track, name=layer)
        yield _metadata("thread_sort_index", process, track, sort_index=track)
    table = timeline.operations
    moved = (table["bytes_read"] + table["bytes_written"]).to_numpy()
    ends = np.cumsum(moved)
    for number, event in enumerate(timeline.events):
        yield {
            "ph": "X",
            "name": event.operation,
            "cat": event.phase,
            "pid": process,
            "tid": tracks[event.layer],
            "ts": _microseconds(ends[number] - moved[number]),
            "dur": _microseconds(moved[number]),
            "args": _arguments(event, timeline.buffers, int(table["flops"][number])),
        }
    yield from _counters(process, timeline, ends)


def _counters(process: int, timeline: Timeline, ends: np.ndarray) -> Iterator[dict[str, Any]]:
    """Live memory while an operation runs; before each and after the last, bytes and energy."""
    table, profile = timeline.operations, timeline.profile
    energy = f"energy so far ({UNITS[profile.result_unit]}, {profile.name})"
    moved = {way: _running(table[f"bytes_{way}"]) for way in ("read", "written")}
    spent = {part: _running(table[profile.column(part)]) for part in ("compute", "movement")}
    for number, at in enumerate([0, *ends]):
        for name, sums in (("moved so far (bytes)", moved), (energy, spent)):
            yield _counter(name, process, at, {part: sums[part][number] for part in sums})
        if number < len(table):
            live = {role: int(table[role][number]) for role in ROLES}
            yield _counter("live memory (bytes)", process, at, live)


def _running(column: pd.Series[Any]) -> list[Any]:
    sums = column.cumsum().tolist()
    return [0, *(float(f"{s:.{DIGITS}g}") if isinstance(s, float) else s for s in sums)]


def _arguments(event: Event, buffers: Mapping[int, BufferInfo], flops: int) -> dict[str, Any]:
    return {
        "phase": event.phase,
        "bytes_read": sum(access.nbytes for access in event.reads),
        "bytes_written": sum(access.nbytes for access in event.writes),
        "flops": flops,
        "dtype": event.dtype,
        "kind": str(event.kind),
        "fused_in": event.fusion[0][0] if event.fusion else "",
        "reads": [_operand(access, buffers) for access in event.reads],
        "writes": [_operand(access, buffers) for access in event.writes],
    }


def _operand(access: Access, buffers: Mapping[int, BufferInfo]) -> str:
    """Such as ``weight (784, 500) of layer1, 1568000 bytes``."""
    name = buffers[access.buffer].name
    return f"{access.role} {access.shape}{f' of {name}' if name else ''}, {access.nbytes} bytes"


def _counter(name: str, process: int, moved: int, values: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "C", "name": name, "pid": process, "ts": _microseconds(moved), "args": values}


def _metadata(name: str, process: int, track: int, /, **args: Any) -> dict[str, Any]:
    return {"ph": "M", "name": name, "pid": process, "tid": track, "ts": 0, "args": args}


def _microseconds(moved: int) -> float:
    return int(moved) / BYTES_PER_MICROSECOND
