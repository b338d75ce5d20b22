"""Mono-Forward (Gong, Li and Abdulla 2025, arXiv 2501.09238): every layer classifies by itself.

Beside its weights each hidden layer has a projection M (width, classes), and the scores
G = h M of its activities h are its goodness per class. Softmax and cross-entropy on G give a loss
of the layer's own, whose gradient reaches its W, b and M and no other layer. There are no
negatives and nothing is normalised: pixels enter in [0, 1] as for backprop. Of the paper's two
ways to predict, the sum of all layers' scores and the last layer's alone, this takes the last
layer's. All layers learn in every step, and what a layer passes on is computed before its update.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import ClassVar, Final

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import FORWARD, INIT_STD, DenseLayer
from ffenergy.network.head import CLASSES, cross_entropy
from ffenergy.network.optimizers import decay_in_gradient, make_optimizer
from ffenergy.network.orders import Rooms
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.networks import hidden_layers
from ffenergy.rules.kit.stages import Shape, Stage, Values
from ffenergy.rules.kit.supervised import INIT, Supervised, Workspace
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings

PROJECTION_INIT: Final = "fan_in"


class Projection:
    """The matrix M (width, 10) of one hidden layer, without bias; booked on that layer."""

    def __init__(
        self, trace: Tracer, layer: DenseLayer, settings: Settings, rng: np.random.Generator
    ) -> None:
        decay = settings.supervised_decay
        self.layer, self.decay = layer, decay_in_gradient(settings.optimizer, decay)
        dtype, shape = np.dtype(settings.dtype), (layer.width, CLASSES)
        self.plain = rng.standard_normal(layer.width * CLASSES, dtype=dtype.type)
        self.plain *= dtype.type(INIT_STD[PROJECTION_INIT](layer.width))
        self.key = f"{layer.name}/M"
        self.values = trace.array(self.plain, role="weight", name=self.key)
        self.gradient = trace.array(
            np.zeros_like(self.plain), role="gradient", name=f"{self.key} gradient"
        )
        self.spare: Array = trace.array(np.empty(shape, dtype), role="gradient")
        self.weights = self.values.reshape(shape)
        self.weights_gradient = self.gradient.reshape(shape)
        self.optimizer = make_optimizer(
            settings.optimizer, trace, self.values, self.gradient, decay=decay
        )

    def scores(self, h: Array, out: Array) -> Array:
        """Put the goodness per class of ``h`` (rows, width) into ``out`` (rows, 10)."""
        return np.matmul(h, self.weights, out=out)

    def find_gradient(self, h: Array, error: Array) -> None:
        """Set the gradient from ``h`` (rows, width) and dLoss / d scores (rows, 10)."""
        fused = self.layer.fuse_decay if self.decay else nullcontext()
        with self.layer.scope["gradient"], fused:
            np.matmul(h.T, error, out=self.weights_gradient)
            if self.decay:
                decay = np.multiply(self.weights, self.decay, out=self.spare)
                self.weights_gradient += decay

    def update(self, rate: float) -> None:
        """Let the optimiser take a step."""
        with self.layer.scope["optimizer"]:
            self.optimizer.update(rate)

    def plain_parameters(self) -> dict[str, np.ndarray]:
        """Return a copy as ``layer1/M`` (width, 10)."""
        return {self.key: self.plain.reshape(-1, CLASSES).copy()}

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of M and its optimiser state."""
        optimizer = self.optimizer.state().items()
        return self.plain_parameters() | {f"{self.key} {name}": value for name, value in optimizer}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over this projection's part of a :meth:`state`."""
        self.plain[...] = state[self.key].ravel()
        names = self.optimizer.state()
        self.optimizer.load({name: state[f"{self.key} {name}"] for name in names})


class MonoForward:
    """Trains every layer on its own cross-entropy, one batch a step.

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
        self.trace, self.settings = trace, settings
        self.images, self.targets, self.labels = images, targets, labels
        self.layers = hidden_layers(trace, settings, INIT, init_rng)
        way = settings.optimizer, settings.supervised_decay, settings.gradient
        for layer in self.layers:
            layer.prepare_training(*way, visit=FORWARD)
        self.projections = [Projection(trace, layer, settings, init_rng) for layer in self.layers]
        self.gather_scope = trace.scope(layer="input", phase="forward", makes="data")
        self.fuse_back = trace.fuse("matmul_relu_backward")
        self.losses = [self._meter("losses") for _ in self.layers]
        self.right = self._meter("right answers")
        self.room = Rooms(self._make_room, self._room_beside)

    def step(self, index: Array, rate: float) -> None:
        """Train every layer on the images at ``index`` (rows,)."""
        self.together(index, [rate])

    def together(self, index: Array, rates: Sequence[float]) -> None:
        """Train on several batches in a row, with a learning rate each.

        All of them go through one group of layers before the next group sees any.
        """
        size, groups = self.settings.batch_size, self.settings.groups
        taught: list[tuple[Array, Array]] = []
        with self.trace.step("train"):
            for group in groups:
                for place, rate in enumerate(rates):
                    own = index[place * size : (place + 1) * size]
                    room = self.room(own.shape[0], place)
                    if group is groups[0]:
                        taught.append(self._bring_in(own, room))
                    targets, labels = taught[place]
                    for k in group:
                        self._train_layer(k, room, targets, rate)
                    if group is groups[-1]:
                        self._count_right(room.scores, labels)
                for k in group:
                    self.layers[k].settle()

    def _bring_in(self, index: Array, room: Workspace) -> tuple[Array, Array]:
        """Gather the images at ``index`` (rows,); return their targets and labels."""
        with self.gather_scope:
            np.take(self.images, index, axis=0, out=room.inputs, mode="clip")
            return np.take(self.targets, index, axis=0), np.take(self.labels, index)

    def _count_right(self, scores: Array, labels: Array) -> None:
        """Add up right answers; the last layer's ``scores`` are the answer."""
        with self.layers[-1].scope["evaluate"]:
            right = self.right[: labels.shape[0]]
            right += np.equal(np.argmax(scores, axis=1), labels)

    def _train_layer(self, k: int, room: Workspace, targets: Array, rate: float) -> None:
        """Forward, loss, gradient, step; leave the scores in ``room``, each row's largest at 0."""
        layer, projection = self.layers[k], self.projections[k]
        x, h, delta = room.x[k], room.h[k], room.delta[k]
        with layer.scope["forward"]:
            layer.gather(room.h[k - 1] if k else room.inputs, x)
            layer.relu(x, h)
        with layer.scope["goodness"]:
            scores = projection.scores(h, room.scores)
            loss, error = cross_entropy(scores, targets)
        with layer.scope["evaluate"]:
            losses = self.losses[k][: loss.shape[0]]
            losses += loss
        with layer.scope["backward"], self.fuse_back:  # through M and ReLU, no further
            np.matmul(error, projection.weights.T, out=delta)
            delta *= np.greater(h, 0, out=room.active[k])
        if self.settings.gradient == "stored":
            layer.find_gradient(x, delta)
            projection.find_gradient(h, error)
            layer.update(rate)
        else:
            layer.learn(x, delta, rate)
            projection.find_gradient(h, error)
        projection.update(rate)

    def scores(self, images: Array) -> Array:
        """Return the last layer's scores (rows, 10) of ``images``; phase ``evaluate``."""
        below, rows = images, images.shape[0]
        for layer in self.layers:
            with layer.scope["evaluate"]:
                x = layer.input_room(below)
                layer.gather(below, x)
                below = layer.relu(x, np.empty((rows, layer.width), x.dtype, like=x))
        with self.layers[-1].scope["evaluate"]:
            out = np.empty((rows, CLASSES), below.dtype, like=below)
            return self.projections[-1].scores(below, out)

    def read_meters(self) -> tuple[list[float], float]:
        """Return each layer's loss and the right answers, summed since the last call."""
        with self.trace.step("report"):
            losses = []
            for layer, meter in zip(self.layers, self.losses, strict=True):
                with layer.scope["evaluate"]:
                    losses.append(float(self.trace.escape(meter).sum(dtype=np.float64)))
                    meter[...] = 0
            with self.layers[-1].scope["evaluate"]:
                right = float(self.trace.escape(self.right).sum(dtype=np.float64))
                self.right[...] = 0
        return losses, right

    def _meter(self, name: str) -> Array:
        empty = np.zeros(self.settings.batch_size, self.settings.dtype)
        return self.trace.array(empty, role="temporary", name=name)

    def _room_beside(self, rows: int, place: int) -> Workspace:
        """Room of another batch in flight: its own activities between two groups of layers.

        A step that is put off still needs inputs and delta of the batch before: then the second
        batch has its own of all, and later ones take turns with the two.
        """
        puts_off = self.layers[0].visit == FORWARD
        second = puts_off and place == 1
        first = self.room(rows, place % 2 if puts_off and not second else 0)
        kept = {group[-1] for group in self.settings.groups[:-1]}

        def own(like: Array, role: str, name: str) -> Array:
            empty = np.zeros(like.shape, self.settings.dtype)
            return self.trace.array(empty, role=role, name=f"batch {place + 1} {name}")

        h, delta, inputs = list(first.h), first.delta, first.inputs
        for k, layer in enumerate(self.layers):
            if second or k in kept:
                h[k] = own(h[k], "activation", f"{layer.name} h")
        if second:
            inputs = own(inputs, "data", "input")
            layers = zip(delta, self.layers, strict=True)
            delta = [own(one, "gradient", f"{layer.name} delta") for one, layer in layers]
        below = zip(first.x, (first.inputs, *first.h[:-1]), (inputs, *h[:-1]), strict=True)
        x = [mine if room is theirs else room for room, theirs, mine in below]
        return replace(first, inputs=inputs, x=x, h=h, delta=delta)

    def _make_room(self, rows: int) -> Workspace:
        return Workspace.of(self.trace, self.settings, rows, self.layers)


@rule("mono-forward", title="Mono-Forward", colour="#CC79A7", order=4)
class MonoForwardRule(Supervised):
    """All layers learn to classify in every step; the last one answers."""

    baseline = "bp"
    local = True
    supervision = "labels"
    stage = "layers"
    shapes: ClassVar = {"": Shape(rows=1, images=1, heads=CLASSES)}

    def __init__(self, host: Host) -> None:
        train = host.train
        data = train.images, train.targets, train.labels
        self.network = MonoForward(host.trace, host.settings, *data, host.random["init"])
        super().__init__(host, self.network)

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The hidden layers; their projections are in the state and the weights too."""
        return self.network.layers

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters and optimiser state of layers and projections."""
        projections = [p.state() for p in self.network.projections]
        return super().state() | {key: value for p in projections for key, value in p.items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        super().load(state)
        for projection in self.network.projections:
            projection.load(state)

    def weights(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters: ``layer1/W``, ``layer1/b``, ``layer1/M`` and so on."""
        projections = [p.plain_parameters() for p in self.network.projections]
        return super().weights() | {key: m for p in projections for key, m in p.items()}

    def open(self) -> Stage:
        """All layers; several batches may be in flight."""
        in_flight = self.host.settings.batches_in_flight
        return replace(super().open(), in_flight=in_flight, together=self.network.together)

    def read(self) -> Values:
        """The mean of the layers' losses, each of them, and the last layer's right answers."""
        losses, right = self.network.read_meters()
        values = {"loss": sum(losses) / len(losses)}
        values |= {f"loss_layer{k}": loss for k, loss in enumerate(losses, start=1)}
        return values | {"train_accuracy": 100 * right}
