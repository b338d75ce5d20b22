"""Forward-Forward layer by layer: each layer learns to the end before the next one begins.

A layer's input comes through the frozen layers below. It is either computed afresh in every step,
from fresh hybrids (``greedy_input = "recompute"``), or once for all images, with one hybrid each,
and stored (``"store"``): then a step touches one layer alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.negatives import HybridMaker
from ffenergy.network.normalization import row_scales
from ffenergy.rules.forward_forward import ForwardForward, ForwardForwardRule
from ffenergy.rules.kit.host import Chunks, Host
from ffenergy.rules.kit.passes import Batch, Pass
from ffenergy.rules.kit.stages import Plan, Shape, Stage, Values
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings


class GreedyForwardForward(ForwardForward):
    """Trains one layer at a time, each on the activities of the finished ones below it."""

    def __init__(
        self,
        trace: Tracer,
        settings: Settings,
        images: Array,
        init_rng: np.random.Generator,
        negatives_rng: np.random.Generator,
        stored_rng: np.random.Generator,
    ) -> None:
        super().__init__(trace, settings, images, init_rng, negatives_rng)
        self.stored_hybrids = HybridMaker(
            trace, images, settings.negative_pairs, settings.n_blur, stored_rng
        )
        self.learning = 0  # index of the layer that learns
        self.stored: tuple[Array, Array] | None = None  # its inputs (n, width) from real, hybrid

    def learn(self, k: int, chunks: Chunks) -> None:
        """Layer ``k`` (from 0) learns from here on; store its inputs if that is asked for.

        ``chunks`` gives the rows of all images.
        """
        self.learning = k
        if k and self.settings.greedy_input == "store":
            for depth in range(1 if self.stored is None else k, k + 1):
                self._store(depth, chunks)

    def together(self, index: Array, rates: Sequence[float]) -> None:
        """Train one layer on several batches in a row, the images at ``index`` and their hybrids.

        They go through the frozen layers below it group by group, as in Forward-Forward.
        """
        k = self.learning
        groups = [range(group.start, min(group.stop, k + 1)) for group in self.settings.groups]
        groups = [range(k, k + 1)] if self.stored else [group for group in groups if group]
        with self.trace.step(f"train-{self.layers[k].name}"):
            self._go_through(groups, index, rates)

    def present(self, index: Array, batch: Batch) -> None:
        """Gather the images at ``index`` (rows,) with their hybrids, or what is stored of them."""
        if self.stored:
            self._recall(index, batch, *self.stored)
        else:
            super().present(index, batch)

    def _visit(self, k: int, batch: Batch, rate: float) -> None:
        """Pass a frozen layer, or train the one that learns."""
        if k == self.learning:
            self._train_layer(k, batch, rate)
        else:
            for cases in batch.passes:
                self._activate(k, cases)

    def _squares_below(self, k: int, cases: Pass) -> Array:
        """Return the sums of squares (rows,) of layer ``k``'s input; nobody has taken them."""
        below = cases.h[k - 1] if k else cases.inputs
        squares: Array = np.vecdot(below, below, out=cases.scales[k])
        return squares

    def _recall(self, index: Array, batch: Batch, real: Array, hybrid: Array) -> None:
        """Gather stored inputs (n, width) at ``index`` to where the layer below would put them."""
        below, rows = self.layers[self.learning - 1], index.shape[0]
        passes = batch.passes
        first, last = (cases.h[self.learning - 1] for cases in (passes[0], passes[-1]))
        with below.scope["forward"]:
            np.take(real, index, axis=0, out=first[:rows], mode="clip")
            np.take(hybrid, index, axis=0, out=last[-rows:], mode="clip")

    def _store(self, k: int, chunks: Chunks) -> None:
        """Store the inputs of layer ``k`` for all images, from those of the layer below it."""
        real, hybrid = (self._room_to_store(k, name) for name in ("real", "hybrid"))
        for rows in chunks(*(self.stored or ())):
            self._store_rows(k, rows, real[rows], hybrid[rows])
        self.stored = real, hybrid

    def _room_to_store(self, k: int, name: str) -> Array:
        """Make room for the inputs (n, width below) of layer ``k`` for all images."""
        empty = np.zeros((self.images.shape[0], self.layers[k - 1].width), self.dtype)
        return self.trace.array(empty, role="activation", name=f"stored {name}")

    def _store_rows(self, k: int, rows: slice, real: Array, hybrid: Array) -> None:
        """Put the inputs of layer ``k`` for some images, and for a hybrid each, into two arrays."""
        with self.trace.step(f"store-{self.layers[k].name}"):
            if self.stored:
                below_real, below_hybrid = (below[rows] for below in self.stored)
            else:
                below_real = self.images[rows]
                with self.stored_hybrids.scope:
                    below_hybrid = np.empty(below_real.shape, self.dtype, like=below_real)
                self.stored_hybrids.fill(below_hybrid, below_real)
            self._pass_on(k - 1, below_real, real)
            self._pass_on(k - 1, below_hybrid, hybrid)

    def _pass_on(self, k: int, below: Array, out: Array) -> None:
        """Put the activities of layer ``k`` on ``below`` (rows, fan_in) into ``out``."""
        layer = self.layers[k]
        if self.deferred:
            with layer.scope["normalize"], layer.fuse_normalize:
                scales = row_scales(below, self.lengths[k])
            with layer.scope["forward"]:
                x = layer.input_room(below)
                layer.gather(below, x)
                layer.relu(x, out, scales)
            return
        with layer.scope["normalize"]:
            room = np.empty(layer.input_shape(below.shape[0]), self.dtype, like=below)
        x = layer.normalized(below, self.lengths[k], room)
        with layer.scope["forward"]:
            layer.relu(x, out)


@rule(
    "ff-greedy",
    title="Forward-Forward, layer by layer",
    short_title="FF greedy",
    colour="#009E73",
    order=2,
)
class GreedyRule(ForwardForwardRule):
    """A stage ``layer1``, ``layer2`` … for each hidden layer, then the head."""

    compared = False
    stage = ""
    shapes: ClassVar = {
        "": Shape(rows=2, images=None, greedy="recompute"),
        "stored": Shape(rows=2, images=None, greedy="store"),
    }
    network: GreedyForwardForward

    def make_network(self, host: Host) -> GreedyForwardForward:
        """Return the network to be trained."""
        streams = (host.random[name] for name in ("init", "negatives", "stored negatives"))
        return GreedyForwardForward(host.trace, host.settings, host.train.images, *streams)

    def plans(self) -> Sequence[Plan]:
        """Layer after layer, then the head."""
        epochs = self.host.settings.n_epochs
        layers = [
            Plan(layer.name, epochs, partial(self._open_layer, k), part=layer.name)
            for k, layer in enumerate(self.network.layers)
        ]
        return [*layers, self.head_stage.plan()]

    def _open_layer(self, k: int) -> Stage:
        settings, network = self.host.settings, self.network
        network.learn(k, partial(self.host.chunks, self.host.train))

        def read() -> Values:
            loss, right = network.read_meter(k)
            values = {"loss": loss / 2, f"loss_layer{k + 1}": loss / 2}
            return values | {f"separation_layer{k + 1}": 50 * right}

        return Stage(
            step=network.step,
            rate=(settings.schedule, settings.lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=read,
            passing=network.stored or (),
            counts_samples=k == 0,
            in_flight=settings.batches_in_flight,
            together=network.together,
        )
