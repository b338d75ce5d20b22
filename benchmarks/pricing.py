"""Seconds and memory of pricing, and of two commands, against what they are meant to take.

    python -m benchmarks.pricing [CASE …] [--repeats 3]

Each run is a process of its own; figures are medians. A case prices what `compare` does, and as it
does, several kinds at a time: every kind of step of Forward-Forward, backprop and the untrained
control, eager and fused, at both grains, in all memories. Seconds of a clock depend on what else a
machine does, those of the processor hardly. MiB are those above what rehearsing the steps takes.
`scale` has processor seconds per million accesses: about equal where time is linear in accesses.
`report` rebuilds the committed quick run; its seconds are those beside pricing, the start included.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ALGORITHMS = ("ff", "bp", "random")
QUICK = Path(__file__).parents[1] / "reports" / "compare-quick"
GOALS = {  # seconds, MiB
    "quick": (4, None),
    "1000x4": (20, 1024),
    "2000x4": (60, None),
    "batch-1000": (None, None),
    "report": (10, None),
    "measure": (2, None),
    "help": (0.4, None),
}
COMMANDS = {
    "measure": ("measure", "--preset", "quick"),
    "help": ("--help",),
}
CASES: dict[str, dict[str, Any]] = {
    "quick": {},
    "1000x4": {"layer_sizes": "784,1000,1000,1000,1000"},
    "2000x4": {"layer_sizes": "784,2000,2000,2000,2000"},
    "batch-1000": {"layer_sizes": "784,2000,2000,2000,2000", "batch_size": 1000},
}


def priced(case: str) -> dict[str, float]:
    """Price a case in this process."""
    from ffenergy.costs.rehearsal import Workload, rehearse
    from ffenergy.costs.step_costs import side_by_side, step_costs
    from ffenergy.settings import Settings

    settings = Settings.from_preset("quick").replace(**CASES[case])
    one_step = case == "batch-1000"
    rehearsals = [
        rehearse(name, Workload(settings, 60_000, 10_000))
        for name in (ALGORITHMS[:1] if one_step else ALGORITHMS)
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun, used = time.perf_counter(), time.process_time()
    kinds = {
        kind.signature.digest: (rehearsal, kind)
        for rehearsal in rehearsals
        for kind in rehearsal.kinds
        if not one_step or kind.kind.label == "train"
    }
    recorded = [(rule.algorithm, rule.record(kind)) for rule, kind in kinds.values()]
    costs = side_by_side(step_costs, recorded)
    accesses = sum(one.accesses for step in costs.values() for one in step.analyses.values())
    seconds, cpu = time.perf_counter() - begun, time.process_time() - used
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"seconds": seconds, "cpu": cpu, "MiB": above / 1024, "accesses": accesses}


def rebuilt() -> dict[str, float]:
    """Rebuild the report of a copy of the quick run in this process; what of it was pricing."""
    from ffenergy.report import files
    from ffenergy.report.book import Book, saved_profiles
    from ffenergy.runs.directory import RunDirectory

    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(shutil.copytree(QUICK, Path(folder) / "run")))
        with directory.locked_run():
            saved = directory.read(print)
            begun, used = time.perf_counter(), time.process_time()
            book = Book.of(saved, saved_profiles(saved), print)
            _ = book.scenarios, book.every_profile  # which price other orders and all profiles
            took = {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - used}
            directory.add(saved, files.report(book))
    return took


def commanded(case: str) -> dict[str, float]:
    """Run a command of the program."""
    begun, used = time.perf_counter(), _children()
    command = [sys.executable, "-m", "ffenergy", *COMMANDS[case]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - begun, "cpu": _children() - used}


def _children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(case: str) -> dict[str, float]:
    """Measure a case once, in a process of its own."""
    if case in COMMANDS:
        return commanded(case)
    command = [sys.executable, "-m", "benchmarks.pricing", "--here", case]
    begun, used = time.perf_counter(), _children()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    whole = {"seconds": time.perf_counter() - begun, "cpu": _children() - used}
    found: dict[str, float] = json.loads(done.stdout)
    return {name: whole[name] - found[name] for name in whole} if case == "report" else found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("cases", nargs="*", choices=[[], *GOALS], metavar="CASE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--here", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(rebuilt() if given.here == "report" else priced(given.here)))
        return
    print(
        f"{'case':<12}{'seconds':>9}{'goal':>7}{'cpu':>9}{'MiB':>8}{'goal':>7}{'accesses':>14}"
        f"{'scale':>8}"
    )
    for case in given.cases or GOALS:
        runs = [measured(case) for _ in range(given.repeats)]
        found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        seconds, mib = GOALS[case]
        row = f"{case:<12}{found['seconds']:9.2f}{_shown(seconds):>7}{found['cpu']:9.2f}"
        if "MiB" in found:
            scale = 1e6 * found["cpu"] / found["accesses"]
            row += f"{found['MiB']:8.0f}{_shown(mib):>7}{found['accesses']:14,.0f}{scale:8.2f}"
        print(row, flush=True)


def _shown(goal: float | None) -> str:
    return "" if goal is None else f"{goal:g}"


if __name__ == "__main__":
    main()
