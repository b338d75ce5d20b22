"""A run priced: every kind of its steps recorded, analysed once, and put under each profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from ffenergy.costs import pricing
from ffenergy.costs.decomposition import decomposition
from ffenergy.costs.prices import ACCOUNTINGS, COLUMNS, GRAINS, PRICED_GRAIN, Prices
from ffenergy.costs.recording import Recording, StepKind, Workload, record, step_kinds
from ffenergy.costs.step_costs import StepCosts, misses, reuse, step_costs
from ffenergy.energy import Profile
from ffenergy.settings import Settings
from instrumented.live import LiveMemory

MEASURED_IMAGES: Final = 60_000
"""Training images that a measurement without data assumes: those of MNIST."""

Say = Callable[[str], object]


@dataclass(frozen=True)
class PricedKind:
    """A kind of step of one algorithm, how many the run took, and the costs of one."""

    algorithm: str
    kind: StepKind
    digest: str
    operations: int
    steps: int
    costs: StepCosts


class Pricer:
    """Records and analyses step kinds; kinds of equal digest share one analysis."""

    def __init__(self, work: Workload) -> None:
        self.work = work
        self._known: dict[str, StepCosts] = {}

    def kind(self, algorithm: str, recording: Recording, steps: int) -> PricedKind:
        """Analyse a recording, or find it among those already analysed."""
        digest = recording.digest
        if digest not in self._known:
            self._known[digest] = step_costs(recording)
        costs = self._known[digest]
        return PricedKind(algorithm, recording.kind, digest, recording.operations, steps, costs)

    def of_run(
        self, algorithm: str, signatures: Sequence[Mapping[str, Any]], say: Say
    ) -> Iterable[PricedKind]:
        """Price the steps that a run took; say which of them no recording reproduces."""
        missing = {str(s["digest"]): s for s in signatures}
        for kind in step_kinds(algorithm, self.work):
            if not missing:
                return
            recording = record(kind, self.work)
            found = missing.pop(recording.digest, None)
            if found is not None:
                yield self.kind(algorithm, recording, int(found["steps"]))
        for digest, signature in missing.items():
            say(
                f"warning: {algorithm}: no recording has the digest {digest} of the run's"
                f" {signature['steps']} steps {signature['name']!r}; the priced tables lack them"
            )


def price_run(
    results: Mapping[str, Mapping[str, Any]],
    settings: Settings,
    images: tuple[int, int],
    profiles: Sequence[Profile],
    say: Say,
) -> Prices:
    """Price a run from its signatures.

    Args:
        results: per algorithm a row with its ``signatures`` (as in run.json); those without are
            left out.
        settings: the settings of the run.
        images: numbers of training and test images.
        profiles: hardware profiles, the headline first.
        say: takes one line per step kind that cannot be reproduced.

    Raises:
        SettingsError: an algorithm without known step kinds.
        PricingError: a profile that lacks a figure.
    """
    pricer = Pricer(Workload(settings, *images))
    kinds = [
        kind
        for algorithm, row in results.items()
        for kind in pricer.of_run(algorithm, row.get("signatures") or (), say)
    ]
    return tabulate(kinds, profiles, whole_run=True)


def price_steps(
    algorithms: Sequence[str], settings: Settings, profiles: Sequence[Profile]
) -> Prices:
    """Price one full training step of each algorithm (of the head for ``random``)."""
    work = Workload(settings, settings.n_train or MEASURED_IMAGES, 0)
    pricer = Pricer(work)
    kinds = []
    for algorithm in algorithms:
        first = next(iter(step_kinds(algorithm, work)))
        kinds.append(pricer.kind(algorithm, record(first, work), 1))
    return tabulate(kinds, profiles, whole_run=False)


def tabulate(
    kinds: Sequence[PricedKind], profiles: Sequence[Profile], *, whole_run: bool
) -> Prices:
    """Put priced kinds into tables; ``whole_run``: they are all that a run did."""
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in COLUMNS}

    def add(name: str, table: pd.DataFrame, **keys: str) -> None:
        if not table.empty:
            tables[name].append(table.assign(**keys))

    for priced in kinds:
        step = {"algorithm": priced.algorithm, "step": priced.kind.label}
        row = {"digest": priced.digest, "samples": priced.kind.samples, "steps": priced.steps}
        row["operations"] = priced.operations
        add("steps", pd.DataFrame([row]), **step)
        for accounting in ACCOUNTINGS:
            keys = {**step, "accounting": accounting}
            for grain in GRAINS:
                analysis = priced.costs.analyses[accounting, grain]
                add("reuse", reuse(analysis), **keys, grain=grain)
                add("misses", misses(analysis), **keys, grain=grain)
            for profile in profiles:
                under = {**keys, "grain": PRICED_GRAIN, "profile": profile.name}
                add("energy", pricing.energy(priced.costs, accounting, profile), **under)
                add("levels", pricing.levels(priced.costs, accounting, profile), **under)
            live = priced.costs.live[accounting]
            if priced.kind.label.startswith("train"):
                add("live", live.series, **keys)
            add("peak", _peak(live), **keys)
            add("alive", live.alive, **keys)
    joined = {name: _joined(name, tables[name]) for name in COLUMNS if name != "decomposition"}
    names = tuple(profile.name for profile in profiles)
    split = decomposition(joined["steps"], joined["reuse"], joined["energy"], whole_run=whole_run)
    return Prices(profiles=names, **joined, decomposition=split)


def _peak(live: LiveMemory) -> pd.DataFrame:
    row = live.peak
    return pd.DataFrame(
        [
            {
                "peak_live_bytes": live.peak_bytes,
                "peak_activation_bytes": live.peak_activation_bytes,
                **{name: row[name] for name in ("layer", "phase", "operation")},
            }
        ]
    )


def _joined(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table with the promised columns, and energy columns of other units behind them."""
    columns = list(COLUMNS[name])
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    if name == "energy":
        columns += [c for c in table.columns if c.endswith("_macs")]
    return table.reindex(columns=columns)
