"""The baseline: the same ReLU network with a softmax output, trained by backpropagation.

Pixels enter in [0, 1] and nothing is normalised between layers. The output layer is called
``head``; softmax and cross-entropy are its phase ``goodness``. The gradient with respect to a
layer's input is booked as that layer's ``backward``, the ReLU mask as that of the layer below.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import BACK, INIT_STD, DenseLayer
from ffenergy.network.head import CLASSES, cross_entropy
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.networks import hidden_layers
from ffenergy.rules.kit.stages import Shape, Values
from ffenergy.rules.kit.supervised import INIT, Supervised, Workspace
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings


class Backprop:
    """Trains the whole network on the labels, one batch a step.

    ``images`` (n, pixels), ``targets`` (n, 10) one-hot and ``labels`` (n,) are traced arrays.
    """

    def __init__(
        self,
        trace: Tracer,
        settings: Settings,
        images: Array,
        targets: Array,
        labels: Array,
        init_rng: np.random.Generator,
    ) -> None:
        self.trace = trace
        self.settings = settings
        self.images, self.targets, self.labels = images, targets, labels
        self.hidden = hidden_layers(trace, settings, INIT, init_rng)
        fan_in = settings.layer_sizes[-1]
        std = INIT_STD[INIT](fan_in)
        self.head = DenseLayer(trace, "head", fan_in, CLASSES, std, settings.dtype, init_rng)
        self.layers = [*self.hidden, self.head]
        way = settings.optimizer, settings.supervised_decay, settings.gradient
        for k, layer in enumerate(self.layers):
            layer.prepare_training(*way, visit=BACK if k else "")
        self.recomputes = settings.bp_activations == "recomputed"
        self.gather_scope = trace.scope(layer="input", phase="forward", makes="data")
        self.fuse_back = trace.fuse("matmul_relu_backward")
        self.losses = self._meter("losses")
        self.right = self._meter("right answers")
        self.rooms: dict[int, Workspace] = {}

    def step(self, index: Array, rate: float) -> None:
        """Train on the images at ``index`` (rows,)."""
        with self.trace.step("train"):
            room = self.rooms.get(index.shape[0]) or self._make_room(index.shape[0])
            with self.gather_scope:
                np.take(self.images, index, axis=0, out=room.inputs, mode="clip")
                targets = np.take(self.targets, index, axis=0)
                labels = np.take(self.labels, index)
            scores = self._forward(room)
            with self.head.scope["goodness"]:
                loss, delta = cross_entropy(scores, targets)
            with self.head.scope["evaluate"]:
                self._count(loss, np.equal(np.argmax(scores, axis=1), labels))
            self._backward(room, delta, rate)

    def _forward(self, room: Workspace) -> Array:
        self._activate(len(self.hidden), room)
        with self.head.scope["forward"]:
            return self.head.linear(room.x[-1], room.scores)

    def _activate(self, depth: int, room: Workspace) -> None:
        """Bring the activities of the first ``depth`` layers up to date."""
        below = room.inputs
        for layer, x, h in zip(self.hidden[:depth], room.x, room.h, strict=False):
            with layer.scope["forward"]:
                layer.gather(below, x)
                below = layer.relu(x, h)

    def _backward(self, room: Workspace, delta: Array, rate: float) -> None:
        """From the output down: each layer passes its delta on, then takes its own step.

        With a gradient consumed in one visit it does both block by block of its inputs.

        Where activities are recomputed, those below a layer are made anew when its turn comes, by
        weights that have not learned yet: the same numbers, which need not be held.
        """
        for k in reversed(range(len(self.layers))):
            layer = self.layers[k]
            if self.recomputes and k < len(self.hidden):
                self._activate(k, room)
            if k == 0:
                layer.learn(room.x[k], delta, rate)
                return
            layer.learn(room.x[k], delta, rate, back=partial(self._pass_back, k, room, delta))
            delta = room.delta[k - 1]

    def _pass_back(self, k: int, room: Workspace, above: Array, part: slice) -> None:
        """Pass ``above``, layer k's delta, to a part of the units of the layer below."""
        delta, h, active = (each[k - 1][:, part] for each in (room.delta, room.h, room.active))
        with self.fuse_back:
            with self.layers[k].scope["backward"]:
                self.layers[k].pass_back(above, room.delta[k - 1], part)
            with self.layers[k - 1].scope["backward"]:
                delta *= np.greater(h, 0, out=active)

    def _count(self, loss: Array, right: Array) -> None:
        rows = loss.shape[0]
        losses, rights = self.losses[:rows], self.right[:rows]
        losses += loss
        rights += right

    def scores(self, images: Array) -> Array:
        """Return the scores (rows, 10) of ``images`` (rows, pixels); phase ``evaluate``."""
        below, rows = images, images.shape[0]
        for layer in self.hidden:
            with layer.scope["evaluate"]:
                x = layer.input_room(below)
                layer.gather(below, x)
                below = layer.relu(x, np.empty((rows, layer.width), x.dtype, like=x))
        with self.head.scope["evaluate"]:
            return self.head.linear(below, np.empty((rows, CLASSES), below.dtype, like=below))

    def read_meters(self) -> tuple[float, float]:
        """Return the loss and the right answers summed over all cases since the last call."""
        with self.trace.step("report"), self.head.scope["evaluate"]:
            loss = float(self.trace.escape(self.losses).sum(dtype=np.float64))
            right = float(self.trace.escape(self.right).sum(dtype=np.float64))
            self.losses[...] = 0
            self.right[...] = 0
        return loss, right

    def _meter(self, name: str) -> Array:
        empty = np.zeros(self.settings.batch_size, self.settings.dtype)
        return self.trace.array(empty, role="temporary", name=name)

    def _make_room(self, rows: int) -> Workspace:
        """Make the workspace of a batch of ``rows`` images; once per batch size."""
        self.rooms[rows] = Workspace.of(
            self.trace, self.settings, rows, self.hidden, output=[self.head]
        )
        return self.rooms[rows]


@rule("bp", title="backprop", colour="#0072B2", order=3)
class BackpropRule(Supervised):
    """One stage, and an output of its own."""

    compared = True
    supervision = "labels"
    stage = "network"
    shapes: ClassVar = {"": Shape(rows=1, images=1, local=False)}

    def __init__(self, host: Host) -> None:
        train = host.train
        data = train.images, train.targets, train.labels
        self.network = Backprop(host.trace, host.settings, *data, host.random["init"])
        super().__init__(host, self.network)

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """Hidden layers and output layer."""
        return self.network.layers

    def read(self) -> Values:
        """The loss of the output, and the right answers."""
        loss, right = self.network.read_meters()
        return {"loss": loss, "train_accuracy": 100 * right}
