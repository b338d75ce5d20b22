"""Transfer: a fresh softmax head on hidden layers that another task has trained."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ffenergy.data import Dataset
from ffenergy.data.catalogue import CATALOGUE
from ffenergy.errors import SettingsError
from ffenergy.network import Array
from ffenergy.network.dense import DenseLayer
from ffenergy.network.head import CLASSES
from ffenergy.rules import registry
from ffenergy.rules.kit.head_stage import HeadStage
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.runs.faults import fault_of_weights
from ffenergy.settings import Settings
from ffenergy.training.bits import flushed
from ffenergy.training.session import Progress, Session
from instrumented import Untraced


@dataclass(frozen=True)
class Task:
    """What the head learns: a data set, and the classes of it that it gets to see."""

    dataset: str
    classes: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Task:
        """Read ``mnist``, ``mnist:5-9`` or ``mnist:0,2,4``; raises SettingsError."""
        dataset, _, listed = text.partition(":")
        if dataset not in CATALOGUE:
            raise SettingsError(
                f"task {text!r} has no known data set; choose one of {', '.join(CATALOGUE)}"
            )
        classes: set[int] = set() if ":" in text else set(range(CLASSES))
        for part in filter(None, listed.split(",")):
            first, dash, last = part.partition("-")
            ends = (first, last if dash else first)
            if not all(end.isdecimal() and int(end) < CLASSES for end in ends):
                raise SettingsError(
                    f"task {text!r} has classes {part!r}; write numbers of 0 to {CLASSES - 1}, "
                    "such as 5-9 or 0,2,4"
                )
            classes |= set(range(int(ends[0]), int(ends[1]) + 1))
        if len(classes) < 2:
            raise SettingsError(
                f"task {text!r} leaves fewer than two classes; a classifier needs two, such as "
                f"{dataset}:5-9"
            )
        return cls(dataset, tuple(sorted(classes)))

    @property
    def name(self) -> str:
        """The task in words as short as :meth:`parse` reads them: ``mnist:5-9``."""
        if len(self.classes) == CLASSES:
            return self.dataset
        first, last = self.classes[0], self.classes[-1]
        if self.classes == tuple(range(first, last + 1)):
            return f"{self.dataset}:{first}-{last}"
        return f"{self.dataset}:{','.join(map(str, self.classes))}"

    def of(self, data: Dataset, n_train: int) -> Dataset:
        """Return the images of the task's classes among the first ``n_train`` (0: all) of `data`.

        The test images are those of the same classes.
        """
        used = n_train or len(data.train_images)
        images, labels = data.train_images[:used], data.train_labels[:used]
        train, test = (np.isin(y, self.classes) for y in (labels, data.test_labels))
        return replace(
            data,
            train_images=images[train],
            train_labels=labels[train],
            test_images=data.test_images[test],
            test_labels=data.test_labels[test],
        )

    def check(self, data: Dataset, settings: Settings) -> None:
        """Raise SettingsError if it has fewer of the run's images than a batch of the head."""
        there = len(self.of(data, settings.n_train).train_images)
        if there < settings.head_batch_size:
            raise SettingsError(
                f"task {self.name} has {there} training images among those of the run, fewer than "
                f"its head_batch_size of {settings.head_batch_size}; choose more classes, or a run "
                "with more images"
            )


@dataclass(frozen=True)
class TransferResult:
    """Errors in percent of a head at its last epoch, and the seconds that it took."""

    test_error: float
    train_error: float
    wall_seconds: float


class PlainNetwork(NormalizedNetwork):
    """A stack of ReLU layers without normalisation between them, as backprop trains it."""

    def _pass_through(self, layer: DenseLayer, below: Array, length: float) -> Array:
        return layer.relu(below, np.empty((len(below), layer.width), below.dtype, like=below))


def train_head(
    algorithm: str,
    settings: Settings,
    weights: Mapping[str, np.ndarray],
    task: Task,
    data: Dataset,
    progress: Progress | None = None,
) -> TransferResult:
    """Train a head on the features of frozen layers, as after Forward-Forward's own training.

    ``weights`` has ``layer1/W`` (fan_in, width) and ``layer1/b`` (width,) of layers that
    ``algorithm`` trained under ``settings``; locally connected ones come as the dense layers they
    are equal to. ``data`` is the whole data set of the task. Nothing is traced.

    Raises:
        SettingsError: a layer has no weights, or weights of another shape; the network does not
            take these images; a batch of the head is larger than what there is of the task.
        NotFiniteError: the head's loss is no longer a number.
    """
    problem = fault_of_weights(weights, settings.layer_sizes)
    if problem:
        raise SettingsError(f"the weights of {algorithm} do not fit: {problem}; train them again")
    # all of the task's images; the batch of the layers' own training has no say here
    own = settings.replace(dataset=task.dataset, local_fields="", n_train=0, batch_size=1)
    begun = time.perf_counter()
    session = Session(algorithm, own, task.of(data, settings.n_train), Untraced(), progress)
    normalizes = registry.find(algorithm).normalizes_inputs
    kind = NormalizedNetwork if normalizes else PlainNetwork
    network = kind(session.trace, own, session.random["init"])
    for layer in network.layers:
        layer.load(weights)
    plan = HeadStage(session, network).plan()
    with np.errstate(all="ignore"), flushed():  # what matters is raised by the session
        session.carry_out(plan, plan.open(), lambda epoch: None)
    seconds = time.perf_counter() - begun
    if math.isnan(session.test_error):
        raise SettingsError("softmax_epochs is 0 in the run: there is no head to train")
    return TransferResult(session.test_error, session.train_error, seconds)
