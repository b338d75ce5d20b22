"""What subnormal operands cost, with and without `ffenergy.training.bits.flushed`.

    python benchmarks/subnormals.py

One thread, float32; medians of process times, the kinds taken in turn within every repeat.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import threadpoolctl

from ffenergy.training.bits import flushed

REPEATS = 25
NORMAL, SUBNORMAL = 1.0, 1e-40


def operations(value: float) -> dict[str, Callable[[], object]]:
    """What an Adam step and a layer do to their weights, on arrays full of `value`."""
    many, out = np.full(262_144, value, np.float32), np.empty(262_144, np.float32)
    ones = np.ones_like(many)
    weights, inputs = np.full((512, 512), value, np.float32), np.ones((200, 512), np.float32)
    return {
        "multiply": lambda: np.multiply(many, np.float32(0.9), out=out),
        "add": lambda: np.add(many, many, out=out),
        "sqrt": lambda: np.sqrt(many, out=out),
        "divide": lambda: np.divide(many, ones, out=out),
        "matmul": lambda: inputs @ weights,
    }


def seconds(act: Callable[[], object]) -> float:
    """Process time of one call."""
    begun = time.process_time()
    act()
    return time.process_time() - begun


def main() -> None:
    """Print the median times of the three kinds, and what is lost without flushing."""
    normal, subnormal = operations(NORMAL), operations(SUBNORMAL)
    print(f"{'':10}{'normal':>12}{'subnormal':>12}{'flushed':>12}{'ratio':>8}")
    with threadpoolctl.threadpool_limits(1):
        for name in normal:
            times: list[list[float]] = [[], [], []]
            for _ in range(REPEATS + 1):
                times[0].append(seconds(normal[name]))
                times[1].append(seconds(subnormal[name]))
                with flushed():
                    times[2].append(seconds(subnormal[name]))
            medians = [statistics.median(t[1:]) for t in times]  # the first call warms up
            told = "".join(f"{1e6 * t:10.0f}us" for t in medians)
            print(f"{name:10}{told}{medians[1] / medians[2]:8.1f}")


if __name__ == "__main__":
    main()
