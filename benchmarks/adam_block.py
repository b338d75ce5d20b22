"""Adam's block size: time of an update against priced energy of a whole training step.

    python benchmarks/adam_block.py [--preset quick] [--blocks 4096,16384,65536,262144]

Ten operations go over every block, so a block that stays in a fast memory is fetched once. Prints a
row per size: bytes that the five arrays of a block take, milliseconds of an update of all layers
(median), and joules of a full training step, eager and fused, under the headline profile.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ffenergy.costs.run_costs import price_steps
from ffenergy.energy import choose_profiles
from ffenergy.network import optimizers
from ffenergy.settings import Settings
from instrumented import Untraced

UPDATES = 30
ARRAYS = 5  # weights, gradient, two moments, scratch


def update_seconds(settings: Settings, size: int) -> float:
    """Return the median seconds of an Adam step over all hidden layers."""
    sizes = settings.layer_sizes
    total = sum((a + 1) * b for a, b in pairwise(sizes))
    rng = np.random.default_rng(0)
    values, gradient = (rng.standard_normal(total, dtype=settings.dtype) for _ in range(2))
    cut = optimizers.even_sizes(total, size)
    adam = optimizers.make_optimizer("adam", Untraced(), values, gradient, cut)
    seconds = []
    for _ in range(UPDATES):
        gradient[...] = 1e-3  # it is overwritten
        begun = time.perf_counter()
        adam.update(1e-3)
        seconds.append(time.perf_counter() - begun)
    return float(np.median(seconds))


def joules(settings: Settings, size: int) -> pd.Series[float]:
    """Return the energy of a full training step by algorithm and accounting."""
    optimizers.even_sizes.__defaults__ = (size,)
    profiles = [choose_profiles((), settings.dtype)[0].profile]
    energy = price_steps(["ff", "bp"], settings, profiles).energy
    columns = ["energy_compute_joules", "energy_read_joules", "energy_written_joules"]
    return energy.groupby(["algorithm", "accounting"])[columns].sum().sum(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--blocks", default="4096,8192,16384,32768,65536,131072,262144")
    given = parser.parse_args()
    settings = Settings.from_preset(given.preset)
    print("elements      KiB  ms/update   FF eager   BP eager   FF/BP   FF fused   BP fused  (mJ)")
    for size in map(int, given.blocks.split(",")):
        with threadpool_limits(1, "blas"):
            milliseconds = 1000 * update_seconds(settings, size)
        cost = joules(settings, size)
        ff, bp = (1000 * cost[name, "eager"] for name in ("ff", "bp"))
        fused = [1000 * cost[name, "fused"] for name in ("ff", "bp")]
        print(
            f"{size:8,}  {ARRAYS * 4 * size / 1024:7,.0f}  {milliseconds:9.2f}  {ff:9.3f}"
            f"  {bp:9.3f}  {ff / bp:6.3f}  {fused[0]:9.3f}  {fused[1]:9.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
