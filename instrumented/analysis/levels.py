"""Bytes served by each memory level, for any capacities, from one set of stack distances.

A block at stack distance d is served whole by the first level whose capacity is at least d. What
is written travels to the level that serves the farthest of its reads; what is never read again and
dead stays where it was born, in the first level (docs/metric.md). Reads and writes stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from instrumented.distances.stack import COLD
from instrumented.errors import InstrumentError

DRAM = "dram"


def level_names(capacities: Sequence[int]) -> list[str]:
    """Return ``level1 … levelN`` for N capacities and ``dram``, which has no bound."""
    return [*(f"level{k + 1}" for k in range(len(capacities))), DRAM]


def serve(
    table: pd.DataFrame, capacities: Sequence[int], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Say which level serves what.

    Args:
        table: sums per place and distance, as in ``Analysis.table``.
        capacities: bytes of every level but the last, rising.
        names: one name per capacity and one for the unbounded level; ``level_names`` if left out.

    Returns:
        One row per layer, phase, operation, role and level with bytes_read (what a cache brings
        in to be written included) and bytes_written; levels that serve nothing are left out.

    Raises:
        InstrumentError: capacities that are no bytes or do not rise, or a wrong number of names.
    """
    given: Sequence[object] = capacities
    for size in given:
        if not isinstance(size, int | np.integer):
            raise InstrumentError(f"level capacity {size!r}; give whole numbers of bytes")
    sizes = [0, *capacities]
    if any(small >= large for small, large in zip(sizes, capacities, strict=False)):
        raise InstrumentError(
            f"level capacities {list(capacities)} do not rise; give positive bytes, smallest first"
        )
    named = level_names(capacities) if names is None else list(names)
    if len(named) != len(capacities) + 1:
        raise InstrumentError(
            f"{len(named)} level names for {len(capacities)} capacities; "
            "name every level and the unbounded one after them"
        )
    columns = ["layer", "phase", "operation", "role", "level"]
    level = serving(table["distance"], capacities)
    moved = table.assign(level=level, bytes_read=table["bytes_read"] + allocated(table, level))
    summed = moved.groupby(columns, sort=False)[["bytes_read", "bytes_written"]].sum()
    summed = summed[(summed != 0).any(axis=1)].reset_index()
    summed = summed.sort_values(columns, kind="stable", ignore_index=True)
    return summed.assign(level=[named[number] for number in summed["level"]])


def allocated(table: pd.DataFrame, level: np.ndarray) -> pd.Series[int]:
    """Bytes that are read only to be overwritten, none where they lie in the first level."""
    found: pd.Series[int] = table["bytes_allocated"].where(level > 0, 0)
    return found


def serving(distance: pd.Series[int], capacities: Sequence[int]) -> np.ndarray:
    """Return the index of the first level that reaches each distance."""
    depth = distance.to_numpy(np.int64)
    level = np.searchsorted(np.asarray(capacities, np.int64), depth, side="left")
    return np.where(depth == COLD, len(capacities), level)
