"""What surrounds a rule at work: its data inside the trace, random streams, chunks, errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Final, Literal, Protocol

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.head import one_hot, wrong_answers
from ffenergy.settings import Settings

Which = Literal["train", "test"]
STREAMS: Final = ("init", "shuffle", "negatives", "head init", "head shuffle", "stored negatives")
CHUNK: Final = 1000
"""Rows at once. Larger chunks change no value, but they take the memory of larger activities."""


class Examples:
    """Images as traced rows (n, pixels) of pixels in [0, 1], with labels (n,) of 0 to 9.

    Each array enters the trace, preloaded, when somebody first asks for it.
    """

    def __init__(self, trace: Tracer, which: Which, pixels: np.ndarray, labels: np.ndarray) -> None:
        self.trace, self.which = trace, which
        self.plain_pixels, self.plain_labels = pixels, labels

    @classmethod
    def of_images(
        cls, trace: Tracer, which: Which, images: np.ndarray, labels: np.ndarray, dtype: str
    ) -> Examples:
        """Convert uint8 ``images`` (n, height, width) and ``labels`` (n,), once and uncounted."""
        pixels = images.reshape(len(images), math.prod(images.shape[1:])).astype(dtype)
        pixels /= 255
        return cls(trace, which, pixels, labels.astype(np.int64))

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.plain_labels)

    @cached_property
    def images(self) -> Array:
        """The pixels (n, pixels)."""
        return self.trace.array(self.plain_pixels, role="data", name="images")

    @cached_property
    def targets(self) -> Array:
        """The labels one-hot: (n, 10), in the dtype of the pixels."""
        targets = one_hot(self.plain_labels, str(self.plain_pixels.dtype))
        return self.trace.array(targets, role="data", name="targets")

    @cached_property
    def labels(self) -> Array:
        """The labels (n,), int64."""
        return self.trace.array(self.plain_labels, role="data", name="labels")


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """Return independent generators by purpose, so that no algorithm shifts another's draws."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {name: np.random.default_rng(s) for name, s in zip(STREAMS, children, strict=True)}


class Chunks(Protocol):
    """Gives the rows of all images of a data set, chunk by chunk."""

    def __call__(self, *passing: Array) -> Iterable[slice]:
        """Go through the rows in order; ``passing`` arrays are read from one row to the last."""


def chunks(count: int) -> Iterator[slice]:
    """Cut ``count`` rows into slices of ``CHUNK``; the last may be short."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


class Host:
    """Gives a rule what it works on: a training does, and so does the rehearsal of one.

    ``random`` has a generator per purpose. ``test_error`` and ``train_error`` are in percent; the
    rule sets them when it knows them.
    """

    def __init__(self, settings: Settings, trace: Tracer, train: Examples, test: Examples) -> None:
        self.settings, self.trace = settings, trace
        self.train, self.test = train, test
        self.random = random_streams(settings.seed)
        self.evaluate_scope = trace.scope(layer="head", phase="evaluate", makes="temporary")
        self.shuffle_scope = trace.scope(layer="input", phase="forward", makes="temporary")
        self.test_error = self.train_error = math.nan

    def chunks(self, examples: Examples, *passing: Array) -> Iterator[slice]:
        """Go through the rows of ``examples`` in chunks, each of them one step of the trace.

        ``passing`` arrays (n, …) are read from the first row to the last, and have been in use
        before: a row of them was last seen when the others had not yet been.
        """
        yield from chunks(examples.count)

    def error_rate(
        self, scores: Callable[[Array], Array], inputs: Array, examples: Examples
    ) -> float:
        """Return the percentage of ``inputs`` (n, …) whose largest score is not at the label.

        ``inputs`` are the images of ``examples``, or what has been made of each of them. NaN if
        there are none.
        """
        wrong, labels = 0, examples.labels
        for rows in self.chunks(examples, inputs, labels):
            with self.trace.step("evaluate"), self.evaluate_scope:
                wrong += int(self.trace.escape(wrong_answers(scores(inputs[rows]), labels[rows])))
        return 100 * wrong / examples.count if examples.count else math.nan

    def shuffled(self, stream: str) -> Array:
        """Return the rows of the training images in a fresh order: (n,), int64."""
        with self.trace.step("shuffle"), self.shuffle_scope:
            permutation = self.random[stream].permutation(self.train.count)
            return self.trace.made(permutation, operation="permutation")
