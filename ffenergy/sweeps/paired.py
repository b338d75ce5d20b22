"""Pairs of trainings held against each other on the same images, seed by seed.

McNemar's test asks whether two classifiers err equally often: of the images that one of them alone
gets wrong, as many should be the first's as the second's. It knows nothing of seeds; the interval
does, and it alone says what another seed would give.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any, Final

import pandas as pd

from ffenergy.sweeps.cells import Cell, Outcome
from ffenergy.sweeps.tables import described, shown

T_975: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Quantiles of Student's t at 0.975 for 1 to 10 degrees of freedom."""
COLUMNS: Final = (
    *("first", "second", "n", "seeds", "difference_mean", "difference_low", "difference_high"),
    *("first_alone", "second_alone", "mcnemar_p", "mcnemar_p_largest"),
)

Trained = tuple[Cell, Outcome]


def mcnemar(first_alone: int, second_alone: int) -> float:
    """Return the exact two-sided p of so many images that one of two alone gets wrong.

    Twice the binomial tail at one half, 1 at most.
    """
    n, k = first_alone + second_alone, min(first_alone, second_alone)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    return float(min(1.0, 2 * tail / 2**n))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean by Student's t; NaN for fewer than two values."""
    n = len(values)
    if n < 2:
        return math.nan, math.nan
    mean = math.fsum(values) / n
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1) / n)
    half = _quantile(n - 1) * spread
    return mean - half, mean + half


def _quantile(degrees: int) -> float:
    if degrees <= len(T_975):
        return T_975[degrees - 1]
    z = NormalDist().inv_cdf(0.975)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def paired_table(found: Sequence[Trained], swept: Sequence[str]) -> pd.DataFrame:
    """Return `paired.csv`: a row per pair of trainings that have seeds in common.

    difference_mean: error of the first less that of the second, points, over the common seeds, with
        its 95 % interval by Student's t (empty for one seed).
    first_alone, second_alone: images that one of the two alone gets wrong, a number per seed.
    mcnemar_p: exact two-sided p per seed; mcnemar_p_largest: of these.

    Cells without the numbers of their wrong images, traced ones for instance, are left out.
    """
    groups: dict[str, dict[int, Outcome]] = {}
    for cell, outcome in found:
        if outcome.status == "complete" and outcome.wrong is not None:
            by_seed = groups.setdefault(_training(cell, swept), {})
            by_seed[cell.settings.seed] = outcome
    rows = list(_pairs(groups))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _training(cell: Cell, swept: Sequence[str]) -> str:
    values = cell.settings.to_dict()
    names = [name for name in swept if name != "seed"]
    told = described({name: shown(values[name]) for name in names}, names)
    return f"{cell.algorithm} ({told})" if told else cell.algorithm


def _pairs(groups: dict[str, dict[int, Outcome]]) -> Iterator[dict[str, Any]]:
    for first, second in combinations(groups, 2):
        seeds = sorted(groups[first].keys() & groups[second].keys())
        if not seeds:
            continue
        pairs = [(groups[first][seed], groups[second][seed]) for seed in seeds]
        gaps = [a.scores["test_error"] - b.scores["test_error"] for a, b in pairs]
        low, high = interval(gaps)
        wrong = [(set(a.wrong or ()), set(b.wrong or ())) for a, b in pairs]
        alone = [(len(a - b), len(b - a)) for a, b in wrong]
        tested = [mcnemar(*numbers) for numbers in alone]
        yield {
            "first": first,
            "second": second,
            "n": len(seeds),
            "seeds": " ".join(map(str, seeds)),
            "difference_mean": math.fsum(gaps) / len(gaps),
            "difference_low": low,
            "difference_high": high,
            "first_alone": " ".join(str(a) for a, _ in alone),
            "second_alone": " ".join(str(b) for _, b in alone),
            "mcnemar_p": " ".join(f"{p:.3g}" for p in tested),
            "mcnemar_p_largest": max(tested),
        }
