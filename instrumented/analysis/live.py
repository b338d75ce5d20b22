"""Live memory over one training step: which bytes must be held at every moment, and for whom.

A value is alive from the event that writes it to the event that reads it last, in workspaces too.
Weights and optimiser state are held all the time; data sets (data that no event writes) are too,
but stand apart in a column of their own: they lie in bulk storage, and every algorithm shares them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from instrumented.books.events import BufferInfo, Event
from instrumented.books.operand import ROLES

if TYPE_CHECKING:
    from instrumented.lowering.stream import Stream, Values
    from instrumented.lowering.table import NestTable

Ints = npt.NDArray[np.int64]

DATA_SET = "data_set"


@dataclass(frozen=True)
class LiveMemory:
    """Bytes alive at each event of a step.

    ``series`` has a row per event: moment, layer, phase, operation, one column of bytes per role,
    ``total`` (all roles) and ``data_set`` (preloaded data, not in the total). ``alive`` lists who
    is alive at the peak of the total: role, name, layer, phase and operation of birth, bytes.
    """

    series: pd.DataFrame
    alive: pd.DataFrame

    @property
    def peak_bytes(self) -> int:
        """Most bytes alive at once, data sets left out."""
        return int(self.series["total"].max())

    @property
    def peak_activation_bytes(self) -> int:
        """Most bytes of role activation alive at once."""
        return int(self.series["activation"].max())

    @property
    def peak(self) -> pd.Series[int]:
        """The row of the series at which the total is largest, the first of them."""
        row: pd.Series[int] = self.series.iloc[int(self.series["total"].to_numpy().argmax())]
        return row


def live_memory(stream: Stream, buffers: Mapping[int, BufferInfo], step: int) -> LiveMemory:
    """Follow the live bytes through one step of a stream at operation grain, eager or fused.

    The record should hold a step before and a step after, so that what crosses steps is known.
    """
    from instrumented.lowering.stream import values_of  # brings numba, which takes its time

    table, values = stream.table, values_of(stream)
    born, last = _lifetimes(values)
    owner = [buffers[buffer] for buffer in values.buffer.tolist()]
    always = holding(table.events, buffers, step)
    own = np.array([not any(i.buffer in kept for kept in always.values()) for i in owner], np.bool_)
    maker = _makers(values)
    start, stop = table.span(step)
    held = dict.fromkeys((*ROLES, DATA_SET), 0)
    held[DATA_SET] = sum(buffers[buffer].nbytes for buffer in always["data_set"])
    for buffer in always["state"]:
        held[buffers[buffer].role] += buffers[buffer].nbytes

    present = np.flatnonzero(own & (last >= start) & (born < stop))
    roles = np.array(
        [table.operands[m][1].role if m >= 0 else owner[v].role for v, m in _pairs(present, maker)]
    )
    events = [table.first_event(group) for group in range(start, stop)]
    series = pd.DataFrame(
        {
            "moment": np.arange(stop - start),
            "layer": [event.layer for event in events],
            "phase": [event.phase for event in events],
            "operation": [event.operation for event in events],
        }
    )
    for role in ROLES:
        mine = present[roles == role]
        series[role] = held[role] + _bytes_alive(
            born[mine] - start, last[mine] - start, values.sizes[mine], stop - start
        )
    series["total"] = series[list(ROLES)].sum(axis=1)
    series[DATA_SET] = held[DATA_SET]
    peak = start + int(series["total"].to_numpy().argmax())
    there = present[(born[present] <= peak) & (peak <= last[present])]
    return LiveMemory(series, _who(table, values, buffers, always["state"], there, maker))


def holding(
    events: Sequence[Event], buffers: Mapping[int, BufferInfo], step: int
) -> dict[str, set[int]]:
    """Return the preloaded buffers that are held all the time, whoever uses them when.

    ``data_set``: data that no event writes; ``state``: weights and optimiser state. All other
    buffers (workspaces too) are alive as far as their values are. What was used before the step
    and is not used in it or after it is dead; what the record never uses may be needed later.
    """
    written: set[int] = set()
    before: set[int] = set()
    since: set[int] = set()
    for event in events:
        written.update(access.buffer for access in event.writes)
        touched = since if event.step >= step else before
        touched.update(access.buffer for access in (*event.reads, *event.writes))
    dead = before - since
    preloaded = [i for i in buffers.values() if i.preloaded and i.buffer not in dead]
    return {
        "data_set": {i.buffer for i in preloaded if i.role == "data" and i.buffer not in written},
        "state": {i.buffer for i in preloaded if i.role in ("weight", "optimizer_state")},
    }


def _lifetimes(values: Values) -> tuple[Ints, Ints]:
    """Return the instruction in which each value is born and that of its last read.

    A value that is there from the start is born in -1; one that is never read ends where it began.
    """
    held = values.value >= 0
    born = np.full(values.sizes.size, -1, np.int64)
    written = np.flatnonzero(held & values.write)
    born[values.value[written]] = values.instruction[written]
    last = born.copy()
    read = np.flatnonzero(held & ~values.write)
    last[values.value[read]] = values.instruction[read]
    return born, last


def _makers(values: Values) -> Ints:
    """Return the operand that wrote each value, -1 for those there from the start."""
    maker = np.full(values.sizes.size, -1, np.int64)
    written = np.flatnonzero(values.write & (values.value >= 0))
    maker[values.value[written]] = values.operand[written]
    return maker


def _pairs(values: Ints, maker: Ints) -> list[tuple[int, int]]:
    return list(zip(values.tolist(), maker[values].tolist(), strict=True))


def _bytes_alive(born: Ints, last: Ints, sizes: Ints, moments: int) -> Ints:
    change = np.zeros(moments + 1, np.int64)
    np.add.at(change, np.maximum(born, 0), sizes)
    np.subtract.at(change, np.minimum(last + 1, moments), sizes)
    return np.cumsum(change)[:-1]


def _who(
    table: NestTable,
    values: Values,
    buffers: Mapping[int, BufferInfo],
    state: Collection[int],
    alive: Ints,
    maker: Ints,
) -> pd.DataFrame:
    """List the buffers alive, the largest first: state whole, others their live part."""
    rows: dict[tuple[object, ...], int] = {}
    for buffer in sorted(state):
        info = buffers[buffer]
        rows[info.buffer, info.role, info.name or "", "", "", ""] = info.nbytes
    for value, operand in _pairs(alive, maker):
        info = buffers[int(values.buffer[value])]
        role, birth = info.role, ("", "", "")
        if operand >= 0:
            index, access = table.operands[operand]
            role, birth = access.role, _birth(table.events[index])
        key = (info.buffer, role, info.name or "", *birth)
        rows[key] = rows.get(key, 0) + int(values.sizes[value])
    columns = ["buffer", "role", "name", "layer", "phase", "operation"]
    frame = pd.DataFrame([(*key, size) for key, size in rows.items()], columns=[*columns, "bytes"])
    return frame.sort_values("bytes", ascending=False, kind="stable", ignore_index=True)


def _birth(event: Event) -> tuple[str, str, str]:
    return event.layer, event.phase, event.operation
