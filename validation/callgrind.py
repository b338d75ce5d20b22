"""The model held against a simulated cache: python -m validation.callgrind --help

callgrind simulates a cache with write-backs under one real, untraced training step, products by
OpenBLAS. The model's `cache` reading of the recorded step (five steps, the middle one; products
packed) predicts its read fills, write-allocate fills and write-backs. `check` compares the model
with the committed figures and needs no valgrind; `simulate` adds a figure, `phases` the fills of
every layer and phase (about 90 seconds of processor time each; need valgrind and gcc).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd

from ffenergy.costs import rehearsal
from ffenergy.network import optimizers
from ffenergy.network.orders import LAYER_MAJOR
from ffenergy.settings import Settings
from instrumented.analysis.step_distances import distances
from instrumented.distances.stack import COLD
from instrumented.lowering.kinds import Grain, MemoryKind
from instrumented.lowering.lower import lower
from instrumented.lowering.stream import Stream

FIGURES = Path(__file__).parent / "callgrind.csv"
PHASES = FIGURES.with_name("callgrind_phases.csv")
IMAGES = 6000
TEST_IMAGES = 1000
MIDDLE = rehearsal.STEPS // 2
LINE = 64
NEAR = 0.1
"""A footprint within a tenth of the capacity is decided by conflict misses, which no LRU model
has: such a point counts for its total but not for a ratio."""
INTERPRETER = 64 * 1024
"""Bytes of a cache that may be taken for code and objects of the interpreter, of which no traced
array knows: a whole step of 784-4-4-4 touches 290 kB of code and 250 kB beside its arrays."""
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
LEAST_FILLS_MB = 0.5
"""Phases that take in less are left out: a few conflict misses decide them."""


@dataclass(frozen=True)
class Point:
    """What a cache of ``capacity_kib`` KiB moves in one step of a network, in 10^6 bytes.

    ``block`` has the elements that the optimiser takes at a time (``optimizers.BLOCK``); a step
    takes ``in_flight`` batches through a layer before the next layer sees any.
    """

    algorithm: str
    layer_sizes: str
    batch_size: int
    optimizer: str
    block: int
    in_flight: int
    capacity_kib: int
    read_fills_mb: float
    write_allocate_fills_mb: float
    write_backs_mb: float

    @property
    def network(self) -> tuple[Any, ...]:
        """All but the capacity and what was found: points alike in this are one program."""
        return astuple(self)[:6]

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings of preset quick that are others here."""
        order = {"order": LAYER_MAJOR, "in_flight": self.in_flight}
        return {
            "layer_sizes": self.layer_sizes.replace("-", ","),
            "batch_size": self.batch_size,
            "optimizer": self.optimizer,
            **(order if self.in_flight > 1 else {}),
        }

    @property
    def moved(self) -> tuple[float, float, float]:
        """Read fills, write-allocate fills and write-backs."""
        return self.read_fills_mb, self.write_allocate_fills_mb, self.write_backs_mb


def committed(path: Path = FIGURES) -> list[Point]:
    """Return the committed figures of the simulator."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    return [
        Point(*(kind(row[name]) for name, kind in TYPES.items())) for row in csv.DictReader(lines)
    ]


TYPES = {
    field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Point)
}


class Model:
    """The prediction for one rule: its recorded step, priced once for all capacities of a cache.

    ``grain`` and ``scopes`` are those of ``lower``; events of the phase ``without`` are left out.
    """

    def __init__(
        self,
        algorithm: str,
        settings: Settings,
        *,
        grain: Grain = Grain.PACKED,
        scopes: Collection[str] | None = (),
        without: str = "",
    ) -> None:
        known = rehearsal.rehearse(
            algorithm, rehearsal.Workload(settings, settings.n_train, TEST_IMAGES)
        )
        kind = next(kind for kind in known.kinds if kind.kind.trains_layers)
        recording = known.record(kind)
        buffers = recording.buffers
        events = [event for event in recording.events if event.phase != without]
        stream = Stream(lower(events, buffers, grain=grain, scopes=scopes))
        self.footprint = int(stream.table.sizes[: stream.table.rows].sum())
        found = distances(stream, buffers, MIDDLE, [MemoryKind.CACHE], scopes)
        self.table: pd.DataFrame = found.sums[MemoryKind.CACHE]
        self.places = found.places

    @classmethod
    def of(cls, point: Point) -> Model:
        """Return the prediction for the network of a point."""
        settings = Settings.from_preset("quick").replace(n_train=IMAGES, **point.overrides)
        with patch.object(optimizers, "BLOCK", point.block):
            return cls(point.algorithm, settings)

    def moved(self, capacity: int) -> tuple[float, float, float]:
        """Return what crosses the boundary of a cache of so many bytes, in 10^6 bytes."""
        far = self._far(capacity)
        names = ("bytes_read", "bytes_allocated", "bytes_written")
        read, allocated, written = (float(far[name].sum()) / 1e6 for name in names)
        return read, allocated, written

    def fills(self, capacity: int) -> dict[tuple[str, str], float]:
        """Return what such a cache takes in, by layer and phase, in 10^6 bytes."""
        far = self._far(capacity)
        where = self.places.iloc[far["place"]]
        layer_and_phase = [where["layer"].to_numpy(), where["phase"].to_numpy()]
        fills = (far["bytes_read"] + far["bytes_allocated"]).groupby(layer_and_phase).sum() / 1e6
        return {place: float(n) for place, n in zip(fills.index, fills, strict=True)}

    def _far(self, capacity: int) -> pd.DataFrame:
        """The rows whose distance lies beyond a capacity."""
        distance = self.table["distance"]
        return self.table[(distance > capacity) | (distance == COLD)]

    def decided_by_conflicts(self, capacity: int) -> bool:
        """Whether the footprint of the step lies within a tenth of a capacity."""
        return abs(self.footprint - capacity) <= NEAR * capacity


@dataclass(frozen=True)
class Comparison:
    """A point of the simulator beside the model's prediction.

    ``moved`` is the prediction, ``beside_interpreter`` that of a cache smaller by `INTERPRETER`,
    both as `Point.moved`; ``conflicts`` decide where the footprint is near the capacity.
    """

    point: Point
    moved: tuple[float, float, float]
    beside_interpreter: tuple[float, float, float]
    conflicts: bool

    @property
    def ratio(self) -> float:
        """All bytes of the prediction over those of the simulator."""
        return sum(self.moved) / sum(self.point.moved)

    @property
    def ratio_beside_interpreter(self) -> float:
        """The same of the smaller cache."""
        return sum(self.beside_interpreter) / sum(self.point.moved)


def compared(points: Sequence[Point]) -> Iterator[Comparison]:
    """Yield every point with what the model predicts."""
    models: dict[tuple[Any, ...], Model] = {}
    for point in points:
        if point.network not in models:
            models[point.network] = Model.of(point)
        model, capacity = models[point.network], point.capacity_kib * 1024
        yield Comparison(
            point,
            model.moved(capacity),
            model.moved(capacity - INTERPRETER),
            model.decided_by_conflicts(capacity),
        )


def simulate(point: Point) -> Point:
    """Run one step under callgrind with a last-level cache; returns the point with its figures."""
    with tempfile.TemporaryDirectory() as folder:
        _run(point, folder)
        read, allocated, written = _misses(Path(folder, "out").read_text(encoding="utf-8"))
    return replace(
        point, read_fills_mb=read, write_allocate_fills_mb=allocated, write_backs_mb=written
    )


def simulate_phases(point: Point) -> dict[tuple[str, str], float]:
    """Run one step under callgrind; returns its fills by layer and phase, in 10^6 bytes."""
    fills: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        _run(point, folder, "phases")
        for part in Path(folder).glob("out.*"):
            text = part.read_text(encoding="utf-8")
            layer, phase = re.findall(r"^desc: Trigger: Client Request: (.*),(.*)$", text, re.M)[0]
            read, allocated, _ = _misses(text)
            fills[layer, phase] = fills.get((layer, phase), 0) + read + allocated
    return fills


def _run(point: Point, folder: str, *more: str) -> None:
    """Take a step of a point under callgrind, whose figures go to the file `out` of a folder."""
    library = Path(folder, "client.so")
    Path(folder, "client.c").write_text(CLIENT, encoding="utf-8")
    compiler = ["gcc", "-O1", "-shared", "-fPIC", "-o", str(library), f"{folder}/client.c"]
    subprocess.run(compiler, check=True)
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--cache-sim=yes"),
        *("--simulate-wb=yes", "--D1=32768,8,64", f"--LL={point.capacity_kib * 1024},16,{LINE}"),
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
    for found in compared(points):
        point = found.point
        name = f"{point.algorithm} {point.layer_sizes} {point.optimizer} b{point.batch_size}"
        name += f" {point.block}" + (f" x{point.in_flight}" if point.in_flight > 1 else "")
        pairs = " ".join(
            f"{m:7.2f}/{s:7.2f}" for m, s in zip(found.moved, point.moved, strict=True)
        )
        ratios = f"{found.ratio:10.3f} {found.ratio_beside_interpreter:12.3f}"
        note = "  footprint near capacity" if found.conflicts else ""
        print(f"{name:>44} {point.capacity_kib:>6} KiB {pairs} {ratios}{note}")


def phases_apart(path: Path = PHASES) -> pd.DataFrame:
    """Return the committed fills of layers' phases with the prediction, ``model_mb``, beside them.

    ``conflicts`` as in `Comparison`. Phases with less than LEAST_FILLS_MB are left out.
    """
    table = pd.read_csv(path, comment="#")
    table = table[table["fills_mb"] >= LEAST_FILLS_MB]
    found = []
    for key, rows in table.groupby(list(TYPES)[:6], sort=False):
        values: dict[str, Any] = dict.fromkeys(TYPES, 0)
        values |= {name: TYPES[name](value) for name, value in zip(TYPES, key, strict=False)}
        model = Model.of(Point(**values))
        sizes = [1024 * size for size in rows["capacity_kib"].tolist()]
        fills = {size: model.fills(size) for size in set(sizes)}
        where = zip(sizes, rows["layer"], rows["phase"], strict=True)
        predicted = [fills[size].get((layer, phase), 0.0) for size, layer, phase in where]
        near = list(map(model.decided_by_conflicts, sizes))
        found.append(rows.assign(model_mb=predicted, conflicts=near))
    return pd.concat(found, ignore_index=True)


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
            rows = [astuple(simulate(point))]
        with paths[arguments.command].open("a", encoding="utf-8") as file:
            file.writelines(",".join(map(str, row)) + "\n" for row in rows)
        print(*rows, sep="\n")


if __name__ == "__main__":
    main()
