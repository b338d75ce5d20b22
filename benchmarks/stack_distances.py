"""Accesses per second of `instrumented.stack_distances`: python benchmarks/stack_distances.py

On one core. Each row is a trace of n accesses to n/10 blocks, the median of several runs. The
first line is the memory that a persistent `LruStack` adds while 10⁷ accesses to 1000 blocks
stream through it in chunks.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import numpy as np

from instrumented.distances.stack import LruStack, stack_distances

PATTERNS = {
    "cyclic": lambda rng, n: np.arange(n) % (n // 10),
    "uniform": lambda rng, n: rng.integers(0, n // 10, n),
    "zipf 1.2": lambda rng, n: rng.zipf(1.2, n) % (n // 10),
    "sawtooth": lambda rng, n: np.abs(np.arange(n) % (n // 5) - n // 10),
}


def median_seconds(blocks, sizes, remove_dead, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        stack_distances(blocks, sizes, remove_dead=remove_dead)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peak_mebibytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=7, help="largest trace, a power of ten")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for remove_dead in (False, True):  # compile before the clock starts
        stack_distances([0, 1, 0], [4, 4], remove_dead=remove_dead)

    before = peak_mebibytes()
    stack, chunk = LruStack(), np.arange(10_000) % 1000
    for _ in range(1000):
        stack.access(chunk)
    print(f"streaming 10^7 accesses to 1000 blocks adds {peak_mebibytes() - before:.1f} MiB\n")

    print("million accesses per second (median of", arguments.repeats, "runs)")
    print(f"{'pattern':10} {'n':>9} {'plain':>8} {'sized':>8} {'dead removed':>13} {'peak MiB':>9}")
    rng = np.random.default_rng(0)
    for name, pattern in PATTERNS.items():
        for exponent in range(4, arguments.largest + 1):
            n = 10**exponent
            blocks = pattern(rng, n)
            sizes = rng.integers(1, 4096, int(blocks.max()) + 1)
            plain, sized, dead = (
                n / median_seconds(blocks, given, remove, arguments.repeats) / 1e6
                for given, remove in ((None, False), (sizes, False), (None, True))
            )
            print(
                f"{name:10} {n:9} {plain:8.2f} {sized:8.2f} {dead:13.2f} {peak_mebibytes():9.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
