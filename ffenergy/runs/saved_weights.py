"""Whether weights that were saved are those of a network, before anything is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np


def fault(weights: Mapping[str, np.ndarray], layer_sizes: Sequence[int]) -> str:
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
