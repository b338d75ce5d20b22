"""How far a profile's constants may be off, carried to an interval: an estimate, named so.

Every constant is drawn from its own range (`Constant.range`), half of the draws below its value and
half above it, log-uniformly on either side. Each is drawn on its own, but for figures that a
profile takes over from each other: a write is drawn with the read of its level, and special
operations with the multiplications of their type. The draws are the same on every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from ffenergy.energy.profile import Profile

FloatArray = npt.NDArray[np.float64]

DRAWS: Final = 201
SEED: Final = 0
SHARE: Final = 0.9
"""Of all draws, those that an interval holds."""
TIED: Final = {".write": ".read", "_write": "_read", ".special": ".multiply"}


def factors(profile: Profile, draws: int = DRAWS) -> Mapping[str, FloatArray]:
    """Factors by key of `Profile.constants`, ``draws`` of each; the first draw is 1.

    A draw times the constant's value is a possible value of the constant.
    """
    ends = {
        key: (constant.range[0] / constant.value, constant.range[1] / constant.value)
        for key, constant in profile.constants()
    }
    return _drawn(tuple(ends.items()), draws)


@cache
def _drawn(
    ends: tuple[tuple[str, tuple[float, float]], ...], draws: int
) -> Mapping[str, FloatArray]:
    generator = np.random.default_rng(SEED)
    places = {key: generator.random(draws) for key, _ in ends}
    found = {}
    for key, (low, high) in ends:
        place = 2 * places[_tied(key, places)] - 1  # from -1, the low end, to 1
        drawn = np.where(place < 0, low**-place, high ** np.maximum(place, 0))
        drawn[0] = 1.0
        drawn.setflags(write=False)
        found[key] = drawn
    return MappingProxyType(found)


def _tied(key: str, keys: Mapping[str, object]) -> str:
    """The key whose draw this constant shares."""
    for ending, other in TIED.items():
        if key.endswith(ending) and key.removesuffix(ending) + other in keys:
            return key.removesuffix(ending) + other
    return key


def interval(drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The ends between which 90 % of the draws lie; draws along the last axis."""
    low, high = np.quantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2], axis=-1)
    return low, high
