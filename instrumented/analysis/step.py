"""One call from a recorded trace to reuse distances, levels, miss curves and live memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

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


def analyse(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    grain: str = Grain.OPERATION,
    fast_memory: int = FAST_MEMORY,
    tile: tuple[int, int, int] | None = None,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> Analysis:
    """Price one training step of a recorded trace, in the steady state.

    Args:
        events: events of at least three like steps, in order (``Trace(record=True).events``).
        buffers: the buffers of the trace.
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
    reported = steady_step(events) if step is None else step
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
