"""What it costs to reach an error: the cheapest way, over all settings of a sweep, per algorithm.

Or, where the epochs are swept, the crossings of mean curves, with an interval over seeds. A curve
has the trainings that differ in their number of epochs alone, by rising energy. It crosses a target
between the first training whose mean error meets it and the one before, on the straight line
through both in the logarithms of error and energy; where the first training of all meets it, the
crossing is there. The cheapest crossing of all curves of a rule is the rule's.

The interval is the bootstrap's over seeds: up to eight of them, every way to draw as many with
replacement, weighed by how likely it is; more, 10,000 draws. A resample that never meets the target
costs infinity.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any, Final

import pandas as pd

from ffenergy.rules.registry import BACKPROP
from ffenergy.sweeps.tables import PRICED_IN, algorithms_of, described

TARGETS: Final = (5.0, 3.0, 2.0, 1.7, 1.5)
"""Percent."""
ALONG: Final = "n_epochs"
LEVEL: Final = 0.95
ALL_WAYS: Final = 8  # seeds; they can be drawn in 6435 ways
DRAWS: Final = 10_000


def energy_column(summary: pd.DataFrame) -> str | None:
    """Name of the column with the energy, None if the sweep was not priced."""
    names = [str(name) for name in summary.columns if str(name).startswith("energy_")]
    return names[0] if names else None


def targets_table(
    summary: pd.DataFrame,
    swept: Sequence[str],
    energy: str,
    cells: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return `targets.csv`: per algorithm and target the training of least energy that meets it.

    A training meets a target if the mean error over its seeds is at most so many percent; its
    energy (column ``energy`` of the summary) and bytes are those of the whole training, eager.
    Where none does, ``reached`` is False, the costs are empty, and the row has the training of
    least error.

    Where the number of epochs is swept and ``cells`` are given, the row also has the least energy
    at which a mean curve crosses the target, ``energy_crossing`` on ``crossing_curve``, its 95 %
    interval over seeds (infinite: missed), and ``missed_share``, the share of resamples that miss
    it. ``crossing`` says whether it lies ``between`` two trainings, at the
    ``first training`` of a curve (an upper bound), or is ``missed``. ``ratio_to_bp`` divides it
    by backprop's, resampled at the same seeds.
    """
    done = summary.dropna(subset=["test_error_mean", energy])
    names = [name for name in swept if name != "seed"]
    curves = curves_of(cells, swept, energy) if cells is not None and ALONG in swept else {}
    rows: list[dict[str, Any]] = []
    for algorithm in algorithms_of(done):
        own: list[Any] = done[done["algorithm"] == algorithm].to_dict("records")
        for target in TARGETS:
            met = [row for row in own if row["test_error_mean"] <= target]
            chosen = (
                min(met, key=lambda row: row[energy])
                if met
                else min(own, key=lambda row: row["test_error_mean"])
            )
            moved = int(chosen["bytes_read"]) + int(chosen["bytes_written"])
            rows.append(
                {
                    "algorithm": algorithm,
                    "target_error": target,
                    "reached": bool(met),
                    "training": described(chosen, names) or "as the preset",
                    "n": chosen["n"],
                    "test_error_mean": chosen["test_error_mean"],
                    "test_error_std": chosen["test_error_std"],
                    "accounting": chosen["accounting"],
                    "bytes_total": moved if met else None,
                    **{name: chosen[name] for name in PRICED_IN},
                    energy: chosen[energy] if met else None,
                    **_crossed(curves, algorithm, target),
                }
            )
    return pd.DataFrame(rows).astype({"bytes_total": "Int64"})


def _crossed(
    curves: Mapping[str, Sequence[Curve]], algorithm: str, target: float
) -> dict[str, Any]:
    found = cheapest(curves[algorithm], target) if algorithm in curves else None
    if found is None:
        return {}
    missed = found.energy == math.inf
    against = {}
    if algorithm != BACKPROP and BACKPROP in curves:
        names = ("ratio_to_bp", "ratio_to_bp_low", "ratio_to_bp_high")
        against = dict(
            zip(names, ratio(curves[algorithm], curves[BACKPROP], target) or (), strict=False)
        )
    return {
        "crossing": "missed" if missed else "first training" if found.at_first else "between",
        "energy_crossing": None if missed else found.energy,
        "energy_crossing_low": found.low,
        "energy_crossing_high": found.high,
        "missed_share": found.missed,
        "crossing_curve": None if missed else found.training,
        **against,
    }


@dataclass(frozen=True)
class Curve:
    """Trainings of one rule by rising energy.

    training: what tells it from other curves. energies: of each training. errors: by seed, one for
    each training.
    """

    training: str
    energies: tuple[float, ...]
    errors: Mapping[int, tuple[float, ...]]

    def mean(self, seeds: Mapping[int, int]) -> list[float]:
        """Mean errors over ``seeds``, each taken as many times as it says."""
        total = sum(seeds.values())
        return [
            math.fsum(times * self.errors[seed][k] for seed, times in seeds.items()) / total
            for k in range(len(self.energies))
        ]


@dataclass(frozen=True)
class Crossing:
    """Least energy to a target, the curve it is on, and its interval; infinite where missed.

    at_first: the first training of the curve meets the target, so the energy is an upper bound.
    missed: share of the resamples that miss the target.
    """

    energy: float
    training: str
    at_first: bool
    low: float
    high: float
    missed: float


def crossing(energies: Sequence[float], errors: Sequence[float], target: float) -> float:
    """Return the energy at which a curve first meets ``target``; infinite if it does not."""
    for k, (energy, error) in enumerate(zip(energies, errors, strict=True)):
        if error <= target:
            if k == 0 or error == target:
                return energy
            before, above = energies[k - 1], errors[k - 1]
            share = math.log(above / target) / math.log(above / error) if error > 0 else 1.0
            return float(before * (energy / before) ** share)
    return math.inf


def cheapest(curves: Sequence[Curve], target: float) -> Crossing | None:
    """Return the cheapest crossing of ``curves``; None if they have no seed in common."""
    common = sorted(set.intersection(*(set(curve.errors) for curve in curves)))
    if not common:
        return None
    energy, best = _least(curves, Counter(common), target)
    drawn = [(_least(curves, counts, target)[0], weight) for counts, weight in _resamples(common)]
    low, high = _quantiles(drawn, (1 - LEVEL) / 2)
    missed = math.fsum(weight for found, weight in drawn if found == math.inf)
    return Crossing(energy, best.training, energy == best.energies[0], low, high, missed)


def ratio(
    curves: Sequence[Curve], baseline: Sequence[Curve], target: float
) -> tuple[float, float, float] | None:
    """Return the cheapest crossing over that of ``baseline``, with its interval.

    Both are resampled at the same seeds, which they have in common. None where one of them is
    missed or no more than an upper bound.
    """
    common = sorted(set.intersection(*(set(curve.errors) for curve in (*curves, *baseline))))
    ends = [cheapest(found, target) for found in (curves, baseline)]
    if not common or any(end is None or end.at_first or end.energy == math.inf for end in ends):
        return None

    def over(counts: Counter[int]) -> float:
        cost, base = (_least(found, counts, target)[0] for found in (curves, baseline))
        return math.inf if cost == math.inf else cost / base

    found = over(Counter(common))
    return found, *_quantiles([(over(c), w) for c, w in _resamples(common)], (1 - LEVEL) / 2)


def _least(curves: Sequence[Curve], seeds: Mapping[int, int], target: float) -> tuple[float, Curve]:
    found = [(crossing(c.energies, c.mean(seeds), target), c) for c in curves]
    return min(found, key=lambda pair: pair[0])


def _resamples(seeds: Sequence[int]) -> Iterator[tuple[Counter[int], float]]:
    """Draws of as many seeds with replacement, each with its probability."""
    n = len(seeds)
    if n > ALL_WAYS:
        generator = random.Random(0)  # noqa: S311  # the same interval every time
        for _ in range(DRAWS):
            yield Counter(generator.choices(seeds, k=n)), 1 / DRAWS
        return
    for drawn in combinations_with_replacement(seeds, n):
        counts = Counter(drawn)
        ways = math.factorial(n) // math.prod(map(math.factorial, counts.values()))
        yield counts, ways / n**n


def _quantiles(drawn: Sequence[tuple[float, float]], tail: float) -> tuple[float, float]:
    """Return the least values that ``tail`` and 1 - ``tail`` of the weight are at most."""
    ordered = sorted(drawn)
    found = []
    for wanted in (tail, 1 - tail):
        total = 0.0
        for value, weight in ordered:
            total += weight
            if total >= wanted - 1e-12:
                found.append(value)
                break
    return found[0], found[1]


def curves_of(cells: pd.DataFrame, swept: Sequence[str], energy: str) -> dict[str, list[Curve]]:
    """Return the curves of every rule of `cells.csv`; of seeds that all trainings of it have."""
    done = cells[(cells["status"] == "complete") & cells[energy].notna()]
    names = [name for name in swept if name not in ("seed", ALONG)]
    curves: dict[str, list[Curve]] = {}
    for key, group in done.groupby(["algorithm", *names], sort=False, dropna=False):
        told = described(dict(zip(names, key[1:], strict=True)), names) or "as the preset"
        curve = _curve(told, group, energy)
        if curve is not None:
            curves.setdefault(str(key[0]), []).append(curve)
    return curves


def _curve(training: str, group: pd.DataFrame, energy: str) -> Curve | None:
    costs: dict[int, float] = {}
    found: dict[int, dict[int, float]] = {}
    for row in group.to_dict("records"):
        costs.setdefault(int(row[ALONG]), float(row[energy]))
        found.setdefault(int(row["seed"]), {})[int(row[ALONG])] = float(row["test_error"])
    order = sorted(costs, key=lambda epochs: costs[epochs])
    whole = {seed: own for seed, own in found.items() if len(own) == len(order)}
    if not whole:
        return None
    errors = {seed: tuple(own[epochs] for epochs in order) for seed, own in whole.items()}
    return Curve(training, tuple(costs[epochs] for epochs in order), errors)
