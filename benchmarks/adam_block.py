"""Adam's block size: time of a training step against its priced energy.

    python -m benchmarks.adam_block [--preset quick] [--blocks 4096,16384,65536,262144]

Ten operations go over every block, so a block that stays in a fast memory is fetched once. Prints a
row per size: KiB that the five arrays of a block take; milliseconds of an untraced step of
Forward-Forward and of backprop on one BLAS thread (medians of steps taken in turn); millijoules of
a step of both under the headline profile and their ratio, eager in a cache and in a scratchpad, and
fused.
"""

from __future__ import annotations

import argparse

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.step_time import interleaved, stepper
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import measured_kinds, tabulate
from ffenergy.energy import choose_profiles
from ffenergy.network import optimizers
from ffenergy.settings import Settings
from instrumented import Untraced

RULES = ("ff", "bp")
STEPS = 30
ARRAYS = 5  # weights, gradient, two moments, scratch
READINGS = (("cache", "eager"), ("scratchpad", "eager"), ("scratchpad", "fused"))


def step_milliseconds(settings: Settings) -> list[float]:
    """Return the median of a step of each rule."""
    with threadpool_limits(1, "blas"):
        ff, bp = (stepper(rule, settings, Untraced()) for rule in RULES)
        seconds = interleaved(ff, bp, STEPS)
    return [1000 * float(value) for value in np.median(seconds, axis=0)]


def millijoules(settings: Settings) -> list[tuple[float, float]]:
    """Return the energy of a full training step of each rule, by reading."""
    profile = choose_profiles((), settings.dtype)[0].profile
    kinds = measured_kinds(RULES, Workload(settings, 60_000, 0))
    found = []
    for memory, accounting in READINGS:
        energy = tabulate(kinds, [profile], whole_run=False, memory=memory).energy
        chosen = energy[energy["accounting"] == accounting].set_index("algorithm")
        columns = [name for name in chosen if str(name).endswith("_joules")]
        ff, bp = (1000 * chosen.loc[rule, columns].to_numpy().sum() for rule in RULES)
        found.append((float(ff), float(bp)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--blocks", default="4096,8192,16384,32768,65536,262144")
    given = parser.parse_args()
    settings = Settings.from_preset(given.preset)
    read = "".join(f"{f'{accounting}, {memory}, mJ':>28}" for memory, accounting in READINGS)
    print(f"{'elements':>9}{'KiB':>7}{'FF ms':>8}{'BP ms':>8}{read}")
    for size in map(int, given.blocks.split(",")):
        optimizers.BLOCK = size
        row = "".join(f"{value:8.1f}" for value in step_milliseconds(settings))
        for ff, bp in millijoules(settings):
            row += f"{ff:12.2f}{bp:8.2f}{ff / bp:8.3f}"
        print(f"{size:9,}{ARRAYS * 4 * size // 1024:7,}{row}", flush=True)


if __name__ == "__main__":
    main()
