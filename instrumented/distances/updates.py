"""ByteDMD of one update of a small network, with the columns that the field compares.

Total, reuse-distance histogram, split into phases (forward, backward, update), and the cost to a
criterion: median number of updates until it is met × cost of one. Phases are measured in one
trace, never as the difference of two. For tiny programs, at scalar grain.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from instrumented.distances.bytedmd import access_costs
from instrumented.distances.scalar_grain import scalar_trace
from instrumented.errors import InstrumentError


@dataclass(frozen=True)
class UpdateCost:
    """ByteDMD of one update.

    Attributes:
        reads: one row per phase and stack distance: phase, distance (elements), reads, bytedmd.
        escapes: values that left as plain numbers; what was made from them looked free.
    """

    reads: pd.DataFrame
    escapes: int

    @property
    def total(self) -> int:
        """ByteDMD of the whole update."""
        return int(self.reads["bytedmd"].sum())

    @property
    def by_phase(self) -> pd.DataFrame:
        """Reads and ByteDMD of every phase, in the order of the program; they add up to the total.

        Columns phase, reads, bytedmd.
        """
        summed = self.reads.groupby("phase", sort=False)[["reads", "bytedmd"]].sum()
        return summed.reset_index()

    @property
    def histogram(self) -> pd.DataFrame:
        """Reads and ByteDMD in bins of powers of two: distance_from < distance ≤ distance_to."""
        high = 2 ** np.ceil(np.log2(self.reads["distance"])).astype(np.int64)
        bins = self.reads.assign(distance_from=high // 2, distance_to=high)
        keys = ["phase", "distance_from", "distance_to"]
        return bins.groupby(keys, sort=False)[["reads", "bytedmd"]].sum().reset_index()

    def to_criterion(self, updates: Sequence[int | None]) -> Criterion:
        """Return the cost until a criterion is met.

        Args:
            updates: for every seed the number of updates it took, None where it never did.

        Raises:
            InstrumentError: no seed met the criterion: it has no cost, and is missed.
        """
        solved = sorted(count for count in updates if count is not None)
        if not solved:
            raise InstrumentError(f"none of {len(updates)} seeds met the criterion: it is missed")
        median = statistics.median_high(solved)
        return Criterion(len(solved), len(updates), median, median * self.total)


@dataclass(frozen=True)
class Criterion:
    """What meeting a criterion costs: median updates of the seeds that met it × cost of one."""

    solved: int
    seeds: int
    updates: int
    bytedmd: int


def update_cost(
    func: Callable[..., Any],
    args: Sequence[Any],
    bytes_per_element: int = 1,
    *,
    records_escapes: bool = False,
) -> UpdateCost:
    """Measure `func(*args)`, one update, as :func:`instrumented.bytedmd` does.

    The program names its phases with ``with instrumented.phase("backward"):``.

    Args:
        func: as in `bytedmd`.
        args: its arguments.
        bytes_per_element: size of every scalar.
        records_escapes: let values out by `float`, `int` and `complex`, as the published ByteDMD
            does: the read is paid, what is computed afterwards is not. Counted in `escapes`.

    Raises:
        UncountedOperationError, EscapeError, InstrumentError: as `bytedmd`.
    """
    found = scalar_trace(func, args, records_escapes=records_escapes)
    size = bytes_per_element
    frame = pd.DataFrame(
        {
            "phase": [found.phase_names[number] for number in found.phases.tolist()],
            "distance": found.distances,
            "reads": 1,
            "bytedmd": access_costs(found.distances * size, size),
        }
    )
    reads = frame.groupby(["phase", "distance"], sort=False)[["reads", "bytedmd"]].sum()
    return UpdateCost(reads.reset_index(), found.escapes)
