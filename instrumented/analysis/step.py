"""One call from a recorded trace to reuse distances, levels, miss curves and live memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from instrumented.analysis import histogram
from instrumented.analysis.histogram import PLACE
from instrumented.analysis.levels import serve
from instrumented.analysis.live import LiveMemory, live_memory
from instrumented.books.events import OUTSIDE, BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.fusion_scopes import name_of
from instrumented.lowering.kinds import Grain, MemoryKind

if TYPE_CHECKING:
    from instrumented.lowering.stream import Stream

NUMBERS = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]
Done = Mapping[tuple[str, ...], tuple[int, int, int]]
STEPS_NEEDED = 3
ATOM = 16


@dataclass(frozen=True)
class Analysis:
    """What one training step moves, and how far, in the steady state.

    ``sums`` has exact sums per place (a row of ``places``: layer, phase, operation, role) and
    distance in bytes: bytes_read; bytes_allocated (read in by a cache only to be overwritten);
    bytes_written, at the distance of the farthest access before they are overwritten or die;
    bytedmd (scratchpad). COLD is farther than any memory, NEVER (written, dead) nearer. ``done``
    has calls, flops and special flops per layer, phase, operation and role. Everything else is
    derived from these. ``instructions`` and ``accesses`` say how large the lowered step is,
    ``atom`` how many multiply-adds an instruction of a product does along each of its loops.

    Where the memory is managed, a distance is the least of the capacities asked for at which an
    access hits (a schedule that exists), and ``least`` says what no schedule goes below: capacity,
    bytes_read and bytes_written, each at the least by itself.
    """

    grain: str
    memory: str
    fused: bool
    atom: int
    step: int
    places: pd.DataFrame
    sums: pd.DataFrame
    done: Done
    instructions: int
    accesses: int
    least: pd.DataFrame | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """``sums`` with the columns of ``places``: PLACE, distance and the four sums."""
        places = self.places.iloc[self.sums["place"].to_numpy()].reset_index(drop=True)
        return pd.concat([places, self.sums.drop(columns="place")], axis=1)

    @cached_property
    def traffic(self) -> pd.DataFrame:
        """Calls, flops and bytes (``NUMBERS``) per layer, phase, operation and role."""
        work = pd.DataFrame(
            [(*place, *numbers) for place, numbers in self.done.items()],
            columns=[*PLACE, *NUMBERS[:3]],
        )
        frame = pd.concat([self.table[[*PLACE, *NUMBERS[3:]]], work], ignore_index=True).fillna(0)
        summed = frame.groupby(PLACE, sort=False)[NUMBERS].sum().astype(np.int64)
        return summed[(summed != 0).any(axis=1)].reset_index()

    @cached_property
    def reads(self) -> pd.DataFrame:
        """Rows of ``table`` that read: PLACE, distance, bytes_read, bytedmd."""
        columns = ["bytes_read", "bytedmd"]
        chosen = (self.table[columns] != 0).any(axis=1)
        return self.table.loc[chosen, [*PLACE, "distance", *columns]].reset_index(drop=True)

    @cached_property
    def writes(self) -> pd.DataFrame:
        """Rows of ``table`` that write: PLACE, distance, bytes_written."""
        chosen = self.table["bytes_written"] != 0
        columns = [*PLACE, "distance", "bytes_written"]
        return self.table.loc[chosen, columns].reset_index(drop=True)

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
        return sum(self.table["bytedmd"].tolist())

    def levels(self, capacities: Sequence[int], names: Sequence[str] | None = None) -> pd.DataFrame:
        """Bytes read from and written to every memory level (``levels.serve``)."""
        return serve(self.table, capacities, names)

    def misses(self, capacities: npt.ArrayLike) -> npt.NDArray[np.int64]:
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
    memory: str = MemoryKind.SCRATCHPAD,
    atom: int = ATOM,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
    capacities: Sequence[int] = (),
) -> Analysis:
    """Price one training step of a recorded trace, in the steady state.

    A record without steps is priced whole, as one program that starts with empty memories.

    Args:
        events: a trace made with ``record=True``, or its events in order: at least three like
            steps (five for a cache, which does not know what is dead), or none at all.
        buffers: the buffers that the events name; a trace brings its own.
        grain: ``operation``, ``tile`` or ``packed`` (``lowering/kinds.py``).
        memory: ``scratchpad``, ``cache``, or at tile grain ``managed``.
        atom: multiply-adds of one instruction of a product along each of its loops (tile grain).
        fused: read every fusion scope as one kernel.
        scopes: which fusion scopes, by name; None: all.
        step: the step to report; by default the middle one (of an even number the later). The
            steps before it warm the stack up, those after it show what becomes of its writes.
        capacities: sizes of a managed memory in bytes. It is managed for each of them; at a size
            between two of them it counts as the smaller.

    Raises:
        InstrumentError: an unknown grain, memory or fusion scope, an atom below 1, a managed memory
            without a capacity or not at tile grain, too few steps, or nothing recorded.
    """
    return analyses(
        events,
        buffers,
        grain=grain,
        memories=(memory,),
        atom=atom,
        fused=fused,
        scopes=scopes,
        step=step,
        capacities=capacities,
    )[memory]


def analyses(
    events: Recorded | Sequence[Event],
    buffers: Mapping[int, BufferInfo] | None = None,
    *,
    grain: str = Grain.OPERATION,
    memories: Sequence[str] = (MemoryKind.SCRATCHPAD,),
    atom: int = ATOM,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
    stream: Stream | None = None,
    capacities: Sequence[int] = (),
) -> dict[str, Analysis]:
    """Price one step in several memories at once, as ``analyse`` does in one: by memory.

    ``stream`` is what ``streamed`` makes of the same events, grain and scopes, if it is there.

    Raises:
        InstrumentError: as ``analyse``.
    """
    if grain not in tuple(Grain):
        raise InstrumentError(f"unknown grain {grain!r}; use {', '.join(Grain)}")
    for memory in memories:
        if memory not in tuple(MemoryKind):
            raise InstrumentError(f"unknown memory {memory!r}; use {', '.join(MemoryKind)}")
        if memory == MemoryKind.MANAGED and (grain != Grain.TILE or min(capacities, default=0) < 1):
            raise InstrumentError("a managed memory needs capacities in bytes, and the grain tile")
    if not isinstance(atom, int | np.integer) or atom < 1:
        raise InstrumentError(f"atom={atom!r}: an instruction does 1 multiply-add or more a loop")
    from instrumented.analysis.step_distances import distances

    events, buffers = _events_and_buffers(events, buffers)
    reported = _reported(events, step)
    enabled = _enabled(events, scopes, fused=fused)
    if stream is None:
        about = None if MemoryKind.MANAGED in memories else reported
        stream = streamed(events, buffers, grain=grain, atom=atom, scopes=enabled, about=about)
    priced = distances(stream, buffers, reported, memories, enabled, capacities)
    done = _done((event for event in events if event.step == reported), enabled)
    return {
        memory: Analysis(
            grain=str(grain),
            memory=str(memory),
            fused=fused,
            atom=atom,
            step=reported,
            places=priced.places,
            sums=sums,
            done=done,
            instructions=priced.instructions,
            accesses=priced.accesses,
            least=priced.least if memory == MemoryKind.MANAGED else None,
        )
        for memory, sums in priced.sums.items()
    }


def streamed(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    grain: str = Grain.OPERATION,
    atom: int = ATOM,
    scopes: Collection[str] | None = (),
    about: int | None = None,
) -> Stream:
    """Lower events once, for whatever is asked of them: ``analyses`` and ``analyse_live``.

    With a step that alone is asked ``about``, less of the others is gone through; this is not for a
    managed memory, whose past has a part in what it keeps, or for live memory.
    """
    from instrumented.lowering.cuts import ATOM as DEFAULT
    from instrumented.lowering.lower import lower
    from instrumented.lowering.stream import Stream

    cells = DEFAULT._replace(product=atom, rows=atom, columns=atom, block=atom * atom)
    return Stream(lower(events, buffers, grain=grain, scopes=scopes, atom=cells), about)


def analyse_live(
    events: Recorded | Sequence[Event],
    buffers: Mapping[int, BufferInfo] | None = None,
    *,
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
    stream: Stream | None = None,
) -> LiveMemory:
    """Follow live memory through one training step; arguments and errors as in ``analyses``."""
    events, buffers = _events_and_buffers(events, buffers)
    reported = _reported(events, step)
    if stream is None:
        stream = streamed(events, buffers, scopes=_enabled(events, scopes, fused=fused))
    return live_memory(stream, buffers, reported)


def analyse_tuned(
    events: Recorded | Sequence[Event],
    buffers: Mapping[int, BufferInfo] | None = None,
    *,
    capacities: Sequence[int],
    fused: bool = False,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> pd.DataFrame:
    """Say what it saves to tile every product for the memory at hand.

    Arguments and errors are as in ``analyse``. The result (``tuning.tuned``) is to be taken off
    what a scratchpad moves at tile grain: bytes per layer, phase, operation, role and capacity.
    """
    from instrumented.analysis.tuning import tuned

    events, buffers = _events_and_buffers(events, buffers)
    enabled = _enabled(events, scopes, fused=fused)
    reported = _reported(events, step)
    stream = streamed(events, buffers, grain=Grain.TILE, scopes=enabled, about=reported)
    return tuned(stream, reported, capacities, enabled)


def _events_and_buffers(
    recorded: Recorded | Sequence[Event], buffers: Mapping[int, BufferInfo] | None
) -> tuple[Sequence[Event], Mapping[int, BufferInfo]]:
    if not isinstance(recorded, Sequence):
        return recorded.events, recorded.buffers
    if buffers is None:
        raise InstrumentError("events alone do not say what their buffers are; give both")
    return recorded, buffers


def _enabled(
    events: Sequence[Event], scopes: Collection[str] | None, *, fused: bool
) -> Collection[str] | None:
    """Return the fusion scopes that are read as kernels, None for all; refuse names of none."""
    if scopes is not None:
        known = {name for event in events for name, _ in event.fusion}
        unknown = [name for name in scopes if name not in known]
        if unknown:
            raise InstrumentError(
                f"scopes: no fusion scope is named {', '.join(map(repr, unknown))}; recorded are "
                f"{', '.join(sorted(known)) or 'none'}"
            )
    return scopes if fused else ()


def _reported(events: Sequence[Event], step: int | None) -> int:
    """Return the step to report; OUTSIDE, which is everything, where there are no steps."""
    if step is not None:
        return step
    if not events:
        raise InstrumentError("this trace recorded no operation; there is nothing to price")
    return OUTSIDE if all(event.step == OUTSIDE for event in events) else steady_step(events)


def steady_step(events: Sequence[Event]) -> int:
    """Return the middle step of a record: warmed up before it, and seen through after it.

    Raises:
        InstrumentError: fewer than three steps.
    """
    steps = sorted({event.step for event in events} - {OUTSIDE})
    if len(steps) < STEPS_NEEDED:
        raise InstrumentError(
            f"{len(steps)} recorded steps show no steady state; record at least {STEPS_NEEDED}, "
            "or name the step to report"
        )
    return steps[len(steps) // 2]


def _done(events: Iterable[Event], scopes: Collection[str] | None) -> Done:
    """Add up calls and flops of events by place: layer, phase, operation and role."""
    found: dict[tuple[str, ...], tuple[int, int, int]] = {}
    for event in events:
        results = event.writes or event.reads
        role = results[0].role if results else "temporary"
        place = (event.layer, event.phase, name_of(event, scopes), role)
        calls, flops, special = found.get(place, (0, 0, 0))
        found[place] = calls + 1, flops + event.work.flops, special + event.work.special
    return found
