"""Training steps on a GPU: joules by the board's meter, bytes by the counters of its memory.

    python -m validation.gpu_steps check     # the steps' numbers against the NumPy trainers
    python -m validation.gpu_steps energy    # every step for 20 s between two readings of the meter
    ncu --profile-from-start off --clock-control none --cache-control none \\
        --metrics dram__bytes_read.sum,dram__bytes_write.sum --csv --page raw --print-units base \\
        --log-file ncu.csv python -m validation.gpu_steps profile
    python -m validation.gpu_steps bytes ncu.csv --card NAME

Forward-Forward and backprop with the recipe of preset best, in PyTorch, in three ways. `autograd`:
as people write them, gradients by PyTorch, Adam by its defaults, every kernel launched by Python.
`kernels`: gradients by hand, Adam in one kernel, a layer at a time. `graph`: those kernels as one
CUDA graph, so that launching costs nothing. Hybrids are made beforehand, one an image. Needs a CUDA
build of PyTorch and, for the meter, nvidia-ml-py; `check --device cpu` needs no GPU.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ffenergy.network import Array
from ffenergy.network.head import one_hot
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from instrumented import Untraced
from validation.gpu import (
    BATCH,
    BYTES,
    COPIED,
    ENERGY,
    IDLE,
    MARKER,
    SIDE,
    Case,
    Seen,
    Window,
    add_up,
)
from validation.gpu_networks import Data, TorchBackprop, TorchForwardForward

WARM_S: Final = 1.0


def _cases(network: str, precision: str, way: str, *in_flight: int) -> Iterator[Case]:
    yield Case(network, "ff", 1, way, precision)
    yield Case(network, "bp", 1, way, precision)
    for batches in in_flight:
        yield Case(network, "ff", batches, way, precision)


NETWORKS: Final = {
    n: "784" + f"-{n[1]}" * n[0] for n in ((3, 1000), (4, 1000), (4, 1400), (4, 2000))
}
METERED: Final = [
    *_cases(NETWORKS[3, 1000], "fp32", "autograd"),
    *_cases(NETWORKS[4, 2000], "fp32", "autograd"),
    *_cases(NETWORKS[3, 1000], "fp32", "graph"),
    *_cases(NETWORKS[4, 2000], "fp32", "graph"),
    *_cases(NETWORKS[4, 1000], "tf32", "graph", 8),
    *_cases(NETWORKS[4, 1400], "tf32", "graph", 4),
    *_cases(NETWORKS[4, 2000], "tf32", "graph", 8),
    *_cases(NETWORKS[3, 1000], "tf32", "graph", 8),
]
PROFILED: Final = [
    case for network in NETWORKS.values() for case in _cases(network, "tf32", "kernels", 4, 8)
]


class Prepared:
    """Fresh hybrids of known rows, in place of random ones."""

    def __init__(self, batches: Iterable[Array]) -> None:
        self.batches = iter(batches)

    def fill(self, hybrids: Array, positives: Array) -> None:
        """Fill ``hybrids`` with the next batch."""
        hybrids[...] = next(self.batches)


def trainers(case: Case, data: Data) -> tuple[Any, Any]:
    """Return the NumPy trainer of a case, and what makes the PyTorch one of it."""
    settings = Settings.from_preset("best").replace(
        layer_sizes=tuple(map(int, case.layer_sizes.split("-"))), batch_size=BATCH
    )
    rng = np.random.default_rng(1)
    if case.rule == "ff":
        return ForwardForward(Untraced(), settings, data.pixels, rng, rng), TorchForwardForward
    targets = one_hot(data.digits, "float32")
    known = Backprop(Untraced(), settings, data.pixels, targets, data.digits, rng)
    return known, TorchBackprop


def prepare(case: Case, data: Data, device: str) -> tuple[Any, Callable[[], None]]:
    """Return the PyTorch trainer of a case, and what takes its steps."""
    torch.set_float32_matmul_precision("high" if case.precision == "tf32" else "highest")
    network, make = trainers(case, data)
    trainer = make(network, data, device, case.way)
    if case.way != "graph":
        return trainer, lambda: trainer.together(case.batches)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            trainer.together(case.batches)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        trainer.together(case.batches)
    return trainer, graph.replay


def check(data: Data, device: str, cases: Iterable[Case], steps: int = 3) -> list[float]:
    """Return how far the weights are from the NumPy trainer's after a few steps: relative norms.

    Of what was learned, that is: the change of the weights, all layers in one vector.
    """
    found = []
    for case in cases:
        network, _ = trainers(case, data)
        first = np.concatenate([layer.plain.copy() for layer in network.layers])
        rows = data.rows[: steps * case.batches * BATCH].reshape(-1, BATCH)
        if case.rule == "ff":
            network.hybrids = Prepared(data.pool[batch] for batch in rows)
        for batch in rows:
            rate = network.settings.lr if case.rule == "ff" else network.settings.bp_lr
            network.step(batch % len(data.pixels), rate)
        here = np.concatenate([layer.plain for layer in network.layers])
        trainer, step = prepare(case, data, device)
        if case.way == "graph":
            for layer in trainer.layers:
                layer.reset()
        data.place.zero_()
        for _ in range(steps):
            step()
        there = np.concatenate(
            [
                values.detach().cpu().numpy().ravel()
                for layer in trainer.layers
                for values in (layer.weights, layer.bias)
            ]
        )
        found.append(float(np.linalg.norm(there - here) / np.linalg.norm(here - first)))
        print(f"  {found[-1]:.1e} {case}", flush=True)
    return found


class Meter:
    """The energy counter of the board, in joules since the driver was loaded."""

    def __init__(self) -> None:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.card = str(pynvml.nvmlDeviceGetName(handle))
        self.read: Callable[[], float] = lambda: (
            pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000
        )

    def window(self, case: Case, what: str, run: Callable[[], None], seconds: float) -> Window:
        """Repeat ``run`` for so many seconds, after a warm-up, and read the meter around it."""
        burst = self._repeat(run, WARM_S, 1)
        burst = max(1, round(burst / WARM_S / 20))  # a twentieth of a second without waiting
        before, start = self.read(), time.perf_counter()
        done = self._repeat(run, seconds, burst)
        took, joules = time.perf_counter() - start, self.read() - before
        names = case.layer_sizes, case.batches, case.way, case.precision
        return Window(self.card, what, *names, done * case.batches, took, joules)

    @staticmethod
    def _repeat(run: Callable[[], None], seconds: float, burst: int) -> int:
        done, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            for _ in range(burst):
                run()
            torch.cuda.synchronize()
            done += burst
        return done


def energy(seconds: float, out: Path, cases: Iterable[Case]) -> None:
    """Measure idling, a product, a copy and every case; a row of ``out`` each, at once."""
    meter, data = Meter(), Data("cuda")
    square = torch.randn(SIDE, SIDE, device="cuda")
    product = torch.empty_like(square)
    source = torch.randn(COPIED // 4, device="cuda")
    copy = torch.empty_like(source)
    still = Case("", "", 1, "", "")
    exact = replace(still, precision="fp32")

    def multiply() -> None:
        torch.set_float32_matmul_precision("highest")
        torch.mm(square, square, out=product)

    def measure() -> Iterator[Window]:
        yield meter.window(still, IDLE, lambda: time.sleep(0.05), seconds)
        yield meter.window(exact, "product", multiply, seconds)
        yield meter.window(exact, "copy", lambda: copy.copy_(source), seconds)
        for case in cases:
            _, run = prepare(case, data, "cuda")
            yield meter.window(case, case.rule, run, seconds)
        yield meter.window(still, IDLE, lambda: time.sleep(0.05), seconds)

    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Window)], lineterminator="\n")
        writer.writeheader()
        for row in measure():
            writer.writerow(asdict(row))
            file.flush()
            watts = row.joules / row.seconds
            each = row.seconds / row.batches_done
            print(f"  {watts:6.1f} W {1e6 * each:9.1f} us a batch  {row}", flush=True)


def profile(cases: Iterable[Case], seconds: float) -> None:
    """Take one step of each case in sight of the profiler, as long as there is time."""
    data = Data("cuda")
    end, runtime = time.perf_counter() + seconds, torch.cuda.cudart()
    marker = torch.zeros(1, device="cuda")
    for case in cases:
        if time.perf_counter() > end:
            break
        _, run = prepare(case, data, "cuda")
        for _ in range(4):
            run()
        torch.cuda.synchronize()
        runtime.cudaProfilerStart()
        getattr(torch, MARKER)(marker)
        run()
        torch.cuda.synchronize()
        runtime.cudaProfilerStop()
        print(f"  seen: {case}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("check", help="the steps against the NumPy trainers")
    one.add_argument("--device", default="cuda")
    one = commands.add_parser("energy", help="joules by the meter")
    one.add_argument("--seconds", type=float, default=20.0, help="of a window (default: 20)")
    one.add_argument("--out", type=Path, default=ENERGY)
    one = commands.add_parser("profile", help="one step of each, to be run under ncu")
    one.add_argument("--seconds", type=float, default=300.0, help="in which to begin a case")
    one = commands.add_parser("bytes", help="add up what ncu wrote")
    one.add_argument("file", type=Path)
    one.add_argument("--card", required=True)
    chosen = parser.parse_args(arguments)
    if chosen.command == "check":
        ways = (
            ("autograd", "kernels", "graph") if chosen.device == "cuda" else ("autograd", "kernels")
        )
        cases = [
            replace(case, way=way)
            for way in ways
            for case in _cases("784-300-200-100", "fp32", way, 3)
            if case.batches == 1 or way != "autograd"
        ]
        return int(max(check(Data(chosen.device), chosen.device, cases)) > 1e-2)
    if chosen.command == "energy":
        energy(chosen.seconds, chosen.out, METERED)
    elif chosen.command == "profile":
        profile(PROFILED, chosen.seconds)
    else:
        with chosen.file.open(encoding="utf-8") as file:
            found = add_up(file, chosen.card, PROFILED)
        with BYTES.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(
                file, [field.name for field in fields(Seen)], lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(map(asdict, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
