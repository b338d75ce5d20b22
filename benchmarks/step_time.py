"""Step time of Forward-Forward and backprop: traced against untraced, untraced against its matmuls.

    python benchmarks/step_time.py [--layer-sizes 784,1000,1000,1000,1000] [--steps 30]

The two programs under comparison take turns, step by step, so that a busy machine slows both;
ratios are medians of the ratios of neighbouring steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from threadpoolctl import threadpool_limits

from ffenergy.costs.measuring import random_dataset
from ffenergy.network import Tracer
from ffenergy.rules import registry
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings
from ffenergy.training.session import Session
from instrumented import Trace, Untraced

WARM_UP = 3


def interleaved(a: Callable[[], object], b: Callable[[], object], steps: int) -> np.ndarray:
    """Return the seconds of ``a`` and ``b`` run in turn: shape (steps, 2)."""
    seconds = np.empty((steps + WARM_UP, 2))
    for row in seconds:
        for column, run in enumerate((a, b)):
            start = time.perf_counter()
            run()
            row[column] = time.perf_counter() - start
    return seconds[WARM_UP:]


def stepper(algorithm: str, settings: Settings, trace: Tracer) -> Callable[[], object]:
    """Return a function that trains on one full batch."""
    data = random_dataset(settings, 10 * settings.batch_size)
    data = replace(data, test_images=data.train_images[:1], test_labels=data.train_labels[:1])
    rule = registry.find(algorithm)(Session(algorithm, settings, data, trace, None))
    stage = rule.plans()[0].open()
    index = trace.array(np.arange(settings.batch_size), role="temporary")
    return lambda: stage.step(index, 1e-4)


def matmuls(algorithm: str, settings: Settings) -> Callable[[], object]:
    """Return a function that does one step's matrix products into arrays made beforehand."""
    sizes = settings.layer_sizes + ((10,) if algorithm == "bp" else ())
    rows = settings.batch_size * (2 if algorithm == "ff" else 1)
    rng = np.random.default_rng(0)
    products = []
    for k, (m, n) in enumerate(pairwise(sizes)):
        x, w, d = (rng.random(shape, settings.dtype) for shape in ((rows, m), (m, n), (rows, n)))
        products += [(x, w, np.empty_like(d)), (x.T, d, np.empty_like(w))]
        if algorithm == "bp" and k:
            products.append((d, w.T, np.empty_like(x)))

    def run() -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    return run


def negatives_share(settings: Settings, steps: int) -> tuple[float, float]:
    """Return the median seconds of making a batch of hybrids, and of the whole step."""
    trace = Untraced()
    rng = np.random.default_rng(0)
    images = rng.random((1000, settings.layer_sizes[0]), dtype=settings.dtype)
    trainer = ForwardForward(trace, settings, images, rng, rng)
    index = np.arange(settings.batch_size)
    trainer.step(index, 1e-4)
    batch = trainer.room(settings.batch_size)
    seconds = interleaved(
        lambda: trainer.hybrids.fill(batch.negatives, batch.positives),
        lambda: trainer.step(index, 1e-4),
        steps,
    )
    return float(np.median(seconds[:, 0])), float(np.median(seconds[:, 1]))


def show(title: str, names: tuple[str, str], seconds: np.ndarray) -> None:
    """Print medians and the median of the ratios of neighbours."""
    first, second = 1000 * np.median(seconds, axis=0)
    ratio = np.median(seconds[:, 0] / seconds[:, 1])
    print(f"{title:<34}{names[0]} {first:7.2f} ms  {names[1]} {second:7.2f} ms  ratio {ratio:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--layer-sizes", default="784,1000,1000,1000,1000")
    parser.add_argument("--batch-size", type=int, default=100)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--preset", default="best")
    given = parser.parse_args()
    settings = Settings.from_preset(given.preset).replace(
        layer_sizes=given.layer_sizes, batch_size=given.batch_size
    )
    print(
        f"layers {given.layer_sizes}, batch {given.batch_size}, {settings.dtype}; "
        f"median of {given.steps}"
    )
    for algorithm in ("ff", "bp"):
        traced = stepper(algorithm, settings, Trace(strict=True))
        plain = stepper(algorithm, settings, Untraced())
        show(
            f"{algorithm}, all BLAS threads",
            ("traced", "untraced"),
            interleaved(traced, plain, given.steps),
        )
        with threadpool_limits(1, "blas"):
            show(
                f"{algorithm}, one BLAS thread",
                ("traced", "untraced"),
                interleaved(traced, plain, given.steps),
            )
            bare = matmuls(algorithm, settings)
            show(
                f"{algorithm}, one BLAS thread",
                ("untraced", "matmuls"),
                interleaved(plain, bare, given.steps),
            )
    with threadpool_limits(1, "blas"):
        hybrids, step = negatives_share(settings, given.steps)
    print(
        f"hybrids {1000 * hybrids:.2f} ms = {100 * hybrids / step:.1f} % of an FF step, "
        "one BLAS thread"
    )


if __name__ == "__main__":
    main()
