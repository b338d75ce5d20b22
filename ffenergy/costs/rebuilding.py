"""The counts of a whole run without training it: one step of every kind, times their number."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.recording import Bench, StepKind, Workload, step_kinds
from ffenergy.costs.step_numbers import step_numbers
from instrumented import Trace

PLACE: Final = ["layer", "phase", "operation", "role"]
UNSCOPED: Final = "unscoped"
NUMBERS: Final = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]


def traffic(algorithm: str, work: Workload) -> pd.DataFrame:
    """Return what ``traffic.csv`` holds of a complete run, rows sorted by place.

    Columns layer, phase, operation, role, calls, flops, flops_special, bytes_read, bytes_written;
    Python integers, which never wrap. Raises SettingsError for an unknown algorithm.
    """
    numbers = step_numbers(algorithm, work)
    kinds = {kind.label: kind for kind in step_kinds(algorithm, work)}
    parts = [one_step(kinds[label], work) * steps for label, steps in numbers.items()]
    added = pd.concat(parts).groupby(PLACE).sum()
    return added[added.any(axis=1)].reset_index()


def one_step(kind: StepKind, work: Workload) -> pd.DataFrame:
    """Return the counts of one step of a kind, indexed by place: the second of two like steps."""
    trace = Trace(strict=True)
    act = kind.prepare(Bench(work, trace))
    with np.errstate(all="ignore"):
        act(0)
        before = _counts(trace)
        act(1)
    return _counts(trace).sub(before, fill_value=0).astype(object).map(int)


def _counts(trace: Trace) -> pd.DataFrame:
    table = trace.by_role()
    scoped = table[table["layer"] != UNSCOPED]  # what a bench does between steps has no scope
    return scoped.groupby(PLACE)[NUMBERS].sum()
