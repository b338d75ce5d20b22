"""What a GPU's meter and the counters of its memory say of the same two steps, beside the model.

`gpu_steps.py` runs the steps and has written the figures, gpu_energy.csv and gpu_bytes.csv; this
reads them and needs no GPU. `python -m validation.gpu predict` asks the model for gpu_model.csv (a
quarter of an hour). A window is a step repeated for 20 seconds between two readings of the board's
energy counter. *Idle subtracted*: without what the board takes when it does nothing. A step of
several batches in flight is told a batch.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Final, TypeVar

from ffenergy.energy import load_profile
from ffenergy.settings import Settings
from instrumented.lowering.kinds import Grain
from validation.cache_model import Model

HERE: Final = Path(__file__).parent
ENERGY, BYTES, MODEL = (HERE / f"gpu_{name}.csv" for name in ("energy", "bytes", "model"))
PROFILE: Final = "h100-l2"
BATCH: Final = 100
IMAGES: Final = 60_000  # rows on the device: those of the embedded sample, over and over
COPIED: Final = 2**32  # bytes of the reference copy, which reads and writes as many
SIDE: Final = 8192  # of the two square matrices of the reference product
IDLE: Final = "idle"
MARKER: Final = "erfinv"  # a kernel that no step uses stands before every profiled step
ENERGIES: Final = "energy, idle subtracted|energy at the meter|time|bytes of its memory"
SAVINGS: Final = "bytes saved a batch|joules saved a batch|joules of a saved byte"
PREDICTIONS: Final = "counters, a batch|model, a batch|model / counters"
COUNTERS: Final = ("dram__bytes_read.sum", "dram__bytes_write.sum")


@dataclass(frozen=True)
class Case:
    """A step of one rule. ``batches`` go through a layer before the next layer sees any.

    ``way`` is ``autograd``, ``kernels`` or ``graph`` (``gpu_steps.py``), ``precision`` that of the
    products: ``fp32``, or ``tf32``, on the matrix units.
    """

    layer_sizes: str
    rule: str
    batches: int = 1
    way: str = "graph"
    precision: str = "tf32"

    @property
    def network(self) -> str:
        """Depth and width: 4×1000."""
        widths = self.layer_sizes.split("-")[1:]
        return f"{len(widths)}×{widths[0]}"


@dataclass(frozen=True)
class Window:
    """What the meter of the board read over a window: ``joules``, all that the board took."""

    card: str
    what: str
    layer_sizes: str
    batches: int
    way: str
    precision: str
    batches_done: int
    seconds: float
    joules: float

    @property
    def case(self) -> Case:
        """The step that was repeated."""
        return Case(self.layer_sizes, self.what, self.batches, self.way, self.precision)


@dataclass(frozen=True)
class Seen:
    """Bytes between a GPU's memory and its chip in one step, by the memory's own counters."""

    card: str
    layer_sizes: str
    rule: str
    batches: int
    precision: str
    kernels: int
    bytes_read: int
    bytes_written: int

    @property
    def mb(self) -> float:
        """Read and written a batch, in 10^6 bytes."""
        return (self.bytes_read + self.bytes_written) / self.batches / 1e6


@dataclass(frozen=True)
class Predicted:
    """Bytes that the model expects one step to move."""

    layer_sizes: str
    rule: str
    batches: int
    bytes_moved: int


_Row = TypeVar("_Row", Window, Seen, Predicted)


def read(path: Path, kind: type[_Row]) -> list[_Row]:
    """Read committed rows."""
    convert = {"str": str, "int": int, "float": float}
    types = {field.name: convert[str(field.type)] for field in fields(kind)}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [{name: types[name](row[name]) for name in types} for row in csv.DictReader(file)]
    return [kind(**row) for row in rows]


class Figures:
    """The committed figures: energies and times of a batch, and the bytes of its memory."""

    def __init__(self) -> None:
        self.windows, self.seen = read(ENERGY, Window), read(BYTES, Seen)
        self.predicted = read(MODEL, Predicted)
        idle = [row for row in self.windows if row.what == IDLE]
        self.idle_watts = sum(row.joules for row in idle) / sum(row.seconds for row in idle)

    def millijoules(self, row: Window, *, net: bool = True) -> float:
        """Energy of a batch, ``net`` of what the idle board takes."""
        joules = row.joules - net * self.idle_watts * row.seconds
        return 1e3 * joules / row.batches_done

    def moved(self, case: Case) -> Seen | None:
        """Return what the counters saw of a case on the matrix units, launched in any way."""
        known = case.layer_sizes, case.rule, case.batches, case.precision
        rows = [
            row
            for row in self.seen
            if (row.layer_sizes, row.rule, row.batches, row.precision) == known
        ]
        return rows[0] if rows else None

    def baseline(self, case: Case) -> Window:
        """Return backprop's window of the same network, way and precision."""
        wanted = Case(case.layer_sizes, "bp", 1, case.way, case.precision)
        return next(row for row in self.windows if row.case == wanted)

    def ratios(self) -> Iterator[tuple[Case, float, float, float]]:
        """Forward-Forward over backprop: energy idle subtracted, at the meter, and time."""
        for row in self.windows:
            if row.what == "ff":
                bp = self.baseline(row.case)
                yield (
                    row.case,
                    self.millijoules(row) / self.millijoules(bp),
                    self.millijoules(row, net=False) / self.millijoules(bp, net=False),
                    row.seconds / row.batches_done / (bp.seconds / bp.batches_done),
                )

    def copy_picojoules(self) -> float:
        """Energy of a byte read or written in a long copy, idle subtracted."""
        copy = next(row for row in self.windows if row.what == "copy")
        return self.millijoules(copy) * 1e9 / (2 * COPIED)

    def product(self) -> str:
        """Say what the reference product takes."""
        row = next(row for row in self.windows if row.what == "product")
        joules, watts = self.millijoules(row) / 1e3, row.joules / row.seconds
        flops = 2 * SIDE**3 * row.batches_done / row.seconds
        return (
            f"The reference product, of two {SIDE}×{SIDE} matrices in {row.precision}: "
            f"{joules:.1f} J, {joules / SIDE**3 * 1e12:.0f} pJ a multiply-add, idle subtracted; "
            f"{flops / 1e12:.1f} Tflop/s at {watts:.0f} W."
        )

    def saved(self) -> Iterator[tuple[Case, float, float]]:
        """What batches in flight save against one at a time: millijoules and 10^6 bytes a batch."""
        for row in self.windows:
            one = Case(row.layer_sizes, row.what, 1, row.way, row.precision)
            if row.batches == 1 or not (there := self.moved(row.case)):
                continue
            usual, before = self.moved(one), next(w for w in self.windows if w.case == one)
            assert usual is not None  # whatever is seen in flight is seen alone
            joules = self.millijoules(before) - self.millijoules(row)
            yield row.case, joules, usual.mb - there.mb


def predict(row: Seen) -> Predicted:
    """Return what the model expects a step to move: through a plain LRU cache.

    As large as the L2 of profile h100-l2; every fusion scope one kernel; without the making of
    hybrids, which the GPU's steps take from a store. Preset best, normalised eagerly.
    """
    sizes = tuple(map(int, row.layer_sizes.split("-")))
    settings = Settings.from_preset("best").replace(
        layer_sizes=sizes, batch_size=BATCH, n_train=IMAGES
    )
    if row.batches > 1:
        settings = settings.replace(order="layer-major", in_flight=row.batches)
    model = Model(row.rule, settings, grain=Grain.TILE, scopes=None, without="negatives")
    mb = sum(model.moved(load_profile(PROFILE).capacities_bytes[-1]))
    return Predicted(row.layer_sizes, row.rule, row.batches, round(mb * 1e6))


def add_up(lines: Iterable[str], card: str, cases: Sequence[Case]) -> list[Seen]:
    """Add up the counters of each case's kernels, as ncu wrote them.

    That is with ``--csv --page raw --print-units base``; the profiler may have seen the first few
    cases alone.
    """
    table = csv.DictReader(line for line in lines if line.startswith('"'))
    kernels = [row for row in table if row["ID"]]  # without the row of units
    found: list[list[int]] = []
    for row in kernels:
        if MARKER in row["Kernel Name"]:
            found.append([0, 0, 0])
            continue
        moved = (int(row[name].replace(",", "")) for name in COUNTERS)
        found[-1] = [so_far + more for so_far, more in zip(found[-1], (1, *moved), strict=True)]
    return [
        Seen(card, case.layer_sizes, case.rule, case.batches, case.precision, *counts)
        for case, counts in zip(cases, found, strict=False)
    ]


def tables() -> str:
    """Return what validation/README.md shows: three tables and a sentence, in Markdown."""
    figures = Figures()
    ratios = []
    for case, net, gross, seconds in figures.ratios():
        here, there = figures.moved(case), figures.moved(figures.baseline(case).case)
        moved = f"{here.mb / there.mb:.2f}" if here and there else "–"
        measured = [f"{value:.2f}" for value in (net, gross, seconds)]
        ratios.append([case.network, _told(case), case.precision, *measured, moved])
    saved = [
        [
            *(case.network, str(case.batches), f"{mb:.1f} MB", f"{millijoules:.1f} mJ"),
            f"{1e3 * millijoules / mb:.0f} pJ",
        ]
        for case, millijoules, mb in figures.saved()
    ]
    saved.append(["a copy", "–", "–", "–", f"{figures.copy_picojoules():.0f} pJ"])
    seen = []
    for row, model in zip(figures.seen, figures.predicted, strict=True):
        mb, network = model.bytes_moved / row.batches / 1e6, Case(row.layer_sizes, row.rule).network
        both = [f"{row.mb:.1f} MB", f"{mb:.1f} MB", f"{mb / row.mb:.2f}"]
        seen.append([network, row.rule, str(row.batches), *both])
    return "\n\n".join(
        (
            _table("network|step of Forward-Forward|products", ENERGIES, ratios),
            _table("network|batches in flight", SAVINGS, saved),
            figures.product(),
            _table("network|rule|batches in flight", PREDICTIONS, seen),
        )
    )


def _table(words: str, numbers: str, rows: Sequence[Sequence[str]]) -> str:
    left, right = words.split("|"), numbers.split("|")
    rule = ["---"] * len(left) + ["---:"] * len(right)
    return "\n".join(
        [f"| {' | '.join([*left, *right])} |", f"|{'|'.join(rule)}|"]
        + [f"| {' | '.join(row)} |" for row in rows]
    )


def _told(case: Case) -> str:
    way = {"autograd": "launched by Python", "graph": "one CUDA graph"}[case.way]
    return way + (f", {case.batches} batches in flight" if case.batches > 1 else "")


def main(arguments: Sequence[str] = ()) -> int:
    """Print the tables; with ``predict``, ask the model anew first."""
    if "predict" in arguments:
        with MODEL.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([field.name for field in fields(Predicted)])
            for row in read(BYTES, Seen):
                writer.writerow(astuple(predict(row)))
    print(tables())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
