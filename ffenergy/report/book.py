"""The report of a run as one frozen object: every table computed once, for all that draw it.

Text, Markdown, the page, the pictures, CSV and JSON are pure formatters of a :class:`Book`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from ffenergy.costs import every_profile
from ffenergy.costs.decomposition import RUN, TRAINING_STEP, energies, of_run
from ffenergy.costs.further import further_analysis
from ffenergy.costs.network import order_of
from ffenergy.costs.prices import ACCOUNTINGS, MEMORIES, PRICED_GRAIN, Prices
from ffenergy.costs.rehearsal import Workload
from ffenergy.costs.run_costs import run_kinds, tabulate
from ffenergy.costs.run_totals import RunTotals
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, WELL_BUILT, Scenarios
from ffenergy.energy import (
    ChosenProfile,
    Profile,
    choose_profiles,
    profiles,
    restore_profiles,
)
from ffenergy.report import per_sample, tables
from ffenergy.report.answer import Answer, answer
from ffenergy.report.columns import UNITS
from ffenergy.rules import registry
from ffenergy.runs.run import Run
from ffenergy.style import MEMORY_WORDS

SCOPES: Final = {TRAINING_STEP: "Per training step", RUN: "Over the whole run"}
"""How a sentence about each scope of the decomposition begins."""
OF_SCENARIOS: Final = ("scenarios", "well-built", "ratios")
"""Derived tables beside those of one step, there only where steps have prices."""

Say = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Book:
    """A run, its prices, and every table that follows from them, each found when first asked for.

    run: what was measured. prices: its steps priced; None where nothing was traced.
    hardware: the profiles of `prices`, the headline first. base: what its figures are of, the
    whole run or one training step. ways: what prices its other scenarios. scenario: the one that
    headlines are of.
    """

    run: Run
    prices: Prices | None = None
    hardware: tuple[Profile, ...] = ()
    base: str = RUN
    ways: Scenarios | None = None
    scenario: str = AS_IT_RUNS

    @classmethod
    def of(
        cls, run: Run, profiles: Sequence[ChosenProfile], say: Say, scenario: str = AS_IT_RUNS
    ) -> Book:
        """Price a run and open its book; `say` takes warnings, a line each."""
        hardware = tuple(chosen.profile for chosen in profiles)
        data = run.configuration["data"]
        images = (data["train_images"], data["test_images"])
        memory = str(run.configuration.get("memory", MEMORIES[0]))
        work = Workload(run.settings, *images)
        origins = run.configuration.get("rules", {})
        further = further_analysis(memory, hardware)
        kinds = run_kinds(run.results, work, say, origins=origins, further=further)
        if not kinds:
            return cls(run, None, hardware)
        prices = tabulate(kinds, hardware, whole_run=True, memory=memory)
        ways = Scenarios(work, kinds, hardware[0], prices=prices)
        return cls(run, prices, hardware, ways=ways, scenario=scenario)

    # ---- what was counted ------------------------------------------------------------------------

    @cached_property
    def pair(self) -> tuple[str, str] | None:
        """The rule that headlines are of and its baseline; None unless both have finished."""
        return registry.pair(self.run.results)

    @cached_property
    def counted(self) -> pd.DataFrame:
        """A row per algorithm, as counted: see ``tables.counted``."""
        return tables.counted(self.run)

    @cached_property
    def traced(self) -> list[str]:
        """The algorithms whose bytes were counted."""
        counted = set(self.run.traffic["algorithm"])
        return [name for name in self.run.algorithms if name in counted]

    @cached_property
    def layers_by_phases(self) -> dict[str, pd.DataFrame]:
        """Bytes per layer and phase of every traced algorithm, with totals."""
        return {name: tables.layers_by_phases(self.run, name) for name in self.traced}

    @cached_property
    def comparison(self) -> pd.DataFrame:
        """The pair, quantity by quantity."""
        return tables.comparison(self.run, self.counted, self.pair)

    @cached_property
    def phase_differences(self) -> pd.DataFrame:
        """Bytes per training sample of the pair, phase by phase."""
        return tables.phase_differences(self.run, self.pair)

    @cached_property
    def reached(self) -> pd.DataFrame:
        """Bytes and flops up to each test error: see ``tables.to_targets``."""
        return tables.to_targets(self.run)

    # ---- the files -------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> pd.DataFrame:
        """``summary.csv``."""
        return tables.summary(self.run, self.counted, self.totals)

    @cached_property
    def normalize(self) -> pd.DataFrame:
        """``normalize.csv``."""
        return tables.normalize(self.run, self.totals)

    @cached_property
    def targets(self) -> pd.DataFrame:
        """``targets.csv``."""
        return tables.targets(self.run, self.reached, self.totals)

    @cached_property
    def files(self) -> dict[str, pd.DataFrame]:
        """Every table of the run directory that is derived, by name; file names add ``.csv``."""
        found = {"summary": self.summary, "normalize": self.normalize, "targets": self.targets}
        if self.ways:
            more = (self.scenarios, self.ways.parts, self.every_profile)
            found |= {
                name: table
                for name, table in zip(OF_SCENARIOS, more, strict=True)
                if not table.empty
            }
        return found | (dict(self.prices.tables()) if self.prices else {})

    # ---- what was priced -------------------------------------------------------------------------

    @cached_property
    def totals(self) -> RunTotals | None:
        """Sums over the run under the headline profile."""
        return RunTotals(self.prices) if self.prices else None

    @cached_property
    def headline(self) -> str:
        """Name of the headline profile; empty where nothing was priced."""
        return self.prices.profiles[0] if self.prices else ""

    @cached_property
    def unit(self) -> str:
        """``joules`` or ``macs``; empty where nothing was priced."""
        return self.totals.unit if self.totals else ""

    def met(self, caption: str) -> str:
        """A caption of figures that depend on the memory that `prices` are of, with its name."""
        return f"{caption}, in {MEMORY_WORDS[self.prices.memory]}" if self.prices else caption

    @cached_property
    def trained(self) -> list[str]:
        """The algorithms that have priced training steps, in the order of all pictures."""
        return per_sample.trained_algorithms(self.prices) if self.prices else []

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """Costs of every algorithm under every scenario: see ``costs.scenarios.columns``.

        A run read from its files alone has the scenario as it runs, and of that its bytes and
        flops alone where nothing was priced.
        """
        if self.ways is not None:
            return self.ways.table
        rows = []
        reading, memory = SCENARIOS[AS_IT_RUNS]
        for algorithm in self.traced:
            traffic = self.run.traffic[self.run.traffic["algorithm"] == algorithm]
            keys = {"algorithm": algorithm, "scenario": AS_IT_RUNS, "reading": reading}
            keys |= {"memory": memory, "order": order_of(algorithm, self.run.settings)[0]}
            counted = {name: int(traffic[name].sum()) for name in tables.TOTALS}
            counted["bytes"] = counted["bytes_read"] + counted["bytes_written"]
            rows.append({**keys, **counted, **self._costs(algorithm, reading)})
        return pd.DataFrame(rows, columns=None if rows else ["algorithm", "scenario"])

    def _costs(self, algorithm: str, accounting: str) -> dict[str, Any]:
        if self.totals is None:
            return {}
        costs = self.totals.added(self.totals.places(algorithm, accounting))
        return {**costs, "peak_live_bytes": self.totals.peak_live(algorithm, accounting)}

    def of_scenario(self, scenario: str) -> pd.DataFrame:
        """The rows of `scenarios` of one, found without the others."""
        if self.ways is not None:
            return self.ways.of(scenario)
        return self.scenarios[self.scenarios["scenario"] == scenario]

    def parts(
        self, scope: str, accounting: str, profile: str | None = None, measure: str | None = None
    ) -> pd.DataFrame:
        """Rows of ``decomposition.csv``; by default energy under the headline profile."""
        if self.prices is None:
            return pd.DataFrame()
        table = self.prices.decomposition
        return table[
            (table["scope"] == scope)
            & (table["accounting"] == accounting)
            & (table["profile"] == (self.headline if profile is None else profile))
            & (table["measure"] == (measure or f"energy_{self.unit}"))
        ]

    @cached_property
    def answers(self) -> dict[tuple[str, str], Answer]:
        """The answer under the headline profile, by scope and accounting."""
        found = {}
        for scope, opening in SCOPES.items():
            for accounting in ACCOUNTINGS:
                parts = self.parts(scope, accounting)
                if not parts.empty:
                    told = f"{self.met(f'{opening}, {accounting}')}, under {self.headline}"
                    measure = f"energy_{self.unit}"
                    found[scope, accounting] = answer(parts, measure, UNITS[self.unit], told)
        return found

    @cached_property
    def as_it_runs_answer(self) -> Answer | None:
        """The answer as it runs over the book's base, whatever memory `prices` are of."""
        if self.ways is None:
            return self.answers.get((self.base, SCENARIOS[AS_IT_RUNS][0]))
        return self._answer(self._energies(self.ways.as_it_runs.decomposition), AS_IT_RUNS)

    def well_built_parts(self, scope: str | None = None) -> pd.DataFrame:
        """Energy of well built Forward-Forward less backprop in parts; by default over the base."""
        parts = self.ways.parts if self.ways else pd.DataFrame()
        return parts if parts.empty else self._energies(parts, scope)

    @cached_property
    def well_built_answer(self) -> Answer | None:
        """The answer where both rules are well built, over the book's base; None without both."""
        return self._answer(self.well_built_parts(), WELL_BUILT)

    def _energies(self, parts: pd.DataFrame, scope: str | None = None) -> pd.DataFrame:
        """The rows of a decomposition that are energies; by default over the base."""
        measure = f"energy_{self.unit}"
        return parts[(parts["scope"] == (scope or self.base)) & (parts["measure"] == measure)]

    def _answer(self, parts: pd.DataFrame, scenario: str) -> Answer | None:
        """What parts over the base say of a scenario; None without any."""
        if parts.empty:
            return None
        told = f"{SCOPES[self.base]}, {scenario}, under {self.headline}"
        return answer(parts, f"energy_{self.unit}", UNITS[self.unit], told)

    @cached_property
    def every_profile(self) -> pd.DataFrame:
        """Forward-Forward ÷ backprop under every profile: see ``costs.every_profile.COLUMNS``."""
        if self.ways is None:
            return pd.DataFrame()
        known = {one.name: one for one in (*self.hardware, *profiles().values())}
        return every_profile.ratios(self.ways, known.values())

    @cached_property
    def run_energy(self) -> pd.DataFrame:
        """Rows of ``energy.csv`` under the headline profile, ``value`` their energy in the run."""
        if self.prices is None:
            return pd.DataFrame()
        rows = self.prices.energy[self.prices.energy["profile"] == self.headline]
        rows = rows.assign(value=energies(rows)[f"energy_{self.unit}"])
        return of_run(rows, self.prices.steps)

    def energy_per_sample(self, key: str) -> pd.DataFrame:
        """Energy of movement and compute per training sample, by algorithm, accounting, `key`."""
        return self._energy_per_sample[key]

    @cached_property
    def _energy_per_sample(self) -> dict[str, pd.DataFrame]:
        if self.prices is None:
            return {}
        rows = self.prices.energy[self.prices.energy["profile"] == self.headline]
        found = energies(rows)
        split = {what: found[f"energy_{what}_{self.unit}"] for what in ("movement", "compute")}
        rows = rows.assign(**split)
        return {
            key: per_sample.per_training_sample(
                rows, self.prices.steps, list(split), ["algorithm", "accounting", key]
            )
            for key in ("phase", "role")
        }

    @cached_property
    def miss_curves(self) -> dict[str, pd.DataFrame]:
        """Bytes per training sample beyond an on-chip memory, by accounting."""
        if self.prices is None:
            return {}
        found = {name: per_sample.miss_curves(self.prices, name) for name in ACCOUNTINGS}
        return {name: curves for name, curves in found.items() if not curves.columns.empty}

    @cached_property
    def distances(self) -> pd.DataFrame:
        """Bytes read per training sample by algorithm, accounting, role and reuse distance."""
        keys = ["algorithm", "accounting", "role", "distance_to_bytes"]
        if self.prices is None:
            return pd.DataFrame(columns=[*keys, "bytes_read"])
        reuse = self.prices.reuse
        chosen = (reuse["grain"] == PRICED_GRAIN) & (reuse["memory"] == self.prices.memory)
        reuse = reuse[chosen]
        table = per_sample.per_training_sample(reuse, self.prices.steps, ["bytes_read"], keys)
        return table[table["bytes_read"] > 0]


def saved_profiles(run: Run) -> list[ChosenProfile]:
    """The profiles under which a run was priced; the default ones for runs that were not."""
    records = run.configuration.get("profiles")
    return restore_profiles(records) if records else choose_profiles()
