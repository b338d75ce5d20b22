"""What one step of a kind costs before any price: stack distances, arithmetic, live memory."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.prices import ACCOUNTINGS, GRAINS, PLACE
from ffenergy.costs.recording import Recording
from instrumented import Analysis, Event, analyse, analyse_live
from instrumented.analysis import steady_step
from instrumented.live import LiveMemory

WORK: Final = ("adds", "multiplies", "specials")


@dataclass(frozen=True)
class StepCosts:
    """One step in its steady state, under every accounting and grain.

    ``work`` has a row per layer, phase, role and dtype with adds, multiplies and specials; fusion
    leaves arithmetic as it is. ``live`` is by accounting.
    """

    analyses: dict[tuple[str, str], Analysis]
    work: pd.DataFrame
    live: dict[str, LiveMemory]

    def footprint(self, accounting: str) -> int:
        """Bytes that the step needs in memory: its peak, and the data set."""
        series = self.live[accounting].series
        return self.live[accounting].peak_bytes + int(series["data_set"].max())


def step_costs(recording: Recording) -> StepCosts:
    """Analyse a recording at every grain, eager and fused."""
    events, buffers = recording.trace.events, recording.trace.buffers
    return StepCosts(
        analyses={
            (accounting, grain): analyse(events, buffers, grain=grain, fused=accounting == "fused")
            for accounting, grain in product(ACCOUNTINGS, GRAINS)
        },
        work=_work(events),
        live={
            accounting: analyse_live(events, buffers, fused=accounting == "fused")
            for accounting in ACCOUNTINGS
        },
    )


def _work(events: list[Event]) -> pd.DataFrame:
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
