"""Orders of computation: which layers a batch passes before the next batch passes any.

In step-major order a batch goes through all layers before the next one begins. A layer that learns
by itself does not wait for the layers above it, so several batches may be in flight instead: all
of them pass the first group of layers, then the second, and so on. Every layer sees the same
batches in the same order, and learns the same numbers bit for bit, while its weights and optimiser
state are needed for several batches in a row.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Final, Generic, TypeVar

from ffenergy.errors import SettingsError

STEP_MAJOR: Final = "step-major"
LAYER_MAJOR: Final = "layer-major"
ORDERS: Final = (STEP_MAJOR, LAYER_MAJOR)

Room = TypeVar("Room")


class Rooms(Generic[Room]):
    """Workspaces of batches by their number of rows, each made when it is first asked for.

    Batches in flight at the same time differ in their place. ``make(rows)`` gives the room of the
    first, ``beside(rows, place)`` that of another: its own activities between two groups of
    layers, and all else shared with the first.
    """

    def __init__(self, make: Callable[[int], Room], beside: Callable[[int, int], Room]) -> None:
        self._make, self._beside = make, beside
        self._made: dict[tuple[int, int], Room] = {}

    def __call__(self, rows: int, place: int = 0) -> Room:
        """The room of a batch of ``rows`` images."""
        made = self._made
        if (rows, place) not in made:
            made[rows, place] = self._beside(rows, place) if place else self._make(rows)
        return made[rows, place]


def layer_groups(text: str, n_layers: int) -> tuple[range, ...]:
    """Return the layers, from 0, of each group; ``text`` says how many each has, such as 2,1,1.

    Without text every layer is a group. Raises SettingsError unless all layers are in a group.
    """
    parts = text.split(",") if text else ["1"] * n_layers
    sizes = [int(part) if part.isascii() and part.strip().isdecimal() else 0 for part in parts]
    if min(sizes) < 1 or sum(sizes) != n_layers:
        raise SettingsError(
            f"layer_groups is {text!r}; write how many layers each group has, {n_layers} in all, "
            f"such as {','.join(['1'] * n_layers)}"
        )
    return tuple(range(start, end) for start, end in pairwise((0, *accumulate(sizes))))
