"""A model of a cache, and the committed figures of a simulated one beside it; needs no valgrind.

The model's `cache` reading of a recorded step (five steps, the middle one; products packed)
predicts the step's read fills, write-allocate fills and write-backs. `callgrind.py` has the
simulator.
"""

from __future__ import annotations

import csv
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
from instrumented.lowering.table import NestTable

FIGURES = Path(__file__).parent / "callgrind.csv"
PHASES = FIGURES.with_name("callgrind_phases.csv")
IMAGES = 6000
TEST_IMAGES = 1000
MIDDLE = rehearsal.STEPS // 2
NEAR = 0.1
"""A footprint within a tenth of the capacity is decided by conflict misses, which no LRU model
has. Footprints are that of the whole step and, where several batches pass a layer before the next
layer sees any, that of every layer with all of its batches: in the first, hybrids are made between
one batch and the next."""
INTERPRETER = 64 * 1024
"""Bytes of a cache that may be taken for code and objects of the interpreter, of which no traced
array knows: a whole step of 784-4-4-4 touches 290 kB of code and 250 kB beside its arrays."""
INPUT = "input"
"""The layer that hands out images and makes hybrids."""
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
    def name(self) -> str:
        """The program in words."""
        batches = f" x{self.in_flight}" if self.in_flight > 1 else ""
        network = f"{self.algorithm} {self.layer_sizes} {self.optimizer} b{self.batch_size}"
        return f"{network} {self.block}{batches}"

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
        self.footprints = [_size(stream.table)]
        if settings.in_flight > 1:  # a layer is a group of its own in every point
            step = [event for event in events if event.step == events[0].step + MIDDLE]
            layers = list(dict.fromkeys(event.layer for event in step if event.layer != INPUT))
            for layer in layers:
                here = (layer, INPUT) if layer == layers[0] else (layer,)
                visit = [event for event in step if event.layer in here]
                self.footprints.append(_size(lower(visit, buffers, grain=grain, scopes=scopes)))
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
        """Whether a footprint of the step lies within a tenth of a capacity."""
        return any(abs(one - capacity) <= NEAR * capacity for one in self.footprints)


def _size(table: NestTable) -> int:
    """Bytes that are touched, data sets left out."""
    return int(table.sizes[: table.rows].sum())


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


@dataclass(frozen=True)
class OverBackprop:
    """Bytes of Forward-Forward over backprop's, a batch, by the model and by the simulator.

    ``conflicts`` decide where they do at either of the two points.
    """

    point: Point
    model: float
    simulated: float
    beside_interpreter: float
    conflicts: bool

    @property
    def error(self) -> float:
        """How far the model's ratio lies from the simulator's."""
        return self.model / self.simulated - 1

    @property
    def error_beside_interpreter(self) -> float:
        """The same of the smaller cache."""
        return self.beside_interpreter / self.simulated - 1


def over_backprop(found: Sequence[Comparison]) -> list[OverBackprop]:
    """Pair every point of Forward-Forward, whatever its order, with backprop's at its capacity."""
    theirs = {(one.point.network, one.point.capacity_kib): one for one in found}
    pairs = []
    for ours in found:
        alone = replace(ours.point, algorithm="bp", in_flight=1)
        bp = theirs.get((alone.network, alone.capacity_kib))
        if ours.point.algorithm == "ff" and bp is not None:
            batches = ours.point.in_flight
            model, simulated, beside_interpreter = (
                sum(mine) / batches / sum(other)
                for mine, other in (
                    (ours.moved, bp.moved),
                    (ours.point.moved, bp.point.moved),
                    (ours.beside_interpreter, bp.beside_interpreter),
                )
            )
            near = ours.conflicts or bp.conflicts
            pairs.append(OverBackprop(ours.point, model, simulated, beside_interpreter, near))
    return pairs


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
