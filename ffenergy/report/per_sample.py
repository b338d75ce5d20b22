"""What training costs per sample, and where two such costs change places; pure functions.

*Per training sample* means: the cost of a training step divided by its samples, taken over full
and short batches in the proportion of the run, and added over the stages of an algorithm that
trains its layers one after the other, so that it stands for a sample seen by all layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from ffenergy.costs.prices import PRICED_GRAIN, Prices
from ffenergy.costs.step_kinds import trains_layers
from ffenergy.style import ALGORITHM_NAMES, in_order

STEP = ["algorithm", "step"]


def trained_algorithms(prices: Prices) -> list[str]:
    """The algorithms that train a network, in the order of all pictures."""
    return in_order(trains_layers(prices.steps)["algorithm"].unique(), ALGORITHM_NAMES)


def weights(steps: pd.DataFrame) -> pd.Series[float]:
    """What one training step of each kind counts per training sample, by algorithm and step.

    A sum over steps of cost x weight is the cost per training sample. Kinds in which no hidden
    layer learns have no weight.
    """
    training = trains_layers(steps)
    seen = training["samples"] * training["steps"]
    in_stage = seen.groupby([training["algorithm"], training["stage"]]).transform("sum")
    share = (training["steps"] / in_stage).astype(float)
    return share.set_axis(pd.MultiIndex.from_frame(training[STEP]))


def per_training_sample(
    table: pd.DataFrame, steps: pd.DataFrame, values: Sequence[str], keys: Sequence[str]
) -> pd.DataFrame:
    """Add the columns `values` of a table per step up per training sample, by `keys`."""
    weight = weights(steps)
    chosen = table[pd.MultiIndex.from_frame(table[STEP]).isin(weight.index)]
    times = weight.reindex(pd.MultiIndex.from_frame(chosen[STEP])).to_numpy()
    weighted = chosen.assign(**{name: chosen[name].astype(float) * times for name in values})
    return weighted.groupby(list(keys), sort=False, as_index=False)[list(values)].sum()


def miss_curves(prices: Prices, accounting: str, *, least: bool = False) -> pd.DataFrame:
    """Bytes per training sample beyond an on-chip memory: a row per size, a column per algorithm.

    ``least``: what no way to manage the memory goes below (`Prices.misses`). The index is
    `capacity_bytes`, ascending. Tables per step end at the first size that holds all reuse; beyond
    it they go on with their last value.
    """
    misses = prices.misses
    misses = misses[(misses["accounting"] == accounting) & (misses["grain"] == PRICED_GRAIN)]
    misses = misses[misses["memory"] == prices.memory]
    travels = misses["bytes_least" if least else "bytes_read"].astype(float)
    moved = misses.assign(bytes=travels + (0 if least else misses["bytes_written"]))
    moved = moved[moved["bytes"].notna()]
    by_step = moved.pivot_table(index="capacity_bytes", columns=STEP, values="bytes").ffill()
    weight = weights(prices.steps)
    found = {
        name: sum(by_step[name, step] * weight[name, step] for step in _steps(weight, name))
        for name in trained_algorithms(prices)
        if name in by_step
    }
    return pd.DataFrame(found, index=by_step.index)


def crossings(curves: pd.DataFrame, a: str, b: str) -> list[tuple[float, float]]:
    """Sizes at which curve `a` and curve `b` change places, and the height there.

    Between two sizes both curves are straight lines on log-log axes. Where they run together for
    a while, the crossing is where they meet; touching without changing places is none. A height
    of zero ends the comparison: there are no logarithms beyond.
    """
    both = curves[(curves[a] > 0) & (curves[b] > 0)]
    sizes = [math.log(size) for size in both.index]
    first, second = ([math.log(value) for value in both[name]] for name in (a, b))
    gaps = [x - y for x, y in zip(first, second, strict=True)]
    found = []
    last = None
    for here, gap in enumerate(gaps):
        if gap == 0:
            continue
        if last is not None and gaps[last] * gap < 0:
            start = last
            t = gaps[start] / (gaps[start] - gaps[start + 1])
            size = sizes[start] + t * (sizes[start + 1] - sizes[start])
            height = first[start] + t * (first[start + 1] - first[start])
            found.append((math.exp(size), math.exp(height)))
        last = here
    return found


def _steps(weight: pd.Series[float], algorithm: str) -> list[str]:
    return [step for name, step in weight.index if name == algorithm]
