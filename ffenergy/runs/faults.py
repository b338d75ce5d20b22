"""What may be wrong with a run that is read back: one line each, empty if nothing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd

TOTALS: Final = ("bytes_read", "bytes_written", "flops")
EXAMPLES: Final = {"goodness": 1, "hybrid": 3}
"""Axes of the arrays that pictures are drawn of, by the first part of their names."""


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


def fault_of_weights(weights: Mapping[str, np.ndarray], layer_sizes: Sequence[int]) -> str:
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


def fault_of_examples(examples: Mapping[str, np.ndarray]) -> str:
    """Say in one line what is wrong with what pictures are drawn of; empty if nothing is.

    ``goodness/layer1/real`` and ``goodness/layer1/hybrid`` (cases,) of every layer, which may be
    infinite, and ``hybrid/a`` and so on (images, height, width), all of floats, none empty.
    """
    for name, array in examples.items():
        kind, _, rest = name.partition("/")
        if kind not in EXAMPLES:
            continue
        axes = EXAMPLES[kind]
        if array.dtype.kind != "f" or array.ndim != axes or not array.size:
            found = f"{array.dtype} of shape {array.shape}"
            return f"{name} is {found}; it must be floats along {axes} axes, not empty"
        layer, _, case = rest.partition("/")
        other = f"{kind}/{layer}/{'hybrid' if case == 'real' else 'real'}"
        if kind == "goodness" and other not in examples:
            return f"{other} is missing"
    hybrids = {array.shape for name, array in examples.items() if name.startswith("hybrid/")}
    if len(hybrids) > 1:
        return f"hybrids are of shapes {' and '.join(map(str, sorted(hybrids)))}, not of one"
    return ""
