"""What surrounds a rule at work: its data inside the trace, random streams, chunks, errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ffenergy.network.arrays import Array, Tracer
from ffenergy.network.chunks import chunks
from ffenergy.network.head import wrong_answers
from ffenergy.rules.kit.examples import Examples
from ffenergy.rules.kit.streams import random_streams
from ffenergy.settings import Settings


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
