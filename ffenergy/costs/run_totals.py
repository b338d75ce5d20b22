"""What a whole run costs: priced steps times their numbers, added exactly."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

import pandas as pd

from ffenergy.costs.decomposition import Measure, exact_total, measures, of_run
from ffenergy.costs.prices import Prices
from ffenergy.costs.step_kinds import What, keys_of, rows_of, times_of, trains_layers
from ffenergy.energy import commute_to_compute

KEYS: Final = ["algorithm", "accounting", "layer", "phase"]
COUNTS: Final = ["bytes_read", "bytes_written", "bytedmd_operation", "bytedmd_tile"]


def headline_unit(prices: Prices) -> str:
    """``joules`` or ``macs``: the unit of energies under the headline profile."""
    rows = prices.energy[prices.energy["profile"] == prices.profiles[0]]
    relative = "energy_compute_macs" in rows and rows["energy_compute_macs"].notna().any()
    return "macs" if relative else "joules"


@dataclass(frozen=True, eq=False)
class RunTotals:
    """Sums over the steps of a run under its headline profile; each table is found once."""

    prices: Prices

    @cached_property
    def unit(self) -> str:
        """``joules`` or ``macs``."""
        return headline_unit(self.prices)

    @property
    def priced_in(self) -> dict[str, str]:
        """Columns of tables with these energies: what memory and what profile they are of."""
        return {"memory": self.prices.memory, "profile": self.prices.profiles[0]}

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The measures that need no profile, and those under the headline profile."""
        energy = self.prices.energy
        mine = energy[energy["profile"] == self.prices.profiles[0]]
        return tuple(measures(self.prices.reuse, mine))

    @cached_property
    def by_place(self) -> pd.DataFrame:
        """Costs of the run per algorithm, accounting, layer and phase.

        Columns: bytes_read, bytes_written, bytedmd_operation, bytedmd_tile (Python integers, which
        never wrap) and energy_compute_*, energy_movement_*, energy_* (joules or macs).
        """
        counts = times_of(self.prices.steps)
        cells: dict[tuple[str, ...], dict[str, list[Any]]] = {}
        for measure in self.measures:
            table = measure.table
            places = zip(*(table[name].tolist() for name in ("layer", "phase")), strict=True)
            values = table["value"].tolist()
            for key, place, value in zip(keys_of(table), places, values, strict=True):
                cell = cells.setdefault((key[0], measure.accounting, *place), {})
                cell.setdefault(measure.name, []).append(value * counts[key])
        names = dict.fromkeys(measure.name for measure in self.measures)
        rows = [
            (*key, *(exact_total(cell.get(name, ())) for name in names))
            for key, cell in cells.items()
        ]
        frame = pd.DataFrame(rows, columns=[*KEYS, *names])
        return frame.astype(dict.fromkeys(set(COUNTS) & set(names), object))

    def places(self, algorithm: str, accounting: str) -> pd.DataFrame:
        """The rows of ``by_place`` of one algorithm under one accounting."""
        table = self.by_place
        return table[(table["algorithm"] == algorithm) & (table["accounting"] == accounting)]

    def added(self, places: pd.DataFrame) -> dict[str, Any]:
        """Add up rows of ``by_place``; with the ratio and the share of phase ``normalize``.

        None for ByteDMD at a grain that was not analysed.
        """
        compute, movement, energy = (
            f"energy_{w}{self.unit}" for w in ("compute_", "movement_", "")
        )
        sums: dict[str, Any] = dict.fromkeys(COUNTS)
        for name in places.columns.intersection([*COUNTS, compute, movement]):
            sums[name] = exact_total(places[name].tolist())
        sums[energy] = exact_total(places[energy].tolist())
        normalize = exact_total(places.loc[places["phase"] == "normalize", energy].tolist())
        ratio = float(commute_to_compute(sums[movement], sums[compute]))
        share = normalize / sums[energy] if sums[energy] else math.nan
        return {**sums, "commute_to_compute": ratio, "normalize_energy_share": share}

    def peak_live(self, algorithm: str, accounting: str) -> int | None:
        """Most bytes alive in any training step; in any step, where only the head is trained."""
        peak = self.prices.peak
        peak = peak[(peak["algorithm"] == algorithm) & (peak["accounting"] == accounting)]
        trained = rows_of(peak, trains_layers(self.prices.steps))
        peak = peak if trained.empty else trained
        return None if peak.empty else int(peak["peak_live_bytes"].max())

    def training_up_to(
        self, algorithm: str, history: pd.DataFrame, stage: str, epoch: int
    ) -> pd.DataFrame:
        """Costs of the training steps up to the end of an epoch, per accounting.

        Evaluations, meters and shuffling are left out. ``history`` has the algorithm's epochs: all
        epochs of a stage take equally many steps of each kind, so those so far are a whole number.

        Returns columns accounting, bytes_read, bytes_written and energy_* (joules or macs).
        """
        epochs = int(history.loc[history["stage"] == stage, "epoch"].max())
        steps = self.prices.steps[self.prices.steps["algorithm"] == algorithm]
        stages = list(dict.fromkeys(map(str, steps["stage"])))  # in the order of the run
        now, done = stages.index(stage), Fraction(epoch, epochs)
        taken = [
            _taken(row, stages.index(row["stage"]) - now, done) for row in steps.to_dict("records")
        ]
        so_far = steps.assign(steps=taken)
        found: dict[str, dict[str, Any]] = {}
        for measure in self.measures:
            if measure.name in ("bytes_read", "bytes_written", f"energy_{self.unit}"):
                table = measure.table[measure.table["algorithm"] == algorithm]
                values = of_run(table, so_far)["value"].tolist()
                found.setdefault(measure.accounting, {})[measure.name] = exact_total(values)
        return pd.DataFrame([{"accounting": name, **row} for name, row in found.items()])


def _taken(row: Mapping[Hashable, Any], later: int, done: Fraction) -> int:
    """How many steps of a kind had been taken once a part of a stage's epochs was done.

    ``later`` is the number of stages from that stage to the kind's. What a network can be trained
    without counts as none.
    """
    steps = int(row["steps"])
    if row["what"] == What.TRAIN and later == 0:
        return int(steps * done)
    prepares = row["what"] == What.PREPARE and row["images"] == "train"
    return steps if later <= 0 and (prepares or row["what"] == What.TRAIN) else 0
