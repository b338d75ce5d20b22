"""The random streams of a run, one per purpose, and their states as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

STREAMS: Final = ("init", "shuffle", "negatives", "head init", "head shuffle", "stored negatives")


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """Return independent generators by purpose, so that no algorithm shifts another's draws."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {name: np.random.default_rng(s) for name, s in zip(STREAMS, children, strict=True)}


def states_of(streams: Mapping[str, np.random.Generator]) -> dict[str, Any]:
    """Return what every stream's next draw depends on, as values that JSON can hold."""
    return {name: stream.bit_generator.state for name, stream in streams.items()}


def restore(streams: Mapping[str, np.random.Generator], states: Mapping[str, Any]) -> None:
    """Put every stream back to where :func:`states_of` found it."""
    for name, stream in streams.items():
        stream.bit_generator.state = states[name]
