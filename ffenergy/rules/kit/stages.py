"""What a learning rule brings to a run: facts about itself, its stages, and its whole state.

All that is counted is counted in a step of a stage: what that is to the trace is checked here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import DenseLayer, parameters
from ffenergy.rules.kit.host import Host
from ffenergy.settings import Settings
from instrumented import InstrumentError, Trace
from instrumented.books.counters import NO_TRAFFIC

Values = dict[str, float]
HEAD: Final = "head"
"""The part of a network that the stage of a softmax head trains."""


def unchanged(values: Values) -> Values:
    """Return the mean values of an epoch as they are."""
    return values


@dataclass(frozen=True)
class Stage:
    """Epochs of like steps over the training images.

    step: trains on a batch, the images at an index (rows,), with a learning rate.
    in_flight: batches in a step of the trace. together: where there are several, trains on the
        images of all of them at once, with a learning rate each.
    rate: (schedule, base rate), see ``learning_rate``.
    shuffle: the random stream that orders the images.
    read: returns sums over all cases since the last call, keyed as in history.csv; one of them
        is ``loss``.
    close: ends an epoch, before it is assessed; one step of the trace.
    assess: turns the mean values of an epoch into those of its history row, after the epoch.
    passing: arrays that batches are gathered from, and that were in use before the stage began.
    counts_samples: whether the images of this stage count among the run's samples: once per
        epoch of a network, however many stages its layers take.
    """

    step: Callable[[Array, float], None]
    rate: tuple[str, float]
    batch_size: int
    shuffle: str
    read: Callable[[], Values]
    close: Callable[[], None] | None = None
    assess: Callable[[Values], Values] = unchanged
    passing: Sequence[Array] = ()
    counts_samples: bool = True
    in_flight: int = 1
    together: Callable[[Array, Sequence[float]], None] | None = None

    @property
    def rows(self) -> int:
        """Images in a step of the trace."""
        return self.batch_size * self.in_flight

    def take(self, index: Array, rates: Sequence[float]) -> None:
        """Take one step of the trace: train on the images at ``index``, batch after batch."""
        if self.together is None:
            self.step(index, rates[0])
        else:
            self.together(index, rates)


@dataclass(frozen=True)
class Plan:
    """A stage to come: its name and length, and what opens it once those before are over.

    ``part`` is the one layer that learns in it, such as ``layer2`` or ``head``; empty: all do.
    """

    name: str
    n_epochs: int
    open: Callable[[], Stage]
    part: str = ""


@dataclass(frozen=True)
class Shape:
    """What a learning rule is to its memory, for the closed forms of ``costs``.

    rows: rows of a layer per sample. images: images read per sample, ``None`` for the three (two
    with shared halves) that hybrids need. local: no layer waits for the layers above. heads:
    outputs of a label-taught head on every layer (0: none). greedy: "store" or "recompute", the
    inputs of a layer that is trained to the end before the next one begins.
    """

    rows: int
    images: int | None
    local: bool = True
    heads: int = 0
    greedy: str = ""


class Rule(ABC):
    """A learning rule at work on what its host gives it.

    Everything that the next epoch depends on, besides the host's random streams and data, is in
    ``state``; what a stage needs besides is made from it when the stage is opened. A stage's
    ``step`` is one step of the trace.

    Facts about the rule are attributes of its class; ``registry.rule`` sets the first five.

    name: what users type. title, short_title: what tables and pictures say. colour: ``#RRGGBB``.
    order: rules are listed by it; those of other packages come behind.
    compared: ``ffenergy compare`` trains it unless it is told which to train.
    baseline: the rule that it is held against, if any.
    tells_hybrids: layers learn to tell real images from hybrids by their goodness.
    trains_layers: hidden layers learn. has_head: a softmax head is trained on frozen features.
    normalizes_inputs: every layer takes the activities below scaled to a fixed length.
    local: no gradient passes from one hidden layer to another.
    supervision: what hidden layers learn from, ``labels`` or ``hybrids``; empty: they do not.
    stage: the stage in which all hidden layers learn; empty: there is no such one.
    shapes: closed forms that hold for it, by variant; ``""`` is the rule as it usually is.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    short_title: ClassVar[str] = ""
    colour: ClassVar[str] = ""
    order: ClassVar[int] = 100
    compared: ClassVar[bool] = False
    baseline: ClassVar[str] = ""
    tells_hybrids: ClassVar[bool] = False
    trains_layers: ClassVar[bool] = True
    has_head: ClassVar[bool] = False
    normalizes_inputs: ClassVar[bool] = False
    local: ClassVar[bool] = False
    supervision: ClassVar[str] = ""
    stage: ClassVar[str] = ""
    shapes: ClassVar[Mapping[str, Shape]] = {}

    def __init__(self, host: Host) -> None:
        self.check(host.settings)
        self.host = host

    @classmethod  # noqa: B027  # most rules take all settings
    def check(cls, settings: Settings) -> None:
        """Raise SettingsError for settings with which the rule cannot train.

        Commands ask before any rule is trained.
        """

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


@contextmanager
def one_step(trace: Tracer, stage: str) -> Iterator[None]:
    """Hold a step of a stage to be one step of the trace, if it is traced.

    Raises:
        InstrumentError: it was more than one, or none.
    """
    before = _taken(trace)
    yield
    if isinstance(trace, Trace):
        check_taken(stage, 1, _taken(trace) - before)


def check_taken(stage: str, steps: int, taken: int) -> None:
    """Raise InstrumentError unless ``steps`` steps of a stage were as many of the trace."""
    if taken != steps:
        raise InstrumentError(
            f"stage {stage}: {steps} step{'s' * (steps != 1)} took {taken} steps of the trace; "
            "open `with trace.step(name):` once in each"
        )


def check_inside(trace: Tracer) -> None:
    """Raise InstrumentError if something was counted outside of steps: no step would tell of it."""
    if not isinstance(trace, Trace):
        return
    if trace.traffic != sum((s.traffic * s.steps for s in trace.signatures), NO_TRAFFIC):
        rows = trace.to_frame(by_step=True)
        stray = rows[rows["step"] < 0].iloc[0]
        raise InstrumentError(
            f"{stray['operation']} in layer {stray['layer']}, phase {stray['phase']} was counted "
            "outside of all steps of the trace; open `with trace.step(name):` around it"
        )


def _taken(trace: Tracer) -> int:
    return len(trace.ledger.step_signatures) if isinstance(trace, Trace) else 0
