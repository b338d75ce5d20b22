"""Byte counts in seconds: a few steps on random images, for any layer sizes and batch."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from ffenergy.data import Dataset
from ffenergy.errors import SettingsError
from ffenergy.network.arrays import Array, Tracer
from ffenergy.network.head import CLASSES, SoftmaxHead, one_hot
from ffenergy.network.negatives import image_shape
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.greedy import GreedyForwardForward
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.rules.random_features import RandomFeatures
from ffenergy.runs.results import Measurement, signature_table, traffic_table
from ffenergy.settings import Settings
from ffenergy.training import ALGORITHMS, Examples, random_streams
from instrumented import Trace

RATE: Final = 1e-4  # nothing is learned, counts do not depend on it


class Trainer(Protocol):
    """What takes training steps: batch after batch, each one a step of the trace."""

    def step(self, index: Array, rate: float) -> None:
        """Train on the images at ``index`` (rows,) with learning rate ``rate``."""

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and optimiser state."""


def random_dataset(settings: Settings, count: int) -> Dataset:
    """Return ``count`` random images of the size that ``settings`` expects, and random labels."""
    rng = np.random.default_rng(settings.seed)
    shape = (count, *image_shape(settings.layer_sizes[0]))
    images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    labels = rng.integers(0, CLASSES, size=count, dtype=np.uint8)
    return Dataset("random", "random pixels", False, images, labels, images[:0], labels[:0])


class LayerByLayer:
    """A step of every layer, each in the stage of ``ff-greedy`` that trains it."""

    def __init__(self, network: GreedyForwardForward) -> None:
        self.network = network
        kept = network.settings.greedy_input == "store"
        self.inputs = [  # as stored when the stage begins, which is not counted here
            (network.room_to_store(k, "real"), network.room_to_store(k, "hybrid"))
            if kept and k
            else None
            for k in range(len(network.layers))
        ]

    def step(self, index: Array, rate: float) -> None:
        """Train one layer after the other on the images at ``index`` (rows,)."""
        for k, stored in enumerate(self.inputs):
            self.network.learning, self.network.stored = k, stored
            self.network.step(index, rate)

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of all parameters and optimiser state."""
        return {key: value for k in self.network.layers for key, value in k.state().items()}


def make_trainer(algorithm: str, settings: Settings, data: Dataset, trace: Tracer) -> Trainer:
    """Return the trainer of an algorithm, for ``random`` that of its softmax head."""
    random = random_streams(settings.seed)
    examples = Examples.enter(trace, data.train_images, data.train_labels, settings.dtype)
    if algorithm == "ff":
        return ForwardForward(trace, settings, examples.images, random["init"], random["negatives"])
    if algorithm == "ff-greedy":
        streams = (random[name] for name in ("init", "negatives", "stored negatives"))
        return LayerByLayer(GreedyForwardForward(trace, settings, examples.images, *streams))
    targets = trace.array(
        one_hot(examples.plain_labels, settings.dtype), role="data", name="targets"
    )
    supervised = examples.images, targets, examples.labels
    if algorithm == "bp":
        return Backprop(trace, settings, *supervised, random["init"])
    if algorithm == "mono-forward":
        return MonoForward(trace, settings, *supervised, random["init"])
    if algorithm == "random":
        features = RandomFeatures(trace, settings, random["init"]).features(examples.images)
        return SoftmaxHead(trace, settings, features, targets, random["head init"])
    raise SettingsError(f"unknown algorithm {algorithm!r}; choose one of {', '.join(ALGORITHMS)}")


def measure(algorithm: str, settings: Settings, steps: int = 2) -> Measurement:
    """Count the bytes and flops of ``steps`` training steps of a full batch on random images.

    A step trains all layers, for ``ff-greedy`` one after the other; for ``random``, which trains
    nothing else, there are the features of one batch and steps of the softmax head. Any input
    size will do.
    """
    trace = Trace(strict=True)
    rows = settings.head_batch_size if algorithm == "random" else settings.batch_size
    trainer = make_trainer(algorithm, settings, random_dataset(settings, rows), trace)
    for _ in range(steps):
        trainer.step(trace.array(np.arange(rows), role="temporary", name="index"), RATE)
    traffic = traffic_table(trace)
    assert traffic is not None  # noqa: S101  # a Trace has one
    return Measurement(algorithm, steps, rows, traffic, signature_table(trace))
