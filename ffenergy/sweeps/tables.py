"""A sweep as tables: a row per cell, a row per setting over its seeds, every epoch.

Counts of a cell that was not traced are those of its rehearsal, since shapes alone decide them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Final

import pandas as pd

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.costs.run_costs import run_kinds
from ffenergy.costs.scenarios import AS_IT_RUNS, SCENARIOS, WELL_BUILT, Scenarios
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile
from ffenergy.runs.results import signature_row
from ffenergy.runs.run_document import SCALARS
from ffenergy.settings import Settings
from ffenergy.style import ALGORITHM_NAMES, in_order
from ffenergy.sweeps.cells import COUNTS, Cell, Outcome

ACCOUNTING: Final = "eager"
ERRORS: Final = ("test_error", "train_error")
STATUSES: Final = ("complete", "diverged", "failed")
PRICED_IN: Final = ("memory", "profile")
"""Columns of what energies are of, in every table that has some."""


class CellEnergies:
    """Energy of whole cells under one profile; a step that several take is analysed once."""

    def __init__(self, profile: Profile, say: Callable[[str], object] = lambda line: None) -> None:
        self.profile, self.say = profile, say
        self.known: dict[tuple[object, ...], Scenarios | None] = {}
        self.analysed: dict[str, StepCosts] = {}

    @property
    def priced_in(self) -> dict[str, str]:
        """What the energies are of: the columns `PRICED_IN`."""
        return dict(zip(PRICED_IN, (SCENARIOS[AS_IT_RUNS][1], self.profile.name), strict=True))

    def of(self, cell: Cell, outcome: Outcome) -> dict[str, float]:
        """Eager energy of a complete cell with counts, as `energy_joules` (or `_macs`)."""
        found = self._found(cell, outcome)
        if found is None:
            return {}
        energy = f"energy_{found.unit}"
        return {energy: float(found.row(cell.algorithm, AS_IT_RUNS)[energy])}

    def beside(self, cell: Cell, outcome: Outcome) -> dict[str, Any]:
        """Most bytes alive in a training step of such a cell, eager; its costs as well built.

        Names of the latter begin with ``built_``: see ``two_by_two.py``.
        """
        found = self._found(cell, outcome)
        if found is None:
            return {}
        built = found.row(cell.algorithm, WELL_BUILT)
        own = found.row(cell.algorithm, AS_IT_RUNS)
        names = ["memory", "order", "in_flight", "bytes", "flops"]
        names += [f"energy_{found.unit}", "peak_live_bytes"]
        return {
            "peak_live_bytes": own["peak_live_bytes"],
            **{f"built_{name}": built[name] for name in names},
        }

    def _found(self, cell: Cell, outcome: Outcome) -> Scenarios | None:
        if outcome.status != "complete" or not outcome.signatures:
            return None
        steps = tuple((s["name"], s["digest"], s["steps"]) for s in outcome.signatures)
        key = (cell.algorithm, cell.settings.layer_sizes, cell.settings.dtype, *steps)
        if key not in self.known:
            self.known[key] = self._priced(cell, outcome)
        return self.known[key]

    def _priced(self, cell: Cell, outcome: Outcome) -> Scenarios | None:
        images = cell.settings.n_train or cell.data.train_images
        work = Workload(cell.settings, images, cell.data.test_images)
        results = {cell.algorithm: {"signatures": outcome.signatures}}
        kinds = run_kinds(results, work, self.say, self.analysed)
        return Scenarios(work, kinds, self.profile) if kinds else None


def cells_table(
    found: Sequence[tuple[Cell, Outcome]],
    swept: Sequence[str],
    energies: CellEnergies | None = None,
) -> pd.DataFrame:
    """Return `cells.csv`: a row per cell, in the order of the sweep file.

    Errors in percent of the images that `error_on` names (test or validation); counts and energies
    are of the whole training, eager, and empty where nothing was traced.
    """
    rows = [_row(cell, outcome, swept, energies) for cell, outcome in found]
    table = pd.DataFrame(rows)
    whole = [name for name in (*COUNTS, *SCALARS) if name not in (*ERRORS, "wall_seconds")]
    return table.astype(dict.fromkeys(whole, "Int64"))


def _row(
    cell: Cell, outcome: Outcome, swept: Sequence[str], energies: CellEnergies | None
) -> dict[str, Any]:
    settings = cell.settings.to_dict()
    energy = energies.of(cell, outcome) if energies else {}
    scores = {name: _none_if_nan(outcome.scores[name]) for name in SCALARS}
    return {
        "cell": outcome.cell,
        "algorithm": cell.algorithm,
        **{name: shown(settings[name]) for name in swept},
        "seed": cell.settings.seed,
        "dataset": cell.settings.dataset,
        "is_sample": cell.data.is_sample,
        "error_on": "validation" if cell.settings.n_validation else "test",
        "status": outcome.status,
        **{name: scores.pop(name) for name in ERRORS},
        "accounting": ACCOUNTING,
        **{name: outcome.counts.get(name) for name in COUNTS},
        **(energies.priced_in | energy if energies else {}),
        **scores,
        "threads": outcome.threads,
        "message": outcome.message,
    }


def summary_table(cells: pd.DataFrame, swept: Sequence[str]) -> pd.DataFrame:
    """Return `summary.csv`: over the seeds of every algorithm and combination of settings.

    Mean and sample standard deviation (n − 1; empty for one seed) are of the `n` complete cells;
    `n_diverged` and `n_failed` count the others. Counts are the same for every seed.
    """
    keys = ["algorithm", *(name for name in swept if name != "seed")]
    rows = [
        {**dict(zip(keys, key, strict=True)), **_over_seeds(group)}
        for key, group in cells.groupby(keys, sort=False, dropna=False)
    ]
    return pd.DataFrame(rows).astype(dict.fromkeys(COUNTS, "Int64"))


def _over_seeds(group: pd.DataFrame) -> dict[str, Any]:
    complete = group[group["status"] == "complete"]
    spread = {
        f"{name}_{how}": float(complete[name].astype(float).agg(how))
        for name in ERRORS
        for how in ("mean", "std")
    }
    first = None if complete.empty else complete.iloc[0]
    energies = [name for name in group.columns if name.startswith("energy_")]
    return {
        "n": len(complete),
        **{f"n_{name}": int((group["status"] == name).sum()) for name in STATUSES[1:]},
        "seeds": " ".join(str(seed) for seed in complete["seed"]),
        "dataset": group["dataset"].iloc[0],
        "is_sample": bool(group["is_sample"].iloc[0]),
        "error_on": group["error_on"].iloc[0],
        **spread,
        "accounting": ACCOUNTING,
        **{name: None if first is None else first[name] for name in COUNTS},
        **{name: group[name].iloc[0] for name in PRICED_IN if name in group},
        **{name: math.nan if first is None else first[name] for name in energies},
        "wall_seconds_mean": float(complete["wall_seconds"].astype(float).mean()),
    }


def history_table(found: Sequence[tuple[Cell, Outcome]], swept: Sequence[str]) -> pd.DataFrame:
    """Return `history.csv`: a row per cell, stage and epoch, with the cell's swept settings."""
    return pd.DataFrame(
        [{**_place(c, outcome, swept), **row} for c, outcome in found for row in outcome.history]
    )


def features_table(found: Sequence[tuple[Cell, Outcome]], swept: Sequence[str]) -> pd.DataFrame:
    """Return `features.csv`: a row per cell and hidden layer, see `activities.learned`."""
    return pd.DataFrame(
        [{**_place(c, outcome, swept), **row} for c, outcome in found for row in outcome.features]
    )


def _place(cell: Cell, outcome: Outcome, swept: Sequence[str]) -> dict[str, Any]:
    settings = cell.settings.to_dict()
    return {
        "cell": outcome.cell,
        "algorithm": cell.algorithm,
        **{name: shown(settings[name]) for name in swept},
        "seed": cell.settings.seed,
    }


def shown(value: Any) -> Any:
    """Return a setting as one cell of a table; a list of widths becomes `784-500-500`."""
    return "-".join(map(str, value)) if isinstance(value, (list, tuple)) else value


def algorithms_of(table: pd.DataFrame) -> list[str]:
    """Algorithms in the order of the reports."""
    return in_order(table["algorithm"], ALGORITHM_NAMES)


def described(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Name a combination, such as `lr=0.001, n_blur=6`."""
    return ", ".join(f"{name}={row[name]}" for name in names)


def settings_label(settings: Settings, swept: Sequence[str]) -> str:
    """Name a cell by its swept settings and seed."""
    values = settings.to_dict()
    told = {name: shown(values[name]) for name in (*swept, "seed")}
    return described(told, list(told))


def _none_if_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def counted(cell: Cell, outcome: Outcome) -> Outcome:
    """Return the outcome of a complete cell with counts and signatures; a traced one as it is."""
    if outcome.status != "complete" or outcome.signatures:
        return outcome
    images = cell.settings.n_train or cell.data.train_images
    work = Workload(cell.settings.replace(seed=0), images, cell.data.test_images)
    counts, signatures = _rehearsed(cell.algorithm, work)
    return replace(outcome, counts=counts, signatures=signatures)


@cache  # the same for every seed
def _rehearsed(algorithm: str, work: Workload) -> tuple[dict[str, int], list[dict[str, Any]]]:
    counts = dict.fromkeys(COUNTS, 0)
    kinds = rehearse(algorithm, work).kinds
    for one in kinds:
        done, moved = one.signature.work, one.signature.traffic
        counts["flops"] += one.steps * done.flops
        counts["flops_special"] += one.steps * done.special
        counts["bytes_read"] += one.steps * moved.bytes_read
        counts["bytes_written"] += one.steps * moved.bytes_written
    return counts, [signature_row(one.signature, one.steps) for one in kinds]
