"""A run priced: every kind of its steps recorded, analysed once, and put under each profile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pandas as pd

from ffenergy.costs.decomposition import decomposition
from ffenergy.costs.distances import distances, misses, reuse
from ffenergy.costs.further import Further, further_analysis, tuned
from ffenergy.costs.network import MNIST_IMAGES
from ffenergy.costs.prices import (
    BYTEDMD_MEMORY,
    COLUMNS,
    MEMORIES,
    Prices,
)
from ffenergy.costs.rehearsal import Recording, Rehearsal, Rehearsed, Workload, rehearse
from ffenergy.costs.step_costs import StepCosts, reading_costs, side_by_side, step_costs
from ffenergy.costs.step_kinds import StepKind, What, trains_layers
from ffenergy.costs.under_profile import energy, levels
from ffenergy.energy import Profile
from ffenergy.rules import registry
from ffenergy.settings import Settings
from instrumented.analysis.live import LiveMemory

Say = Callable[[str], object]


@dataclass(frozen=True)
class PricedKind:
    """A kind of step of one algorithm, how many the run took, and the costs of one.

    Of a measurement, ``steps`` is what makes one batch of images: see `of_a_batch`.
    """

    algorithm: str
    kind: StepKind
    digest: str
    operations: int
    steps: int | Fraction
    costs: StepCosts


@dataclass(frozen=True)
class _Asked:
    """A kind of step that is to be priced, and its recording if it has not been analysed yet."""

    algorithm: str
    rehearsed: Rehearsed
    steps: int | Fraction
    recording: Recording | None


class StepAnalyst:
    """Records and analyses kinds of steps; kinds of equal digest share one analysis.

    ``analysed`` holds the analyses by digest, those of other runs too if they are handed in;
    ``further`` adds to an analysis what the memory in question needs; ``reading`` is the accounting
    and the memory that alone are wanted, None all.
    """

    def __init__(
        self,
        work: Workload,
        analysed: dict[str, StepCosts] | None = None,
        further: Further | None = None,
        reading: tuple[str, str] | None = None,
    ) -> None:
        self.work, self.further, self.reading = work, further, reading
        self.analysed = {} if analysed is None else analysed
        self._recorded: set[str] = set()

    def of_run(
        self, algorithm: str, signatures: Sequence[Mapping[str, Any]], say: Say, origin: str = ""
    ) -> Iterator[_Asked]:
        """Record the steps that a run took; none if no rehearsal reproduces some, which are said.

        ``origin`` is where the rule came from, if it is not of this package.
        """
        taken = {str(s["digest"]): s for s in signatures}
        if not taken:
            return
        if algorithm not in registry.rules():
            rule = f"{algorithm}, {origin}," if origin else algorithm
            say(
                f"warning: no rule {rule} is here, so its steps have no prices; install its "
                "package, or name it with --rule module:Class"
            )
            return
        rehearsal = rehearse(algorithm, self.work)
        found: dict[str, _Asked] = {}
        for one in rehearsal.kinds:
            digest = one.signature.digest
            if digest in taken and digest not in found:
                for asked in self._recording(rehearsal, one, int(taken[digest]["steps"])):
                    found[digest] = asked
        missing = [signature for digest, signature in taken.items() if digest not in found]
        if missing:
            first, others = missing[0], len(missing) - 1
            more = f" (and {others} more like them)" if others else ""
            say(
                f"warning: {algorithm}: no rehearsed step has the digest {first['digest']} of the "
                f"run's {first['steps']} steps {first['name']!r}{more}; none of its steps has a "
                "price, since a sum would lack these"
            )
            self._recorded -= {d for d, asked in found.items() if asked.recording is not None}
            return
        yield from found.values()

    def of_step(self, algorithm: str) -> Iterator[_Asked]:
        """Record a full training step of hidden layers, or of the head if no layer is trained."""
        rehearsal = rehearse(algorithm, self.work, lambda kind: int(_full_batch(kind)))
        layers = any(one.kind.trains_layers for one in rehearsal.kinds)
        for one in rehearsal.kinds:
            if one.kind.trains_layers == layers:
                steps = of_a_batch(one.kind, self.work.settings)
                yield from self._recording(rehearsal, one, steps)

    def _recording(
        self, rehearsal: Rehearsal, one: Rehearsed, steps: int | Fraction
    ) -> Iterator[_Asked]:
        """Record a kind that nobody has analysed; nothing if it is not what was rehearsed."""
        digest = one.signature.digest
        recording = None
        if digest not in self.analysed and digest not in self._recorded:
            recording = rehearsal.record(one)
            if recording.digest != digest:
                return
            self._recorded.add(digest)
        yield _Asked(rehearsal.algorithm, one, steps, recording)

    def priced(self, asked: Sequence[_Asked]) -> list[PricedKind]:
        """Analyse what was recorded, several recordings at a time."""
        new = [(one.algorithm, one.recording) for one in asked if one.recording is not None]
        self.analysed |= side_by_side(self._analysed, new)
        kinds = []
        for one in asked:
            signature = one.rehearsed.signature
            digest, operations = signature.digest, len(signature.program)
            costs = self.analysed[digest]
            kind = one.rehearsed.kind
            kinds.append(PricedKind(one.algorithm, kind, digest, operations, one.steps, costs))
        return kinds

    def _analysed(self, recording: Recording) -> StepCosts:
        costs = reading_costs(recording, *self.reading) if self.reading else step_costs(recording)
        return self.further(costs, recording) if self.further else costs


def of_a_batch(kind: StepKind, settings: Settings) -> int | Fraction:
    """How many full steps of a kind are one batch of images: 1, less with several in flight."""
    batch = settings.batch_size if kind.trains_layers else settings.head_batch_size
    share = Fraction(batch, kind.samples)
    return 1 if share == 1 else share


def _full_batch(kind: StepKind) -> bool:
    return kind.what is What.TRAIN and not kind.short


def run_kinds(
    results: Mapping[str, Mapping[str, Any]],
    work: Workload,
    say: Say,
    analysed: dict[str, StepCosts] | None = None,
    origins: Mapping[str, str] = MappingProxyType({}),
    further: Further | None = None,
) -> list[PricedKind]:
    """The kinds of steps that a run took, analysed.

    Args:
        results: per algorithm a row with its ``signatures`` (as in run.json); those without are
            left out.
        work: the settings of the run and its numbers of images.
        say: takes one line per rule that has steps which cannot be reproduced.
        analysed: analyses by digest, used and added to; runs that share one analyse a step that
            they have in common once. All of them are priced in one memory.
        origins: where rules that are not of this package came from.
        further: what the memory is to be analysed for besides: `further_analysis`.

    Raises:
        SettingsError: an unknown algorithm.
    """
    analyst = StepAnalyst(work, analysed, further)
    asked = [
        kind
        for algorithm, row in results.items()
        for kind in analyst.of_run(
            algorithm, row.get("signatures") or (), say, origins.get(algorithm, "")
        )
    ]
    return analyst.priced(asked)


def price_steps(
    algorithms: Sequence[str],
    settings: Settings,
    profiles: Sequence[Profile],
    memory: str = MEMORIES[0],
) -> Prices:
    """Price full training steps of each algorithm (of the head for ``random``), one of a kind.

    Where layers train one after the other, a step of each of them is priced. Their numbers stand
    for one batch of images: where several are in flight, a step counts as a share.
    """
    further = further_analysis(memory, profiles)
    kinds = measured_kinds(algorithms, measured_work(settings), further)
    return tabulate(kinds, profiles, whole_run=False, memory=memory)


def measured_work(settings: Settings) -> Workload:
    """What a step is measured of: a data set of ``n_train`` images, or of as many as MNIST's."""
    return Workload(settings, settings.n_train or MNIST_IMAGES, 0)


def measured_kinds(
    algorithms: Sequence[str],
    work: Workload,
    further: Further | None = None,
    reading: tuple[str, str] | None = None,
) -> list[PricedKind]:
    """The kinds of `price_steps`, analysed; ``further`` and ``reading`` as for `StepAnalyst`."""
    analyst = StepAnalyst(work, further=further, reading=reading)
    return analyst.priced([kind for algorithm in algorithms for kind in analyst.of_step(algorithm)])


def tabulate(
    kinds: Sequence[PricedKind],
    profiles: Sequence[Profile],
    *,
    whole_run: bool,
    memory: str = MEMORIES[0],
) -> Prices:
    """Put priced kinds into tables; ``whole_run``: they are all that a run did."""
    names = tuple(profile.name for profile in profiles)
    if not kinds:
        empty = {name: pd.DataFrame(columns=columns) for name, columns in COLUMNS.items()}
        return Prices(profiles=names, **empty, memory=memory)
    steps = _steps(kinds)
    costs = {kind.digest: kind.costs for kind in kinds}
    found = distances(costs)
    tables: dict[str, pd.DataFrame] = {
        "reuse": reuse(found.of(BYTEDMD_MEMORY, memory)),
        "misses": misses(found, costs),
    }
    served = {profile.name: levels(found, profile, memory) for profile in profiles}
    energies = {
        profile.name: energy(found, costs, served[profile.name], profile, memory)
        for profile in profiles
    }
    tables["levels"] = _joined(served)
    tables["energy"] = _joined(energies)
    tables["tuned"] = tuned(costs, profiles)
    tables |= _live_tables(steps, costs)
    tables["work"] = pd.concat(
        [step.work.assign(digest=digest) for digest, step in costs.items()], ignore_index=True
    )
    by_algorithm = {name: _of_steps(name, steps, table) for name, table in tables.items()}
    split = decomposition(steps, by_algorithm["reuse"], by_algorithm["energy"], whole_run=whole_run)
    return Prices(profiles=names, steps=steps, **by_algorithm, decomposition=split, memory=memory)


def _steps(kinds: Sequence[PricedKind]) -> pd.DataFrame:
    rows = [
        (k.algorithm, k.kind.label, *k.kind.row(), k.digest, k.kind.samples, k.steps, k.operations)
        for k in kinds
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["steps"]))


def _live_tables(steps: pd.DataFrame, costs: Mapping[str, StepCosts]) -> dict[str, pd.DataFrame]:
    trained = set(trains_layers(steps)["digest"])
    found = {(d, a): memory for d, step in costs.items() for a, memory in step.live.items()}
    peaks = [{"digest": d, "accounting": a, **_peak(memory)} for (d, a), memory in found.items()]
    return {
        "live": _stacked({k: memory.series for k, memory in found.items() if k[0] in trained}),
        "peak": pd.DataFrame(peaks),
        "alive": _stacked({k: memory.alive for k, memory in found.items()}),
    }


def _stacked(parts: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Put tables of a digest and an accounting under each other, and say whose rows are whose."""
    if not parts:
        return pd.DataFrame({"digest": []})
    table = pd.concat(parts.values(), ignore_index=True)
    lengths = [len(part) for part in parts.values()]
    for name, values in zip(("digest", "accounting"), zip(*parts, strict=True), strict=True):
        table[name] = pd.array(list(values), dtype="str").repeat(lengths)
    return table


def _peak(live: LiveMemory) -> dict[str, Any]:
    return {
        "peak_live_bytes": live.peak_bytes,
        "peak_activation_bytes": live.peak_activation_bytes,
        **{name: live.peak[name] for name in ("layer", "phase", "operation")},
    }


def _joined(by_profile: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    parts = [t.assign(profile=name) for name, t in by_profile.items() if not t.empty]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"digest": []})


def _of_steps(name: str, steps: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Put the costs of a digest to every algorithm and step that has it."""
    columns = list(COLUMNS[name])
    if name == "energy":
        columns += [column for column in table.columns if column.endswith("_macs")]
    merged = steps[["algorithm", "step", "digest"]].merge(table, on="digest", how="inner")
    return merged.reindex(columns=columns)
