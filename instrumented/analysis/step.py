"""One call from a recorded trace to reuse distances, levels, miss curves and live memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pandas as pd

from instrumented.analysis import histogram
from instrumented.analysis.fused import PLACE, fuse, operand_places, traffic_of
from instrumented.analysis.levels import serve
from instrumented.analysis.live import LiveMemory, live_memory
from instrumented.analysis.reuse import distances
from instrumented.books.events import OUTSIDE, BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.lower import FAST_MEMORY, Grain, lower

STEPS_NEEDED = 3


@dataclass(frozen=True)
class Analysis:
    """What one training step moves, and how far, in the steady state.

    ``reads`` and ``writes`` are the exact tables of ``histogram.read_table`` and ``write_table``;
    everything else is derived from them. ``traffic`` has calls, flops and bytes per layer, phase,
    operation and role. ``instructions`` and ``accesses`` say how large the lowered step is.
    """

    grain: str
    fused: bool
    fast_memory: int
    step: int
    reads: pd.DataFrame
    writes: pd.DataFrame
    traffic: pd.DataFrame
    instructions: int
    accesses: int

    @cached_property
    def histogram(self) -> pd.DataFrame:
        """Reuse distances in bins of powers of two (``histogram.binned``)."""
        return histogram.binned(self.reads)

    @cached_property
    def bytedmd(self) -> pd.DataFrame:
        """ByteDMD and bytes read per layer, phase, operation and role; exact integers."""
        return self.reads.groupby(PLACE, sort=False)[["bytes_read", "bytedmd"]].sum().reset_index()

    @property
    def total_bytedmd(self) -> int:
        """ByteDMD of the step."""
        return sum(self.reads["bytedmd"].tolist())

    def levels(self, capacities: Sequence[int], names: Sequence[str] | None = None) -> pd.DataFrame:
        """Bytes read from and written to every memory level (``levels.serve``)."""
        return serve(self.reads, self.writes, capacities, names)

    def misses(self, capacities: Sequence[int]) -> np.ndarray:
        """Bytes read per step that miss a memory of each capacity (``histogram.misses``)."""
        return histogram.misses(self.reads, capacities)

    def miss_curve(self) -> pd.DataFrame:
        """Bytes missed at every capacity at once (``histogram.miss_curve``)."""
        return histogram.miss_curve(self.reads)


class Recorded(Protocol):
    """A trace that has kept its events: ``Trace(record=True)``."""

    @property
    def events(self) -> list[Event]:
        """Every operation in order."""

    @property
    def buffers(self) -> dict[int, BufferInfo]:
        """Every buffer by number."""


def analyse(
    events: Recorded | Sequence[Event],
    buffers: Mapping[int, BufferInfo] | None = None,
    *,
    grain: str = Grain.OPERATION,
    fast_memory: int = FAST_MEMORY,
    tile: tuple[int, int, int] | None = None,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> Analysis:
    """Price one training step of a recorded trace, in the steady state.

    A record without steps is priced whole, as one program that starts with empty memories.

    Args:
        events: a trace made with ``record=True``, or its events in order: at least three like
            steps, or none at all.
        buffers: the buffers that the events name; a trace brings its own.
        grain: ``operation`` or ``tile``.
        fast_memory: bytes for which tiles and blocks are chosen (tile grain).
        tile: (m, n, k) of every matmul tile, to set it instead.
        fused: read every fusion scope as one kernel.
        scopes: which fusion scopes, by name; None: all.
        step: the step to report; by default the last but one. The steps before it warm the stack
            up, the one after it shows what it leaves behind is read again.

    Raises:
        InstrumentError: an unknown grain, too few steps, or a fast memory that holds no tile.
    """
    if grain not in tuple(Grain):
        raise InstrumentError(f"unknown grain {grain!r}; use operation or tile")
    events, buffers = _events_and_buffers(events, buffers)
    reported = _reported(events, step)
    enabled: Collection[str] | None = scopes if fused else ()
    program = lower(
        events, buffers, grain=grain, fast_memory=fast_memory, tile=tile, scopes=enabled
    )
    if fused:
        program = fuse(program, grain=grain)
    places = operand_places(program, enabled)
    distance = distances(program, buffers)
    chosen = program.in_step(reported)
    return Analysis(
        grain=str(grain),
        fused=fused,
        fast_memory=fast_memory,
        step=reported,
        reads=histogram.read_table(program, places, distance, chosen),
        writes=histogram.write_table(program, places, distance, chosen),
        traffic=traffic_of(program, scopes=enabled, step=reported),
        instructions=int(np.unique(program.instruction[chosen]).size),
        accesses=int(chosen.sum()),
    )


def analyse_live(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> LiveMemory:
    """Follow live memory through one training step; arguments as in ``analyse``."""
    reported = steady_step(events) if step is None else step
    program = lower(events, buffers, scopes=scopes if fused else ())
    if fused:
        program = fuse(program, grain=Grain.OPERATION)
    return live_memory(program, buffers, reported)


def _events_and_buffers(
    recorded: Recorded | Sequence[Event], buffers: Mapping[int, BufferInfo] | None
) -> tuple[Sequence[Event], Mapping[int, BufferInfo]]:
    if not isinstance(recorded, Sequence):
        return recorded.events, recorded.buffers
    if buffers is None:
        raise InstrumentError("events alone do not say what their buffers are; give both")
    return recorded, buffers


def _reported(events: Sequence[Event], step: int | None) -> int:
    """Return the step to report; OUTSIDE, which is everything, where there are no steps."""
    if step is not None:
        return step
    if not events:
        raise InstrumentError("this trace recorded no operation; there is nothing to price")
    return OUTSIDE if all(event.step == OUTSIDE for event in events) else steady_step(events)


def steady_step(events: Sequence[Event]) -> int:
    """Return the last but one step of a record: warmed up before it, and read again after it.

    Raises:
        InstrumentError: fewer than three steps.
    """
    steps = sorted({event.step for event in events} - {OUTSIDE})
    if len(steps) < STEPS_NEEDED:
        raise InstrumentError(
            f"{len(steps)} recorded steps show no steady state; record at least {STEPS_NEEDED}, "
            "or name the step to report"
        )
    return steps[-2]
