"""Which layers a network has: dense ones, or locally connected ones if the settings say so."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ffenergy.network.arrays import Tracer
from ffenergy.network.dense import INIT_STD, DenseLayer
from ffenergy.network.local import LocalLayer
from ffenergy.settings import Settings


def hidden_layers(
    trace: Tracer, settings: Settings, init: str, rng: np.random.Generator
) -> list[DenseLayer]:
    """Return ``layer1`` … ``layerN``, freshly drawn as ``init`` says."""
    std = INIT_STD[init]
    if settings.local_fields:
        return [
            LocalLayer(trace, f"layer{k}", fields, std(fields.fan_in), settings.dtype, rng)
            for k, fields in enumerate(settings.fields, start=1)
        ]
    return [
        DenseLayer(trace, f"layer{k}", fan_in, width, std(fan_in), settings.dtype, rng)
        for k, (fan_in, width) in enumerate(pairwise(settings.layer_sizes), start=1)
    ]
