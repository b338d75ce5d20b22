"""What others measured of Forward-Forward against backprop, beside what the closed forms give.

    python scripts/reconcile.py

For each published ratio: the ratio of dynamic energies in the usual order, in the best order and at
the bounds, under the profile of that chip; and the constant power, drawn whatever is computed, at
which the published energies and times would follow from it. docs/bounds.md, "Held against what
others measured".
"""

from __future__ import annotations

from dataclasses import dataclass

import click

from ffenergy.costs import batch_energy, bounds, schedules
from ffenergy.costs.network import Network
from ffenergy.energy import load_profile
from ffenergy.energy.chip import Chip

MIB = 2**20


@dataclass(frozen=True)
class Published:
    """Energies in joules and times in seconds of two trainings; ratios where only they are told."""

    source: str
    layer_sizes: tuple[int, ...]
    profile: str
    on_chip_bytes: int
    optimizer: str
    batch_size: int
    energy_ratio: float
    time_ratio: float | None = None
    watts: float | None = None  # mean power of backprop's training
    rule: str = "ff"
    itemsize: int = 4
    dtype: str = "float32"


PUBLISHED = (
    Published(
        "A100, 4x2000 (arXiv 2511.01061): 51.3 / 15.2 kJ, 509.6 / 125.8 s",
        (784, *[2000] * 4),
        "a100-measured",
        40 * MIB,
        "adam",
        100,
        51.3 / 15.2,
        509.6 / 125.8,
        15_200 / 125.8,
    ),
    Published(
        "A100, 3x1000 (the same): 24.1 / 5.5 kJ, no times",
        (784, *[1000] * 3),
        "a100-measured",
        40 * MIB,
        "adam",
        100,
        24.1 / 5.5,
    ),
    *(
        Published(
            f"Jetson Orin Nano, FF-INT8 (arXiv 2506.22771): -8.3 % (time -4.6 %, recalled); {told}",
            layer_sizes,
            "edge-7nm-lpddr5",
            4 * MIB,
            "sgd",
            32,
            1 - 0.083,
            1 - 0.046,
            rule=rule,
            itemsize=1,
            dtype="int8",
        )
        for told, layer_sizes, rule in (
            ("2x500 with labels, all fits", (784, 500, 500), "ff-label"),
            ("4x1500 with labels, one layer fits", (784, *[1500] * 4), "ff-label"),
            ("2x500, local, one pass", (784, 500, 500), "local"),
        )
    ),
)


def dynamic_ratios(one: Published) -> dict[str, float]:
    """FF ÷ backprop of energies that are paid for what is done, by order."""
    network = Network(one.layer_sizes, one.batch_size, one.optimizer, one.itemsize)
    chip = Chip(load_profile(one.profile), one.dtype).prices(one.on_chip_bytes)

    def joules(rule: str, nbytes: float) -> float:
        work = batch_energy.work_of(rule, network)
        return float(batch_energy.energy(work, nbytes, chip)[0])

    bp = joules("bp", schedules.best("bp", network, one.on_chip_bytes).nbytes)
    least = joules("bp", bounds.least("bp", network, one.on_chip_bytes).nbytes)
    usual = schedules.step_major_only(one.rule, network, one.on_chip_bytes).nbytes
    best = schedules.best_order(one.rule, network, one.on_chip_bytes).nbytes
    must = bounds.least(one.rule, network, one.on_chip_bytes).nbytes
    return {
        "usual order": joules(one.rule, usual) / bp,
        "best order": joules(one.rule, best) / bp,
        "bounds": joules(one.rule, must) / least,
    }


def constant_share(dynamic: float, energy: float, time: float) -> float:
    """Share of backprop's energy that is constant power, at which the published ratio follows.

    energy = (1 - share) · dynamic + share · time, all of them ratios FF ÷ backprop. Outside of 0
    to 1 no constant power reconciles them.
    """
    return (energy - dynamic) / (time - dynamic)


def main() -> None:
    """Print a paragraph a source."""
    for one in PUBLISHED:
        click.echo(f"{one.source}\n  published energy, FF / BP: {one.energy_ratio:.2f}")
        for order, ratio in dynamic_ratios(one).items():
            line = f"  {order}, {one.profile}, batch {one.batch_size}: {ratio:.2f}"
            if one.time_ratio is not None:
                share = constant_share(ratio, one.energy_ratio, one.time_ratio)
                told = f"would be {share:.0%} of BP's" if 0 <= share <= 1 else "cannot explain it"
                line += f"; times {one.time_ratio:.2f}: constant power {told}"
                if one.watts is not None and 0 <= share <= 1:
                    line += f", {share * one.watts:.0f} of {one.watts:.0f} W"
            click.echo(line)


if __name__ == "__main__":
    main()
