"""Live memory over one training step: which bytes must be held at every moment, and for whom.

A value is alive from the event that writes it to the event that reads it last, in workspaces too.
Weights and optimiser state are held all the time; data sets (data that no event writes) are too,
but stand apart in a column of their own: they lie in bulk storage, and every algorithm shares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from instrumented.analysis.reuse import holding, lifetimes
from instrumented.books.events import BufferInfo, Event
from instrumented.books.operand import ROLES
from instrumented.lowering.program import NO_VALUE, Program
from instrumented.lowering.uses import Ints

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


def live_memory(program: Program, buffers: Mapping[int, BufferInfo], step: int) -> LiveMemory:
    """Follow the live bytes through one step of a program at operation grain, eager or fused.

    The record should hold a step before and a step after, so that what crosses steps is known.
    """
    contents = program.contents
    born, last = lifetimes(program)
    owner = [buffers[buffer] for buffer in contents.buffer.tolist()]
    always = holding(program, buffers)
    own = np.array([not any(i.buffer in kept for kept in always.values()) for i in owner], np.bool_)
    maker = _makers(program)
    steps = np.array([program.events[event].step for event in program.event.tolist()], np.int64)
    moments = np.flatnonzero(steps == step)
    start, stop = int(moments[0]), int(moments[-1]) + 1
    held = dict.fromkeys((*ROLES, DATA_SET), 0)
    held[DATA_SET] = sum(buffers[buffer].nbytes for buffer in always["data_set"])
    for buffer in always["state"]:
        held[buffers[buffer].role] += buffers[buffer].nbytes

    present = np.flatnonzero(own & (last >= start) & (born < stop))
    roles = np.array(
        [
            program.operands[m][1].role if m >= 0 else owner[v].role
            for v, m in _pairs(present, maker)
        ]
    )
    events = [program.events[event] for event in program.event[start:stop].tolist()]
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
            born[mine] - start, last[mine] - start, contents.sizes[mine], stop - start
        )
    series["total"] = series[list(ROLES)].sum(axis=1)
    series[DATA_SET] = held[DATA_SET]
    peak = start + int(series["total"].to_numpy().argmax())
    there = present[(born[present] <= peak) & (peak <= last[present])]
    return LiveMemory(series, _who(program, buffers, there, maker))


def _makers(program: Program) -> Ints:
    """Return the operand that wrote each value, -1 for those there from the start."""
    maker = np.full(program.contents.sizes.size, -1, np.int64)
    written = np.flatnonzero(program.write & (program.value != NO_VALUE))
    maker[program.value[written]] = program.operand[written]
    return maker


def _pairs(values: Ints, maker: Ints) -> list[tuple[int, int]]:
    return list(zip(values.tolist(), maker[values].tolist(), strict=True))


def _bytes_alive(born: Ints, last: Ints, sizes: Ints, moments: int) -> Ints:
    change = np.zeros(moments + 1, np.int64)
    np.add.at(change, np.maximum(born, 0), sizes)
    np.subtract.at(change, np.minimum(last + 1, moments), sizes)
    return np.cumsum(change)[:-1]


def _who(
    program: Program, buffers: Mapping[int, BufferInfo], values: Ints, maker: Ints
) -> pd.DataFrame:
    """List the buffers alive, the largest first: state whole, others their live part."""
    rows: dict[tuple[object, ...], int] = {}
    for buffer in sorted(holding(program, buffers)["state"]):
        info = buffers[buffer]
        rows[info.buffer, info.role, info.name or "", "", "", ""] = info.nbytes
    for value, operand in _pairs(values, maker):
        info = buffers[int(program.contents.buffer[value])]
        role, birth = info.role, ("", "", "")
        if operand >= 0:
            index, access = program.operands[operand]
            role, birth = access.role, _birth(program.events[index])
        key = (info.buffer, role, info.name or "", *birth)
        rows[key] = rows.get(key, 0) + int(program.contents.sizes[value])
    columns = ["buffer", "role", "name", "layer", "phase", "operation"]
    frame = pd.DataFrame([(*key, size) for key, size in rows.items()], columns=[*columns, "bytes"])
    return frame.sort_values("bytes", ascending=False, kind="stable", ignore_index=True)


def _birth(event: Event) -> tuple[str, str, str]:
    return event.layer, event.phase, event.operation
