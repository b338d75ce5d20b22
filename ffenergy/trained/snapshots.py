"""Snapshots of Forward-Forward while it trains, and the table that a film of them needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ffenergy.costs.prices import Prices
from ffenergy.costs.run_totals import RunTotals
from ffenergy.data import Dataset
from ffenergy.network.dense import parameters
from ffenergy.rules.kit.host import random_streams
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD, HEADLINE, find
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.trained import examples
from ffenergy.trained.activities import readout_error, readout_name
from instrumented import Untraced

ACCOUNTING: Final = "eager"
FIELDS: Final = 16
"""Receptive fields that are looked at: those of the units whose norm is largest."""
COLUMNS: Final = (
    "algorithm",
    "test_error",
    "readout",
    "profile",
    "bytes_read",
    "bytes_written",
)
"""What a film's table has, beside the energy in the unit of its profile."""
ENERGIES: Final = ("energy_joules", "energy_macs")
KINDS: Final = ("real", "hybrid")
OWN_OUTPUT: Final = "its own output layer"


@dataclass(frozen=True)
class Film:
    """What a film shows, frame by frame.

    epochs: (frames,), 0 is before training. fields: (frames, 16, height, width), the weights of
        the layer-1 units whose norm is largest at the end. goodness: "layer1/real" (frames,
        cases) and so on. table: per algorithm and epoch the test error (percent, and how it was
        read out), bytes and energy of the training steps so far.
    """

    epochs: np.ndarray
    fields: np.ndarray
    goodness: Mapping[str, np.ndarray]
    table: pd.DataFrame

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything but the table, named, for one archive."""
        return {"epochs": self.epochs, "fields": self.fields, **self.goodness}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], table: pd.DataFrame) -> Film:
        """The film that ``arrays()`` and its table came from. Raises ValueError on others."""
        layers = dict.fromkeys(name.split("/")[0] for name in arrays if name.startswith("layer"))
        names = [f"{layer}/{kind}" for layer in layers or ("layer1",) for kind in KINDS]
        frames = len(np.atleast_1d(arrays.get("epochs", ())))
        for name, ndim in {"epochs": 1, "fields": 4, **dict.fromkeys(names, 2)}.items():
            found = arrays.get(name, np.empty(0))
            if found.ndim != ndim or not len(found) or len(found) != frames:
                raise ValueError(f"{name} is not an array with an entry per snapshot")
        energy = [name for name in ENERGIES if name in table.columns]
        for name in ("test_error", "bytes_read", "bytes_written", *(energy or ENERGIES[:1])):
            if name not in table or not pd.api.types.is_numeric_dtype(table[name]):
                raise ValueError(f"column {name} is not there, or not of numbers")
        rows = table["algorithm"].value_counts()
        if set(rows.index) != set(HEADLINE) or set(rows) != {frames}:
            raise ValueError(
                f"the table does not have {frames} rows of {' and '.join(HEADLINE)} each"
            )
        return cls(arrays["epochs"], arrays["fields"], {n: arrays[n] for n in names}, table)


class Snapshots:
    """Takes a snapshot before training and after every so many epochs, and of the last."""

    def __init__(self, settings: Settings, data: Dataset, every: int) -> None:
        self.settings, self.data, self.every = settings, data, every
        self.epochs: list[int] = []
        self.errors: list[float] = []
        self.first_layers: list[np.ndarray] = []
        self.goodness: list[dict[str, np.ndarray]] = []
        start = random_streams(settings.seed)["init"]  # what Forward-Forward starts from too
        self._take(0, parameters(NormalizedNetwork(Untraced(), settings, start).layers))

    def after_epoch(
        self, stage: str, epoch: int, weights: Callable[[], Mapping[str, np.ndarray]]
    ) -> None:
        """Look at the network after an epoch; a hook for ``train``."""
        last = epoch == self.settings.n_epochs
        if stage == find(FORWARD_FORWARD).stage and (last or epoch % self.every == 0):
            self._take(epoch, weights())

    def _take(self, epoch: int, weights: Mapping[str, np.ndarray]) -> None:
        self.epochs.append(epoch)
        self.first_layers.append(np.array(weights["layer1/W"]))
        self.goodness.append(examples.goodness(weights, self.settings, self.data))
        self.errors.append(readout_error(weights, self.settings, self.data))

    def film(self, run: Run, prices: Prices) -> Film:
        """The finished film of a run of ``ff`` and ``bp``."""
        units = np.argsort(-np.linalg.norm(self.first_layers[-1], axis=0), kind="stable")[:FIELDS]
        shape = self.data.test_images.shape[1:]
        fields = np.array([layer[:, units].T.reshape(-1, *shape) for layer in self.first_layers])
        names = [name.removeprefix("goodness/") for name in self.goodness[0]]
        goodness = {
            name: np.array([found[f"goodness/{name}"] for found in self.goodness]) for name in names
        }
        return Film(np.array(self.epochs), fields, goodness, self._table(run, prices))

    def _table(self, run: Run, prices: Prices) -> pd.DataFrame:
        """Errors, bytes and energy at every snapshot; backprop's error before training is left."""
        rows = []
        totals = RunTotals(prices)
        ridge = readout_name(self.settings, self.data)
        for algorithm in HEADLINE:
            stage = find(algorithm).stage
            history = run.history[run.history["algorithm"] == algorithm]
            own = history[history["stage"] == stage].set_index("epoch")
            for epoch, error in zip(self.epochs, self.errors, strict=True):
                if algorithm == BACKPROP:
                    error = float(own["test_error"].get(epoch, np.nan))
                rows.append(
                    {
                        "algorithm": algorithm,
                        "epoch": epoch,
                        "test_error": error,
                        "readout": ridge if algorithm == FORWARD_FORWARD else OWN_OUTPUT,
                        "accounting": ACCOUNTING,
                        **totals.priced_in,
                        **_costs(totals, algorithm, history, stage, epoch),
                    }
                )
        return pd.DataFrame(rows)


def _costs(
    totals: RunTotals, algorithm: str, history: pd.DataFrame, stage: str, epoch: int
) -> dict[str, Any]:
    """Bytes and energy of the training steps up to an epoch."""
    table = totals.training_up_to(algorithm, history, stage, epoch).set_index("accounting")
    energy = f"energy_{totals.unit}"
    return {name: table.loc[ACCOUNTING, name] for name in ("bytes_read", "bytes_written", energy)}
