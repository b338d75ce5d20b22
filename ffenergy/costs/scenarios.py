"""The three scenarios that carry every headline: as it runs, well built, the least.

See docs/metric.md §13 "Scenarios". The figures of all three are of the same base: a whole run, or
a batch of images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from typing import Any, Final, TypeVar

import pandas as pd

from ffenergy.costs import batch_energy, best_orders, bounds
from ffenergy.costs.best_orders import Built
from ffenergy.costs.decomposition import exact_total, of_run, with_order
from ffenergy.costs.intervals import Drawn, DrawnSteps, drawn_parts, eaten, with_shares
from ffenergy.costs.network import network_of, order_of, shape_name
from ffenergy.costs.prices import Prices
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import PricedKind, tabulate
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.step_costs import WORK, StepCosts
from ffenergy.energy import Profile, commute_to_compute
from ffenergy.energy.chip import FloatArray, Interval, ratio
from ffenergy.network.orders import STEP_MAJOR
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.settings import Settings

AS_IT_RUNS: Final = "as it runs"
WELL_BUILT: Final = "well built"
THE_LEAST: Final = "the least"
SCENARIOS: Final = {
    AS_IT_RUNS: ("eager", "cache"),
    WELL_BUILT: ("deferred", best_orders.MEMORY),
    THE_LEAST: ("bound", "managed"),
}
"""The scenarios, and the reading and memory of each."""
WITHOUT_SIZE: Final = 2**20
"""On-chip bytes of a profile that knows only distances."""

KEYS: Final = ("algorithm", "scenario", "reading", "memory", "order", "in_flight", "groups")
COUNTS: Final = ("flops", "bytes", "bytes_read", "bytes_written", "off_chip_bytes")
BYTEDMD: Final = ("bytedmd_operation", "bytedmd_tile")
COUNTED: Final = ("bytes_read", "bytes_written", *BYTEDMD)
RATIO: Final = ("ratio_to_backprop", "ratio_low", "ratio_high")
REST: Final = ("commute_to_compute", "normalize_energy_share", "peak_live_bytes", "note")


Made = TypeVar("Made")


def columns(unit: str) -> list[str]:
    """Columns of `Scenarios.table`; energies end in ``unit``, joules or macs.

    ``order``, ``in_flight`` and ``groups`` (1|2-3: layers that a batch passes in one go) are those
    of the training steps. ``bytes`` are those that operations, or kernels, stream;
    ``off_chip_bytes`` those beyond the profile's largest memory on the chip, ``on_chip_bytes``.
    ``ratio_to_backprop`` is of the energies of one scenario; 90 % of the draws of the profile's
    constants lie from ``ratio_low`` to ``ratio_high``. ``note`` says what a rule does not have.
    """
    spent = [f"energy_{what}{unit}" for what in ("compute_", "movement_", "")]
    return [*KEYS, "profile", "on_chip_bytes", *COUNTS, *BYTEDMD, *spent, *RATIO, *REST]


def on_chip_bytes(profile: Profile) -> int:
    """The largest on-chip memory of a profile; 1 MiB where it prices distances."""
    return profile.capacities_bytes[-1] if profile.capacities_bytes else WITHOUT_SIZE


@dataclass(frozen=True, eq=False)
class Scenarios:
    """What it takes to price a run in other ways than it ran; each is found when asked for.

    kinds: its kinds of steps, analysed. profile: the headline one. whole_run: figures are of the
    run, else of a batch of images. prices: the same kinds, if they have been priced.
    """

    work: Workload
    kinds: Sequence[PricedKind]
    profile: Profile
    whole_run: bool = True
    prices: Prices | None = None

    @property
    def algorithms(self) -> list[str]:
        """The algorithms that have priced steps."""
        return list(dict.fromkeys(kind.algorithm for kind in self.kinds))

    @cached_property
    def as_it_runs(self) -> Prices:
        """The run in the order in which it was trained."""
        reading, memory = SCENARIOS[AS_IT_RUNS]
        if self.prices is not None and self.prices.memory == memory:
            return self.prices.only(reading, self.profile.name)
        return self._tabulated(self.of_reading(reading), memory)

    def of_reading(self, accounting: str) -> list[PricedKind]:
        """Its kinds of steps with the analyses of one accounting alone."""
        return [_only(kind, accounting) for kind in self.kinds]

    @cached_property
    def best(self) -> dict[str, Built]:
        """Every rule that trains layers in its best order."""
        size, spent_by = on_chip_bytes(self.profile), best_orders.under(self.profile)
        return best_orders.built(
            self.algorithms, self.work, size, spent_by, whole_run=self.whole_run
        )

    @cached_property
    def well_built(self) -> Prices:
        """The run with every rule in its best order; steps that train no layers as they are."""
        return self._tabulated(self._built_kinds, best_orders.MEMORY)

    @cached_property
    def _built_kinds(self) -> list[PricedKind]:
        return [kind for one in self.best.values() for kind in one.kinds] + self._others

    @cached_property
    def _others(self) -> list[PricedKind]:
        """The steps that train no layers of rules that do, and all of those that do not."""
        return [
            _only(kind, best_orders.ACCOUNTING)
            for kind in self.kinds
            if kind.algorithm not in self.best or not kind.kind.trains_layers
        ]

    def _tabulated(self, kinds: Sequence[PricedKind], memory: str) -> Prices:
        return tabulate(kinds, [self.profile], whole_run=self.whole_run, memory=memory)

    @cached_property
    def parts(self) -> pd.DataFrame:
        """From backprop to Forward-Forward, both well built, in signed parts that add up.

        Rows as in ``decomposition.csv``. All parts but one are those of step-major order;
        ``order_of_computation`` is what the best order adds to that, mostly less than nothing.
        Shares of energy have the ends `intervals.SHARES` beside them.
        """
        best = _in_parts(self.well_built)
        if best.empty:
            return best
        parts, usual = with_order(_in_parts(self._usual), best), self._drawn_usual
        drawn = usual
        if self._usual is not self.well_built:
            drawn = self._drawn_parts(self._built_kinds, self.well_built, best_orders.MEMORY)
        return with_shares(parts, f"energy_{self.unit}", usual, drawn)

    def eaten(self, scenario: str, scope: str) -> Interval | None:
        """Share of what removing the backward pass saves that L2 normalisation eats.

        Well built it is that of step-major order, as in `parts`. None without both rules, or
        where nothing is saved under some draw of the constants.
        """
        if not {FORWARD_FORWARD, BACKPROP} <= set(self.algorithms):
            return None
        reading, memory = SCENARIOS[scenario]
        if scenario == AS_IT_RUNS:
            drawn = self._drawn_parts(self.of_reading(reading), self.as_it_runs, memory)
        else:
            drawn = self._drawn_usual
        return eaten(drawn, scope)

    @cached_property
    def _usual_kinds(self) -> list[PricedKind]:
        """The best of step-major order, where another order is the best."""
        return [kind for one in self.best.values() for kind in one.usual] + self._others

    @cached_property
    def _usual(self) -> Prices:
        if all(one.usual == one.kinds for one in self.best.values()):
            return self.well_built
        return self._tabulated(self._usual_kinds, best_orders.MEMORY)

    @cached_property
    def _drawn_usual(self) -> Drawn:
        return self._drawn_parts(self._usual_kinds, self._usual, best_orders.MEMORY)

    def _drawn_parts(self, kinds: Sequence[PricedKind], prices: Prices, memory: str) -> Drawn:
        return drawn_parts(kinds, prices.steps, self.profile, memory, whole_run=self.whole_run)

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per algorithm and scenario, with `columns`."""
        found = [self.row(name, scenario) for name in self.algorithms for scenario in SCENARIOS]
        return self._framed(found)

    def of(self, scenario: str) -> pd.DataFrame:
        """The rows of one scenario; as it runs needs nothing that is not analysed already."""
        return self._framed([self.row(name, scenario) for name in self.algorithms])

    def _framed(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        over = [self.ratio(row["scenario"], row["algorithm"], BACKPROP) for row in rows]
        found = (dict(zip(RATIO, astuple(one), strict=True)) if one else {} for one in over)
        rows = [row | ratio for row, ratio in zip(rows, found, strict=True)]
        table = pd.DataFrame(rows, columns=columns(self.unit))
        kinds = dict.fromkeys((*COUNTS, "in_flight", "on_chip_bytes", "peak_live_bytes"), "Int64")
        for name, kind in (kinds | dict.fromkeys(BYTEDMD, "object")).items():
            # of the rows themselves: beside what is missing pandas made floats of large integers
            table[name] = pd.Series([row[name] for row in rows], dtype=kind)
        return table

    @property
    def unit(self) -> str:
        """``joules`` or ``macs``."""
        return self.profile.column("compute").rsplit("_", 1)[1]

    def row(self, algorithm: str, scenario: str) -> dict[str, Any]:
        """The costs of an algorithm under a scenario, without its ratio to backprop."""
        if scenario == THE_LEAST:
            return self._least(algorithm)[0]
        return self._once(("row", algorithm, scenario), lambda: self._measured(algorithm, scenario))

    def ratio(self, scenario: str, ours: str, theirs: str) -> Interval | None:
        """Energy of one algorithm over another's; None where one of them has none."""
        drawn = [self._drawn(name, scenario) for name in (ours, theirs)]
        return None if drawn[0] is None or drawn[1] is None else ratio(drawn[0], drawn[1])

    def _drawn(self, algorithm: str, scenario: str) -> FloatArray | None:
        """The energy of a row under every draw of the constants."""
        if algorithm not in self.algorithms:
            return None
        if scenario == THE_LEAST:
            return self._least(algorithm)[1]
        steps, memory = self.steps_of(algorithm, scenario), SCENARIOS[scenario][1]
        key = "drawn", algorithm, scenario
        return self._once(key, lambda: steps.energies(self.profile, memory))

    def steps_of(self, algorithm: str, scenario: str) -> DrawnSteps:
        """The steps of an algorithm as it runs or well built, for any profile."""
        runs = scenario == AS_IT_RUNS
        kinds = self.of_reading(SCENARIOS[scenario][0]) if runs else self._built_kinds
        return self._once(("steps", algorithm, scenario), lambda: DrawnSteps(kinds, algorithm))

    def _once(self, key: tuple[str, ...], make: Callable[[], Made]) -> Made:
        """What ``make`` returned when it was first asked for."""
        known = self._known
        if key not in known:
            known[key] = make()
        found: Made = known[key]
        return found

    @cached_property
    def _known(self) -> dict[tuple[str, ...], Any]:
        return {}

    def _measured(self, algorithm: str, scenario: str) -> dict[str, Any]:
        """The row of a program that was recorded."""
        runs = scenario == AS_IT_RUNS
        prices, totals = self._as_it_runs if runs else self._well_built
        accounting = "eager" if runs else best_orders.ACCOUNTING
        best = self.best.get(algorithm) if not runs else None
        costs = totals.added(totals.places(algorithm, accounting))
        counts = {  # of a share of a step, to the nearest byte
            **{name: costs[name] for name in COUNTED},
            "flops": _flops(prices, algorithm),
            "bytes": costs["bytes_read"] + costs["bytes_written"],
            "off_chip_bytes": off_chip(prices, algorithm, self.profile),
        }
        return {
            **self._keys(algorithm, scenario, best.settings if best else self._as_taken(algorithm)),
            **costs,
            **{name: None if n is None else round(n) for name, n in counts.items()},
            "peak_live_bytes": totals.peak_live(algorithm, accounting),
            "note": best.note if best else "",
        }

    def _as_taken(self, algorithm: str) -> Settings:
        """The settings, in the order of its own if a rule takes one batch at a time in any."""
        settings = self.work.settings
        trained = [k for k in self.kinds if k.algorithm == algorithm and k.kind.trains_layers]
        if trained and all(k.kind.samples <= settings.batch_size for k in trained):
            return settings.replace(order=STEP_MAJOR, in_flight=1, layer_groups="")
        return settings

    def _keys(self, algorithm: str, scenario: str, settings: Settings) -> dict[str, Any]:
        reading, memory = SCENARIOS[scenario]
        order, in_flight, groups = order_of(algorithm, settings)
        return {
            "algorithm": algorithm,
            "scenario": scenario,
            "reading": reading,
            "memory": memory,
            "order": order,
            "in_flight": in_flight,
            "groups": groups,
            "profile": self.profile.name,
            "on_chip_bytes": on_chip_bytes(self.profile),
        }

    def _least(self, algorithm: str) -> tuple[dict[str, Any], FloatArray | None]:
        """The row of the bounds, and its energy under every draw of the constants.

        Training steps are at the least, all others as well built; arithmetic is that of the
        program that does less of it.
        """
        return self._once(("least", algorithm), lambda: self._at_the_least(algorithm))

    def _at_the_least(self, algorithm: str) -> tuple[dict[str, Any], FloatArray | None]:
        built = self.row(algorithm, WELL_BUILT)
        reading, memory = SCENARIOS[THE_LEAST]
        row = {**built, "scenario": THE_LEAST, "reading": reading, "memory": memory}
        row |= dict.fromkeys(("order", "groups", "note"), "")
        empty = [*COUNTS, *BYTEDMD, "in_flight", *REST[:3]]
        row |= dict.fromkeys(empty)
        row |= {f"energy_{what}{self.unit}": math.nan for what in ("compute_", "movement_", "")}
        network, settings = network_of(self.work.settings), self.work.settings
        shape = shape_name(algorithm, settings.greedy_input)
        if network is None or shape is None or algorithm not in self.best:
            return row | {"note": "no bound is known"}, None
        data = network.image_bytes * self.work.train_images / network.batch_size
        bound = bounds.least(shape, network, on_chip_bytes(self.profile), data)
        batches = self._batches(algorithm)
        drawn = batches * batch_energy.least_movement(shape, network, self.profile, data)
        others, movement = self._of_others(algorithm), float(drawn[0])
        if others:
            movement += others[f"energy_movement_{self.unit}"]
            drawn += DrawnSteps(self._others, algorithm).movement(self.profile, best_orders.MEMORY)
        energy = f"energy_compute_{self.unit}"
        less = min((WELL_BUILT, AS_IT_RUNS), key=lambda one: self.row(algorithm, one)[energy])
        compute = self.row(algorithm, less)[energy]
        drawn += self.steps_of(algorithm, less).arithmetic(self.profile, SCENARIOS[less][1])
        return row | {
            "off_chip_bytes": round(batches * bound.nbytes) + others.get("off_chip_bytes", 0),
            energy: compute,
            f"energy_movement_{self.unit}": movement,
            f"energy_{self.unit}": compute + movement,
            "commute_to_compute": float(commute_to_compute(movement, compute)),
            "note": f"{bound.name}, {bound.schedule_class}",
        }, drawn

    def _batches(self, algorithm: str) -> float:
        """Batches of images that pass all layers; a short one counts as its share."""
        if not self.whole_run:
            return 1.0
        kinds = [k for k in self.best[algorithm].kinds if k.algorithm == algorithm]
        seen: dict[tuple[str, str], int] = {}
        for one in kinds:
            stage = (one.kind.stage, one.kind.part)
            seen[stage] = seen.get(stage, 0) + int(one.steps) * one.kind.samples
        return max(seen.values()) / self.work.settings.batch_size

    def _of_others(self, algorithm: str) -> dict[str, Any]:
        """Costs of the steps that train no layers, as well built."""
        if not any(kind.algorithm == algorithm for kind in self._others):
            return {}
        prices, totals = self._others_priced
        found = totals.added(totals.places(algorithm, best_orders.ACCOUNTING))
        return {**found, "off_chip_bytes": off_chip(prices, algorithm, self.profile) or 0}

    @cached_property
    def _as_it_runs(self) -> tuple[Prices, RunTotals]:
        return self.as_it_runs, RunTotals(self.as_it_runs)

    @cached_property
    def _well_built(self) -> tuple[Prices, RunTotals]:
        return self.well_built, RunTotals(self.well_built)

    @cached_property
    def _others_priced(self) -> tuple[Prices, RunTotals]:
        prices = self._tabulated(self._others, best_orders.MEMORY)
        return prices, RunTotals(prices)


def _in_parts(prices: Prices) -> pd.DataFrame:
    """The decomposition of well built rules."""
    table = prices.decomposition
    return table[table["accounting"] == best_orders.ACCOUNTING]


def off_chip(prices: Prices, algorithm: str, profile: Profile) -> int | float | None:
    """Bytes that the last level serves; None where a profile has no levels."""
    if not profile.levels:
        return None
    rows = prices.levels
    rows = rows[(rows["algorithm"] == algorithm) & (rows["level"] == profile.level_names[-1])]
    moved = rows.assign(value=rows["bytes_read"] + rows["bytes_written"])
    return exact_total(of_run(moved, prices.steps)["value"].tolist())


def _flops(prices: Prices, algorithm: str) -> int | float:
    rows = prices.work[prices.work["algorithm"] == algorithm]
    done = rows.assign(value=rows[list(WORK)].sum(axis=1))
    return exact_total(of_run(done, prices.steps)["value"].tolist())


def _only(kind: PricedKind, accounting: str) -> PricedKind:
    """The same kind with the analyses of one accounting alone."""
    costs = kind.costs
    analyses = {key: one for key, one in costs.analyses.items() if key[0] == accounting}
    live = {accounting: costs.live[accounting]}
    return replace(kind, costs=StepCosts(analyses, costs.work, live))
