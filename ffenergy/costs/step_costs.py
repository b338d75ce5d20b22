"""What one step of a kind costs before any price: stack distances, arithmetic, live memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from typing import Final

import joblib
import numpy as np
import pandas as pd

from ffenergy.costs.prices import (
    ACCOUNTINGS,
    BYTEDMD_MEMORY,
    CACHE,
    PLACE,
    PRICED_GRAIN,
    SCRATCHPAD,
)
from ffenergy.costs.rehearsal import Recording
from ffenergy.errors import PricingError
from instrumented import Analysis, Event, InstrumentError, analyse_live
from instrumented.analysis.live import LiveMemory
from instrumented.analysis.step import analyses, steady_step, streamed
from instrumented.books.recorder import uncollected
from instrumented.lowering.kinds import Grain

WORK: Final = ("adds", "multiplies", "specials")
MOST_THREADS: Final = 4
"""More would wait for Python's lock, and each takes the memory of an analysis."""
SWITCH_SECONDS: Final = 5e-5
"""After which a thread of an analysis gives way to one that waits for Python's lock."""


@dataclass(frozen=True)
class StepCosts:
    """One step in its steady state, under every accounting, memory and grain.

    ``work`` has a row per layer, phase, role and dtype with adds, multiplies and specials; fusion
    leaves arithmetic as it is. ``analyses`` is by accounting, memory and grain, ``live`` by
    accounting, and so is ``tuned``: what tiling every product for one memory saves.
    """

    analyses: dict[tuple[str, str, str], Analysis]
    work: pd.DataFrame
    live: dict[str, LiveMemory]
    tuned: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def footprint(self, accounting: str) -> int:
        """Bytes that the step needs in memory: its peak, and the data set."""
        series = self.live[accounting].series
        return self.live[accounting].peak_bytes + int(series["data_set"].max())


def step_costs(recording: Recording) -> StepCosts:
    """Analyse a recording at every grain, under every accounting, in cache and scratchpad."""
    eager, fused = ACCOUNTINGS
    found, live = _read(recording, eager, (CACHE, SCRATCHPAD))
    if any(event.fusion for event in recording.events):
        more, alive = _read(recording, fused, (CACHE, SCRATCHPAD))
    else:  # as it is eager
        more, alive = {(fused, *key[1:]): one for key, one in found.items()}, {fused: live[eager]}
    return StepCosts(found | more, _work(recording.events), live | alive)


def reading_costs(recording: Recording, accounting: str, memory: str) -> StepCosts:
    """Analyse a recording under one accounting in one memory, which is not managed."""
    found, live = _read(recording, accounting, (memory,))
    return StepCosts(found, _work(recording.events), live)


def _read(
    recording: Recording, accounting: str, memories: Sequence[str]
) -> tuple[dict[tuple[str, str, str], Analysis], dict[str, LiveMemory]]:
    """Analyse one reading of a recording in some memories; what is alive too, by accounting.

    A cache is there for the program as it runs: eager products in it are packed, as BLAS does.
    Operation after operation only a scratchpad is analysed, for ByteDMD.
    """
    events, buffers = recording.events, recording.buffers
    fused = accounting == "fused"
    whole = streamed(events, buffers, scopes=None if fused else ())
    packed = [CACHE] if CACHE in memories and not fused else []
    tiled = [memory for memory in memories if memory not in packed]
    asked = (
        ("operation", Grain.OPERATION, [BYTEDMD_MEMORY], whole),
        (PRICED_GRAIN, Grain.TILE, tiled, None),
        (PRICED_GRAIN, Grain.PACKED, packed, None),
    )
    found = {
        (accounting, memory, name): one
        for name, grain, chosen, stream in asked
        if chosen
        for memory, one in analyses(
            events, buffers, grain=grain, memories=chosen, fused=fused, stream=stream
        ).items()
    }
    return found, {accounting: analyse_live(events, buffers, fused=fused, stream=whole)}


def side_by_side(
    analyse: Callable[[Recording], StepCosts], recorded: Sequence[tuple[str, Recording]]
) -> dict[str, StepCosts]:
    """Analyse recordings of algorithms in threads, by digest: compiled loops let others run.

    Long ones begin first, so that no thread waits for the last of them alone. Whoever is stopped or
    fails waits for none: threads of such a pool do not keep Python from ending.

    Raises:
        PricingError: a step that cannot be analysed.
    """

    def analysed(algorithm: str, recording: Recording) -> StepCosts:
        try:
            return analyse(recording)
        except InstrumentError as error:
            raise PricingError(f"{algorithm}, step {recording.kind.label}: {error}") from error

    with uncollected(), _soon_let_in(), ThreadPool(min(joblib.cpu_count(), MOST_THREADS)) as pool:
        waiting = {
            one.digest: pool.apply_async(copy_context().run, (analysed, algorithm, one))
            for algorithm, one in sorted(recorded, key=lambda pair: _length(pair[1]), reverse=True)
        }
        return {one.digest: waiting[one.digest].get() for _, one in recorded}


@contextmanager
def _soon_let_in() -> Iterator[None]:
    """Let a thread whose compiled loop has ended go on at once: by itself Python has it wait 5 ms.

    Pricing takes 5 to 10 % less time so.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def about_accesses(flops: float, nbytes: float) -> float:
    """Estimate how many accesses a program has: of micro-tiles of 16³, and of blocks of 1 KiB."""
    return flops / 2**11 + nbytes / 2**10


def _length(recording: Recording) -> float:
    flops = sum(event.work.flops for event in recording.events)
    operands = (one for event in recording.events for one in (*event.reads, *event.writes))
    return about_accesses(flops, sum(operand.nbytes for operand in operands))


def _work(events: Sequence[Event]) -> pd.DataFrame:
    """Arithmetic of the steady step, on the role of the result as in traffic.csv."""
    steady = steady_step(events)
    rows = []
    for event in events:
        results = event.writes or event.reads
        if event.step == steady and event.work.flops:
            role = results[0].role if results else "temporary"
            work = (event.work.add, event.work.multiply, event.work.special)
            rows.append((event.layer, event.phase, role, event.dtype, *work))
    table = pd.DataFrame(rows, columns=[*PLACE, "dtype", *WORK])
    added = table.groupby([*PLACE, "dtype"], sort=False)[list(WORK)].sum()
    return added.astype(np.int64).reset_index()
