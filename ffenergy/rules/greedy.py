"""Forward-Forward layer by layer: each layer learns to the end before the next one begins.

A layer's input comes through the frozen layers below. It is either computed afresh in every step,
from fresh hybrids (``greedy_input = "recompute"``), or once for all images, with one hybrid each,
and stored (``"store"``): then a step touches one layer alone.
"""

from __future__ import annotations

import numpy as np

from ffenergy.network.arrays import Array, Tracer
from ffenergy.network.negatives import HybridMaker
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.settings import Settings

CHUNK = 1000  # rows stored at once


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

    def learn(self, k: int) -> None:
        """Layer ``k`` (from 0) learns from here on; store its inputs if that is asked for."""
        self.learning = k
        if k and self.settings.greedy_input == "store":
            for depth in range(1 if self.stored is None else k, k + 1):
                self.store(depth)

    def step(self, index: Array, rate: float) -> None:
        """Train one layer on the images at ``index`` (rows,) and as many hybrids."""
        k = self.learning
        with self.trace.step(f"train-{self.layers[k].name}"):
            rows = index.shape[0]
            batch = self.batches.get(rows) or self._room_for(rows)
            if self.stored:
                self._recall(index, rows, *self.stored)
            else:
                with self.gather_scope:
                    np.take(self.images, index, axis=0, out=batch.positives, mode="clip")
                self.hybrids.fill(batch.negatives, batch.positives)
                for below in range(k):
                    for cases in batch.passes:
                        self._activate(below, cases)
            self._train_layer(k, batch, rate)

    def _recall(self, index: Array, rows: int, real: Array, hybrid: Array) -> None:
        """Gather stored inputs (n, width) at ``index`` to where the layer below would put them."""
        below = self.layers[self.learning - 1]
        passes = self.batches[rows].passes
        first, last = (cases.h[self.learning - 1] for cases in (passes[0], passes[-1]))
        with below.scope["forward"]:
            np.take(real, index, axis=0, out=first[:rows], mode="clip")
            np.take(hybrid, index, axis=0, out=last[-rows:], mode="clip")

    def store(self, k: int) -> None:
        """Store the inputs of layer ``k`` for all images, from those of the layer below it."""
        count = self.images.shape[0]
        real, hybrid = (self.room_to_store(k, name) for name in ("real", "hybrid"))
        for start in range(0, count, CHUNK):
            rows = slice(start, min(start + CHUNK, count))
            self.store_rows(k, rows, real[rows], hybrid[rows])
        self.stored = real, hybrid

    def room_to_store(self, k: int, name: str) -> Array:
        """Make room for the inputs (n, width below) of layer ``k`` for all images."""
        empty = np.zeros((self.images.shape[0], self.layers[k - 1].width), self.dtype)
        return self.trace.array(empty, role="activation", name=f"stored {name}")

    def store_rows(self, k: int, rows: slice, real: Array, hybrid: Array) -> None:
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
        with layer.fuse_folded:
            with layer.scope["normalize"]:
                room = np.empty(layer.input_shape(below.shape[0]), self.dtype, like=below)
            x = layer.normalized(below, self.lengths[k], room)
            with layer.scope["forward"]:
                layer.relu(x, out)
