"""Seconds and memory to price one training step of the paper's network: 784-2000x4, batch 100.

    python benchmarks/paper_network.py [--layer-sizes 784,500,500,500] [--repeats 3]

A row per algorithm and grain, each in a process of its own: recording three steps, then analysing
the steady one; medians of the repeats, and the peak resident memory of that process. Wall seconds,
then seconds of processor time, which a busy machine leaves alone. The goal is 10 s and 2 GiB.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from typing import NamedTuple

import numpy as np

from ffenergy.costs.rehearsal import STEPS, Recording, Workload, rehearse
from ffenergy.settings import Settings
from instrumented import analyse

MEBIBYTE = 2**20
GOAL_SECONDS, GOAL_MEBIBYTES = 10.0, 2048.0


class Row(NamedTuple):
    """What one algorithm took at one grain; seconds are medians."""

    recording_seconds: float
    recording_cpu_seconds: float
    analysis_seconds: float
    analysis_cpu_seconds: float
    accesses: int
    peak_mebibytes: float


def peak_mebibytes() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEBIBYTE


def recorded(algorithm: str, settings: Settings) -> Recording:
    """Take like steps on random pixels and write every operation down."""
    rehearsal = rehearse(
        algorithm, Workload(settings, 1000, 0), lambda kind: int(kind.trains_layers)
    )
    return rehearsal.record(rehearsal.kinds[0])


def priced(algorithm: str, settings: Settings, grain: str, repeats: int) -> Row:
    """Record and analyse, over and over; a small network first, so that kernels are compiled."""
    small = recorded(algorithm, settings.replace(layer_sizes=(784, 20), batch_size=10))
    analyse(small.events, small.buffers, grain=grain)
    seconds, accesses = [], 0
    for _ in range(repeats):
        clocks = [(time.perf_counter(), time.process_time())]
        trace = recorded(algorithm, settings)
        clocks.append((time.perf_counter(), time.process_time()))
        accesses = analyse(trace.events, trace.buffers, grain=grain).accesses
        clocks.append((time.perf_counter(), time.process_time()))
        seconds.append(np.diff(clocks, axis=0).ravel())
    medians = dict(zip(Row._fields, np.median(seconds, axis=0).tolist(), strict=False))
    return Row(**medians, accesses=accesses, peak_mebibytes=peak_mebibytes())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", default="best")
    parser.add_argument("--layer-sizes", default="784,2000,2000,2000,2000")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    settings = Settings.from_preset(given.preset).replace(
        layer_sizes=given.layer_sizes, batch_size=given.batch_size
    )
    print(f"layers {given.layer_sizes}, batch {given.batch_size}, {settings.dtype}, {STEPS} steps")
    print(f"{'':14}{'record':>16}{'analyse':>16}")
    print(f"{'':4}{'grain':10}" + 2 * f"{'wall s':>8}{'cpu s':>8}", end="")
    print(f"{'accesses/step':>15}{'peak MiB':>10}")
    fresh = multiprocessing.get_context("spawn")
    within = True
    for algorithm in ("ff", "bp"):
        for grain in ("operation", "tile"):
            with fresh.Pool(1) as pool:  # a new process: its peak is this row's alone
                row = pool.apply(priced, (algorithm, settings, grain, given.repeats))
            seconds = "".join(f"{value:8.2f}" for value in row[:4])
            print(f"{algorithm:4}{grain:10}{seconds}{row.accesses:15,}{row.peak_mebibytes:10,.0f}")
            spent = row.recording_seconds + row.analysis_seconds
            within &= spent <= GOAL_SECONDS and row.peak_mebibytes <= GOAL_MEBIBYTES
    verdict = "met" if within else "missed"
    print(f"goal of {GOAL_SECONDS:.0f} s (wall) and {GOAL_MEBIBYTES:,.0f} MiB: {verdict}")


if __name__ == "__main__":
    main()
