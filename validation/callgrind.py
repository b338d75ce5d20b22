"""The model held against a simulated cache: python -m validation.callgrind --help

callgrind simulates a cache with write-backs under one real, untraced training step, products by
OpenBLAS. `check` compares the model (`cache_model.py`) with the committed figures and needs no
valgrind; `simulate` adds a figure, `phases` the fills of every layer and phase (about 90 seconds
of processor time each; need valgrind and gcc).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pandas as pd

from ffenergy.network import optimizers
from validation.cache_model import (
    FIGURES,
    INTERPRETER,
    LEAST_FILLS_MB,
    PHASES,
    Comparison,
    OverBackprop,
    Point,
    committed,
    compared,
    over_backprop,
    phases_apart,
)

LINE = 64
WAYS = 16
ENVIRONMENT = {
    "OPENBLAS_CORETYPE": "HASWELL",
    "OPENBLAS_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
CLIENT = """
#include <valgrind/callgrind.h>
void warm(void) { CALLGRIND_START_INSTRUMENTATION; }
void begin(void) { CALLGRIND_ZERO_STATS; }
void end(void) { CALLGRIND_STOP_INSTRUMENTATION; }
void dump(const char *place) { CALLGRIND_DUMP_STATS_AT(place); }
"""


def simulate(point: Point, ways: int = WAYS) -> Point:
    """Run one step under callgrind with a last-level cache; returns the point with its figures."""
    with tempfile.TemporaryDirectory() as folder:
        _run(point, folder, ways)
        read, allocated, written = _misses(Path(folder, "out").read_text(encoding="utf-8"))
    return replace(
        point, read_fills_mb=read, write_allocate_fills_mb=allocated, write_backs_mb=written
    )


def simulate_phases(point: Point) -> dict[tuple[str, str], float]:
    """Run one step under callgrind; returns its fills by layer and phase, in 10^6 bytes."""
    fills: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        _run(point, folder, WAYS, "phases")
        for part in Path(folder).glob("out.*"):
            text = part.read_text(encoding="utf-8")
            layer, phase = re.findall(r"^desc: Trigger: Client Request: (.*),(.*)$", text, re.M)[0]
            read, allocated, _ = _misses(text)
            fills[layer, phase] = fills.get((layer, phase), 0) + read + allocated
    return fills


def _run(point: Point, folder: str, ways: int, *more: str) -> None:
    """Take a step of a point under callgrind, whose figures go to the file `out` of a folder."""
    library = Path(folder, "client.so")
    Path(folder, "client.c").write_text(CLIENT, encoding="utf-8")
    compiler = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), f"{folder}/client.c"]
    subprocess.run(compiler, check=True)
    last_level = f"--LL={point.capacity_kib * 1024},{ways},{LINE}"
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes"),
        *("--simulate-wb=yes", "--D1=32768,8,64", last_level),
        *(f"--callgrind-out-file={folder}/out", sys.executable, "-m", "validation.simulated_step"),
        *(point.algorithm, json.dumps(point.overrides), str(point.block), str(library), *more),
    ]
    subprocess.run(command, check=True, env=os.environ | ENVIRONMENT, stderr=subprocess.DEVNULL)


def _misses(text: str) -> tuple[float, float, float]:
    """Read fills, write-allocate fills and write-backs from callgrind's totals, in 10^6 bytes."""
    names = re.findall(r"^events: (.*)$", text, re.MULTILINE)[0].split()
    totals = re.findall(r"^(?:totals|summary): (.*)$", text, re.MULTILINE)[-1].split()
    count = dict(zip(names, map(int, totals), strict=False))
    backs = sum(count.get(name, 0) for name in ("ILdmr", "DLdmr", "DLdmw"))
    lines = count.get("DLmr", 0), count.get("DLmw", 0), backs
    read, allocated, written = (round(number * LINE / 1e6, 3) for number in lines)
    return read, allocated, written


def check(points: Sequence[Point]) -> None:
    """Print model and simulator side by side."""
    titles = f"{'read':>15} {'allocated':>15} {'written back':>15} {'model/sim':>10}"
    print(f"{'':>55} {titles} {f'{INTERPRETER // 1024} KiB less':>12}")
    comparisons = list(compared(points))
    for found in comparisons:
        point = found.point
        pairs = " ".join(
            f"{m:7.2f}/{s:7.2f}" for m, s in zip(found.moved, point.moved, strict=True)
        )
        ratios = f"{found.ratio:10.3f} {found.ratio_beside_interpreter:12.3f}"
        print(f"{point.name:>44} {point.capacity_kib:>6} KiB {pairs} {ratios}{_note(found)}")
    print(f"Forward-Forward over backprop, a batch: {'model':>32} {'sim':>9} {'model/sim':>10}")
    for pair in over_backprop(comparisons):
        name = f"{pair.point.name:>44} {pair.point.capacity_kib:>6} KiB"
        print(f"{name} {pair.model:16.3f} {pair.simulated:9.3f} {pair.error:+10.1%}{_note(pair)}")


def _note(found: Comparison | OverBackprop) -> str:
    return "  footprint near capacity" if found.conflicts else ""


def check_phases(table: pd.DataFrame) -> None:
    """Print how far the fills of phases lie from those of the simulator."""
    table = table[~table["conflicts"]]
    error = (table["model_mb"] / table["fills_mb"] - 1).abs()
    print(f"fills of {len(table)} phases of layers, at least {LEAST_FILLS_MB} MB each:")
    for title, errors in (("all", error), *error.groupby(table["capacity_kib"])):
        middle, most = errors.quantile([0.5, 0.9])
        size = title if isinstance(title, str) else f"{title} KiB"
        print(f"{size:>9}: median error {middle:.1%}, 90 % within {most:.1%}")


def check_all() -> None:
    """Print all that is committed, beside the model."""
    check(committed())
    check_phases(phases_apart())


def main() -> None:
    """Compare, or simulate a point and append it to the committed figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check", help="the model against the committed figures")
    paths = {"simulate": FIGURES, "phases": PHASES}
    for name, path in paths.items():
        one = commands.add_parser(name, help=f"new figures, appended to {path.name}")
        one.add_argument("algorithm")
        one.add_argument("layer_sizes", help="joined by hyphens: 784-500-500-500")
        one.add_argument("batch_size", type=int)
        one.add_argument("optimizer")
        one.add_argument("capacity_kib", type=int, nargs="+")
        one.add_argument("--block", type=int, default=optimizers.BLOCK, help="elements at a time")
        one.add_argument("--in-flight", type=int, default=1, help="batches that pass together")
    other = "of the last level; figures of any number but 16 are shown and not appended"
    commands.choices["simulate"].add_argument("--ways", type=int, default=WAYS, help=other)
    arguments = parser.parse_args()
    if arguments.command == "check":
        check_all()
        return
    network = (arguments.algorithm, arguments.layer_sizes, arguments.batch_size)
    program = (*network, arguments.optimizer, arguments.block, arguments.in_flight)
    for capacity in arguments.capacity_kib:
        point = Point(*program, capacity, 0, 0, 0)
        if arguments.command == "phases":
            fills = simulate_phases(point)
            rows = [(*program, capacity, *place, round(mb, 3)) for place, mb in fills.items()]
        else:
            rows = [astuple(simulate(point, arguments.ways))]
            if arguments.ways != WAYS:
                print(*rows, sep="\n")
                continue
        with paths[arguments.command].open("a", encoding="utf-8") as file:
            file.writelines(",".join(map(str, row)) + "\n" for row in rows)
        print(*rows, sep="\n")


if __name__ == "__main__":
    main()
