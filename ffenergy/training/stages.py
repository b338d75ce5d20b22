"""What a learning rule brings to a run: its stages in their order, and its whole state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ffenergy.network.arrays import Array
from ffenergy.network.dense import DenseLayer
from ffenergy.network.stack import parameters

if TYPE_CHECKING:
    from ffenergy.training.run import Run

Values = dict[str, float]


def unchanged(values: Values) -> Values:
    """Return the mean values of an epoch as they are."""
    return values


@dataclass(frozen=True)
class Stage:
    """Epochs of like steps over the training images.

    step: trains on the images at an index (rows,) with a learning rate.
    rate: (schedule, base rate), see ``learning_rate``.
    shuffle: the random stream that orders the images.
    read: returns sums over all cases since the last call, keyed as in history.csv; one of them
        is ``loss``.
    assess: turns the mean values of an epoch into those of its history row, after the epoch.
    counts_samples: whether the images of this stage count among the run's samples: once per
        epoch of a network, however many stages its layers take.
    """

    step: Callable[[Array, float], None]
    rate: tuple[str, float]
    batch_size: int
    shuffle: str
    read: Callable[[], Values]
    assess: Callable[[Values], Values] = unchanged
    is_head: bool = False
    counts_samples: bool = True


@dataclass(frozen=True)
class Plan:
    """A stage to come: its name and length, and what opens it once those before are over."""

    name: str
    n_epochs: int
    open: Callable[[], Stage]


class Algorithm(ABC):
    """A learning rule at work in one run.

    Everything that the next epoch depends on, besides the run's random streams and data, is in
    ``state``; what a stage needs besides is made from it when the stage is opened.
    """

    def __init__(self, run: Run) -> None:
        self.run = run

    @abstractmethod
    def plans(self) -> Sequence[Plan]:
        """Return the stages in order."""

    @property
    @abstractmethod
    def layers(self) -> Sequence[DenseLayer]:
        """All layers there are by now."""

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters, optimiser state and running means."""
        return {key: value for layer in self.layers for key, value in layer.state().items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`, as far as its layers are there by now."""
        for layer in self.layers:
            layer.load(state)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters: ``layer1/W`` and so on."""
        return parameters(self.layers)

    def finish(self) -> None:  # noqa: B027  # most rules have nothing left to do
        """Do what remains after the last stage."""
