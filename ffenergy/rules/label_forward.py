"""Forward-Forward taught by labels (Hinton 2022, arXiv 2212.13345, section 3.3).

The label stands in the image: its first ten pixels, which are black in MNIST, become the label
one-hot. A positive has the right label and the negative of the same row the same image with a
wrong one, drawn evenly from the nine others, so a layer lowers its loss only by what depends on
label and image together. Normalisation, goodness, loss and steps are those of hybrids.

Two ways to answer, by ``label_answer``. ``head``: a softmax head on the features of an image with
a neutral label, 0.1 in all ten pixels. ``goodness``: the image goes through with each of the ten
labels, and the one of largest goodness, summed over all layers but the first (over one layer if
there is no other), is the answer; no head is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from ffenergy.errors import SettingsError
from ffenergy.network import Array
from ffenergy.network.head import CLASSES
from ffenergy.rules.forward_forward import ForwardForward, ForwardForwardRule
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.kit.passes import Batch
from ffenergy.rules.kit.stages import Plan, Shape, Values
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings

NEUTRAL: Final = 1 / CLASSES  # in each of the ten pixels: no label rather than another


class LabelForwardForward(ForwardForward):
    """Trains every layer to tell right labels from wrong ones."""

    def __init__(self, host: Host) -> None:
        self.targets, self.labels = host.train.targets, host.train.labels
        streams = (host.random[name] for name in ("init", "negatives"))
        super().__init__(host.trace, host.settings, host.train.images, *streams)

    def prepare_negatives(self, rng: np.random.Generator) -> None:
        """Get ready to draw wrong labels with ``rng``."""
        self.rng = rng
        self.one_hot = self.trace.array(
            np.eye(CLASSES, dtype=self.dtype), role="data", name="one-hot labels"
        )
        self.wrong_scope = self.trace.scope(layer="input", phase="negatives", makes="temporary")

    def present(self, index: Array, batch: Batch) -> None:
        """Put the images at ``index`` (rows,) into ``batch``, with right and with wrong labels."""
        with self.gather_scope:
            np.take(self.images, index, axis=0, out=batch.positives, mode="clip")
            np.copyto(batch.positives[:, :CLASSES], np.take(self.targets, index, axis=0))
        with self.wrong_scope:
            np.copyto(batch.negatives, batch.positives)
            away: np.ndarray = self.rng.integers(1, CLASSES, size=index.shape)
            wrong = self.trace.made(away, operation="random_index")
            wrong += np.take(self.labels, index)
            wrong %= CLASSES
            np.copyto(batch.negatives[:, :CLASSES], np.take(self.one_hot, wrong, axis=0))

    def extract(self, activities: Array, out: Array, phase: str) -> None:
        """Put the features of ``activities`` (rows, pixels), with a neutral label, into ``out``."""
        with self.layers[0].scope[phase]:
            neutral = activities.copy()
            neutral[:, :CLASSES] = NEUTRAL
        super().extract(neutral, out, phase)

    def scores(self, images: Array) -> Array:
        """Return the goodness (rows, 10) of ``images`` (rows, pixels) with each label."""
        with self.layers[0].scope["evaluate"]:
            labelled = images.copy()
            found = np.empty((images.shape[0], CLASSES), self.dtype, like=images)
        for label in range(CLASSES):
            with self.layers[0].scope["evaluate"]:
                np.copyto(labelled[:, :CLASSES], self.one_hot[label])
            self._add_up(labelled, found[:, label])
        return found

    def _add_up(self, labelled: Array, goodness: Array) -> None:
        """Put the summed goodness of ``labelled`` (rows, pixels) into ``goodness`` (rows,)."""
        counted = self.layers[1:] or self.layers
        activities = labelled
        for layer, length in zip(self.layers, self.lengths, strict=False):
            with layer.scope["evaluate"]:
                activities = self._pass_through(layer, activities, length)
                if layer is counted[0]:
                    np.vecdot(activities, activities, out=goodness)
                elif layer in counted:
                    goodness += np.vecdot(activities, activities)


@rule(
    "ff-label",
    title="Forward-Forward with labels",
    short_title="FF labels",
    colour="#E69F00",
    order=7,
)
class LabelForwardRule(ForwardForwardRule):
    """All layers learn in every step; then the head does, or goodness answers."""

    compared = False
    baseline = ""
    supervision = "labels"
    shapes: ClassVar = {"": Shape(rows=2, images=1)}
    tells_hybrids = False
    network: LabelForwardForward

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Refuse images without room for a label."""
        pixels = settings.layer_sizes[0]
        if pixels < CLASSES:
            raise SettingsError(
                f"layer_sizes starts at {pixels}, but ff-label writes the label into {CLASSES} "
                "pixels; give as many or more, or leave ff-label out"
            )

    def make_network(self, host: Host) -> LabelForwardForward:
        """Return the network to be trained."""
        return LabelForwardForward(host)

    def plans(self) -> Sequence[Plan]:
        """All layers in parallel, then the head if it is to answer."""
        layers, head = super().plans()
        return [layers] if self._by_goodness else [layers, head]

    @property
    def _by_goodness(self) -> bool:
        return self.host.settings.label_answer == "goodness"

    def assess(self, values: Values) -> Values:
        """Add the test error where goodness answers."""
        if not self._by_goodness:
            return values
        self.host.test_error = self._error(self.host.test)
        return values | {"test_error": self.host.test_error}

    def finish(self) -> None:
        """Measure the errors of the trained network where goodness answers."""
        if self._by_goodness:
            self.host.test_error = self._error(self.host.test)
            self.host.train_error = self._error(self.host.train)

    def _error(self, examples: Examples) -> float:
        return self.host.error_rate(self.network.scores, examples.images, examples)
