"""What one step of a kind costs before any price: stack distances, arithmetic, live memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ffenergy.costs.prices import ACCOUNTINGS, GRAINS, PLACE
from ffenergy.costs.rehearsal import Recording
from ffenergy.network.dense import NORMALIZE_FOLDED
from instrumented import Analysis, Event, analyse, analyse_live
from instrumented.analysis.live import LiveMemory
from instrumented.analysis.step import steady_step

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
    """Analyse a recording at every grain and under every accounting."""
    events, buffers = recording.events, recording.buffers
    scopes = fusion_scopes(events)
    analyses: dict[tuple[str, str], Analysis] = {}
    live: dict[str, LiveMemory] = {}
    known: dict[frozenset[str], str] = {}
    for accounting in ACCOUNTINGS:
        enabled = scopes[accounting]
        like = known.setdefault(enabled, accounting)
        if like != accounting:  # nothing in this step tells the two apart
            analyses |= {(accounting, grain): analyses[like, grain] for grain in GRAINS}
            live[accounting] = live[like]
            continue
        fusing: Any = {"fused": bool(enabled), "scopes": enabled}
        for grain in GRAINS:
            analyses[accounting, grain] = analyse(events, buffers, grain=grain, **fusing)
        live[accounting] = analyse_live(events, buffers, **fusing)
    return StepCosts(analyses, _work(events), live)


def fusion_scopes(events: Sequence[Event]) -> dict[str, frozenset[str]]:
    """Return the names of the scopes that are one kernel under each accounting.

    ``fused`` has every declared scope but the one that makes normalisation a part of the product
    that follows it; ``fused-folded`` has that one too.
    """
    declared = frozenset(name for event in events for name, _ in event.fusion)
    return {
        "eager": frozenset(),
        "fused": declared - {NORMALIZE_FOLDED},
        "fused-folded": declared,
    }


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
