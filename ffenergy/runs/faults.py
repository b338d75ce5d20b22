"""What is wrong with a run that was read back, in one line: its weights, or what it says twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

TOTALS: Final = ("bytes_read", "bytes_written", "flops")


def contradiction(results: Mapping[str, Mapping[str, Any]], traffic: pd.DataFrame) -> str:
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


def of_weights(weights: Mapping[str, np.ndarray], layer_sizes: Sequence[int]) -> str:
    """Say in one line what is wrong with the hidden layers in ``weights``; empty if nothing is.

    A network of ``layer_sizes`` (pixels, then the hidden widths) has ``layer1/W`` (fan_in, width)
    and ``layer1/b`` (width,) and so on, all of finite floats. Other arrays are not looked at.
    """
    for k, (fan_in, width) in enumerate(pairwise(layer_sizes), start=1):
        for name, shape in ((f"layer{k}/W", (fan_in, width)), (f"layer{k}/b", (width,))):
            array = weights.get(name)
            if array is None:
                return f"{name} is missing"
            if array.shape != shape or array.dtype.kind != "f":
                found = f"{array.dtype} of shape {array.shape}"
                return f"{name} is {found}; it must be floats of shape {shape}"
            if not np.isfinite(array).all():
                return f"{name} has values that are not finite"
    return ""
