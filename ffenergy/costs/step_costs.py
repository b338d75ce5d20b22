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
from instrumented.reuse import COLD, NEVER

PER_OCTAVE: Final = 4
CAPACITIES: Final = tuple(
    round(2 ** (10 + k / PER_OCTAVE)) for k in range(PER_OCTAVE * 24 + 1)
)  # 1 KiB to 16 GiB
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


def reuse(analysis: Analysis) -> pd.DataFrame:
    """Reuse distances per place in bins of powers of two; the sums are exact."""
    binned = [_binned(table) for table in (analysis.reads, analysis.writes)]
    sums = ["bytes_read", "bytes_written", "bytedmd"]
    bounds = ["distance_from_bytes", "distance_to_bytes"]
    return _added(pd.concat(binned, ignore_index=True).fillna(0), [*PLACE, *bounds], sums)


def misses(analysis: Analysis) -> pd.DataFrame:
    """What travels beyond an on-chip memory, for sizes up to the first that holds all reuse.

    A read at distance d misses a memory smaller than d, a cold one misses all; a written byte
    travels where its next read finds it.
    """
    columns = {
        name: _beyond(table["distance"].to_numpy(), table[name].to_numpy())
        for name, table in (("bytes_read", analysis.reads), ("bytes_written", analysis.writes))
    }
    table = pd.DataFrame({"capacity_bytes": CAPACITIES, **columns})
    last = table.iloc[-1][list(columns)]
    settled = (table[list(columns)] == last).all(axis=1).to_numpy().argmax()
    return table.iloc[: int(settled) + 1]


def _binned(table: pd.DataFrame) -> pd.DataFrame:
    distance = table["distance"].to_numpy(np.int64)
    high = 2 ** np.ceil(np.log2(np.maximum(distance, 1))).astype(np.int64)
    low = np.where(high == 1, 0, high // 2)
    special = (distance == COLD) | (distance == NEVER)
    return table.assign(
        distance_from_bytes=np.where(special, distance, low),
        distance_to_bytes=np.where(special, distance, high),
    )


def _beyond(distance: np.ndarray, nbytes: np.ndarray) -> np.ndarray:
    distance = np.where(distance == COLD, np.iinfo(np.int64).max, distance)
    order = np.argsort(distance, kind="stable")
    total = np.append(np.cumsum(nbytes[order][::-1])[::-1], 0)
    found: np.ndarray = total[np.searchsorted(distance[order], CAPACITIES, side="right")]
    return found.astype(np.int64)


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
    return _added(pd.DataFrame(rows, columns=[*PLACE, "dtype", *WORK]), [*PLACE, "dtype"], WORK)


def _added(table: pd.DataFrame, keys: list[str], sums: list[str] | tuple[str, ...]) -> pd.DataFrame:
    added = table.groupby(keys, sort=False)[list(sums)].sum().astype(np.int64)
    return added.reset_index()
