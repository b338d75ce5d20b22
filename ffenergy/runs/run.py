"""A run: what was asked, what was measured, how far it came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ffenergy.runs import results
from ffenergy.runs.run_document import SCALARS
from ffenergy.settings import Settings

if TYPE_CHECKING:
    from ffenergy.runs.results import AlgorithmResult

RESUMABLE = ("ffenergy compare", "ffenergy train")
TRAFFIC_COLUMNS = ["algorithm", *results.TRAFFIC_COLUMNS]
HISTORY_COLUMNS = ["algorithm", "stage", "epoch", "loss"]


@dataclass(frozen=True)
class Run:
    """Everything a report is built from.

    configuration: what `run.json` says of the run as a whole: command, settings, versions, data,
        seed, accounting, status.
    results: per algorithm the scalars of its row in `summary.csv` and its step signatures.
    traffic, history: tables of all algorithms, columns as in `traffic.csv` and `history.csv`.
    weights: "ff/layer1/W" and so on. examples: arrays that pictures need, named by them.
    """

    configuration: dict[str, Any]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    traffic: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TRAFFIC_COLUMNS))
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HISTORY_COLUMNS))
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    examples: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def algorithms(self) -> list[str]:
        """Names of the algorithms that finished, in the order of their training."""
        return list(self.results)

    @property
    def settings(self) -> Settings:
        """The settings of the run, whichever version wrote them."""
        return Settings.from_saved(self.configuration["settings"])

    @property
    def error_on(self) -> str:
        """On which images errors are, and what they are called after: validation or test."""
        held_out = self.configuration.get("data", {}).get("validation_images")
        return "validation" if held_out else "test"

    @property
    def can_resume(self) -> bool:
        """Whether its command has --resume, which goes on with it."""
        return str(self.configuration["command"]).startswith(RESUMABLE)

    def with_status(self, status: str, reason: str = "") -> Run:
        """The same run in another state; `reason` says in one line why it stopped."""
        configuration = {**self.configuration, "status": status, "reason": reason}
        return replace(self, configuration=configuration)

    def with_profiles(self, records: Sequence[Mapping[str, Any]]) -> Run:
        """The same run priced under other profiles; a record of each as `run.json` keeps it."""
        return replace(self, configuration={**self.configuration, "profiles": list(records)})

    def in_memory(self, memory: str | None) -> Run:
        """The same run priced in another memory, unless it is None."""
        if memory is None:
            return self
        return replace(self, configuration={**self.configuration, "memory": memory})

    def with_result(self, result: AlgorithmResult) -> Run:
        """The run with one more algorithm finished."""
        row = {name: getattr(result, name) for name in SCALARS}
        row["traced"] = result.traffic is not None
        row["signatures"] = result.signatures
        weights = {f"{result.algorithm}/{name}": w for name, w in result.weights.items()}
        run = self.with_history(result.algorithm, result.history)
        if result.traffic is not None:
            run = replace(run, traffic=_joined(run.traffic, result.algorithm, result.traffic))
        return replace(
            run,
            results={**self.results, result.algorithm: row},
            weights={**self.weights, **weights},
        )

    def with_history(self, algorithm: str, history: pd.DataFrame) -> Run:
        """The run with the epochs of one algorithm, finished or not."""
        if history.empty:
            return self
        return replace(self, history=_joined(self.history, algorithm, history))

    def without_unfinished(self) -> Run:
        """The run with the epochs of finished algorithms alone."""
        finished = self.history["algorithm"].isin(self.algorithms)
        return replace(self, history=self.history[finished].reset_index(drop=True))

    def with_examples(self, examples: Mapping[str, np.ndarray]) -> Run:
        """The run with the arrays that its pictures need."""
        return replace(self, examples=examples)


def _joined(table: pd.DataFrame, algorithm: str, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    rows.insert(0, "algorithm", algorithm)
    return rows if table.empty else pd.concat([table, rows], ignore_index=True)
