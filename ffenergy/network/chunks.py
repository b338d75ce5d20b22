"""Rows by the thousand: how evaluations, features and stored inputs go through all images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from ffenergy.network.arrays import Array

CHUNK: Final = 1000
"""Rows at once. Larger chunks change no value, but they take the memory of larger activities."""


class Chunks(Protocol):
    """Gives the rows of all images of a data set, chunk by chunk."""

    def __call__(self, *passing: Array) -> Iterable[slice]:
        """Go through the rows in order; ``passing`` arrays are read from one row to the last."""


def chunks(count: int) -> Iterator[slice]:
    """Cut ``count`` rows into slices of ``CHUNK``; the last may be short."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))
