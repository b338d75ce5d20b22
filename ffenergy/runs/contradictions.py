"""Whether what a run says in two places is the same: its steps, and its table of traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

TOTALS: Final = ("bytes_read", "bytes_written", "flops")


def found(results: Mapping[str, Mapping[str, Any]], traffic: pd.DataFrame) -> str:
    """Say in one line where the table is not the sum of the steps; empty if it is.

    Args:
        results: per algorithm a row with its ``signatures``: every distinct step with ``steps``,
            how many of it there were, and what one of them moved and computed.
        traffic: the counts of the whole run, as in `traffic.csv`.
    """
    strangers = sorted(set(traffic["algorithm"]) - set(results))
    if strangers:
        return f"it has rows of {strangers[0]}, which run.json does not have"
    for algorithm, row in results.items():
        rows = traffic[traffic["algorithm"] == algorithm]
        for name in TOTALS:
            if any(name not in signature for signature in row["signatures"]):
                continue  # of an earlier version
            told = sum(s["steps"] * s[name] for s in row["signatures"])
            total = sum(map(int, rows[name]))  # Python's integers, which do not overflow
            if total != told:
                return f"{algorithm} has {total:,} {name} in it, but {told:,} in its steps"
    return ""
