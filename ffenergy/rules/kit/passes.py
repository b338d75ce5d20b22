"""Rooms for batches of positives and negatives, which pass a layer together or apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ffenergy.network import Array
from ffenergy.network.dense import ONE_VISIT, DenseLayer
from ffenergy.network.orders import Rooms
from ffenergy.rules.kit.networks import NormalizedNetwork
from ffenergy.settings import Settings


@dataclass(frozen=True)
class Pass:
    """The cases that go through a layer in one matmul, and the arrays they need.

    ``inputs`` (rows, pixels); per layer ``x`` in its layer's ``input_shape``, ``h`` and ``delta``
    (rows, width).
    ``signs`` (rows,) is y; the first ``positives`` rows are real images. ``losses`` and ``right``
    (rows,) per layer add up every case's loss, and whether its sign was right, over many steps.
    Deferred normalisation keeps ``squares`` and ``scales`` (rows,) per layer: the goodness of its
    activities, and the factor of its input's rows.
    """

    inputs: Array
    x: list[Array]
    h: list[Array]
    delta: list[Array]
    signs: Array
    positives: int
    losses: list[Array]
    right: list[Array]
    squares: list[Array]
    scales: list[Array]


@dataclass(frozen=True)
class Batch:
    """Room for one batch: the positives and the negatives, together or apart."""

    positives: Array
    negatives: Array
    passes: list[Pass]


class PassingNetwork(NormalizedNetwork):
    """A stack whose layers judge positives and negatives; its workspaces and its meters."""

    settings: Settings

    @property
    def puts_off(self) -> bool:
        """Whether a layer takes its step together with its next batch's forward pass."""
        return self.settings.gradient == ONE_VISIT

    def make_meters(self) -> None:
        """Make what adds up every layer's losses and right answers over many steps."""
        self.losses = [self._meter("losses") for _ in self.layers]
        self.right = [self._meter("right answers") for _ in self.layers]
        self.room = Rooms(self._make_room, self._room_beside)

    def _meter(self, name: str) -> Array:
        empty = np.zeros(2 * self.settings.batch_size, self.dtype)
        return self.trace.array(empty, role="temporary", name=name)

    def read_meters(self) -> tuple[list[float], list[float]]:
        """Return each layer's loss and right answers summed over all cases since the last call."""
        with self.trace.step("report"):
            return (
                [self._read(*pair) for pair in zip(self.layers, self.losses, strict=True)],
                [self._read(*pair) for pair in zip(self.layers, self.right, strict=True)],
            )

    def read_meter(self, k: int) -> tuple[float, float]:
        """Return the loss and right answers of layer ``k`` alone, as :meth:`read_meters` does."""
        with self.trace.step("report"):
            layer = self.layers[k]
            return self._read(layer, self.losses[k]), self._read(layer, self.right[k])

    def _read(self, layer: DenseLayer, meter: Array) -> float:
        with layer.scope["evaluate"]:
            total = float(self.trace.escape(meter).sum(dtype=np.float64))
            meter[...] = 0
        return total

    def _room_beside(self, rows: int, place: int) -> Batch:
        """Room of another batch in flight.

        A step that is put off still needs the inputs of the batch before: then the second batch has
        inputs and activities of its own, and later ones take turns with the two.
        """
        second = self.puts_off and place == 1
        first = self.room(rows, place % 2 if self.puts_off and not second else 0)
        kept = {group[-1] for group in self.settings.groups[:-1]}
        if second:
            kept = set(range(len(self.layers)))
        passes = []
        for cases in first.passes:
            h = [
                self._room(room.shape, "activation", f"batch {place + 1} {layer.name} h")
                if k in kept
                else room
                for k, (room, layer) in enumerate(zip(cases.h, self.layers, strict=True))
            ]
            squares = [
                self._room(room.shape, "temporary", f"batch {place + 1} {layer.name} squares")
                if k in kept
                else room
                for k, (room, layer) in enumerate(zip(cases.squares, self.layers, strict=False))
            ]
            x = [
                h[k - 1] if k and room is cases.h[k - 1] else room for k, room in enumerate(cases.x)
            ]
            passes.append(replace(cases, x=x, h=h, squares=squares))
        beside = replace(first, passes=passes)
        return self._with_inputs(beside) if second else beside

    def _with_inputs(self, beside: Batch) -> Batch:
        """Give the second batch, joined, inputs of its own: images, and what layers scale."""
        (cases,) = beside.passes
        inputs = self._room(cases.inputs.shape, "data", "batch 2 input")
        x = list(cases.x)
        for k, room in enumerate(x):
            if room is cases.inputs:
                x[k] = inputs
            elif not (k and room is cases.h[k - 1]):
                x[k] = self._room(room.shape, "activation", f"batch 2 {self.layers[k].name} x")
        rows = beside.positives.shape[0]
        return Batch(inputs[:rows], inputs[-rows:], [replace(cases, inputs=inputs, x=x)])

    def _make_room(self, rows: int) -> Batch:
        joined = self.settings.passes == "joined"
        labels = [("both", rows, rows)] if joined else [("real", rows, 0), ("hybrid", 0, rows)]
        passes = []
        start = 0
        for name, positives, negatives in labels:
            count = positives + negatives
            passes.append(self._pass(name, positives, count, slice(start, start + count)))
            start += count
        first, last = passes[0].inputs, passes[-1].inputs
        return Batch(first[:rows], last[-rows:], passes)

    def _pass(self, name: str, positives: int, rows: int, columns: slice) -> Pass:
        def room(shape: tuple[int, ...], role: str, what: str) -> Array:
            return self._room(shape, role, f"{name} {what}")

        signs = np.ones(rows, self.dtype)
        signs[positives:] = -1
        inputs = room((rows, self.settings.layer_sizes[0]), "data", "input")
        scaled = self.layers if self.deferred else []
        x = []
        if not self.deferred:
            x = [room(k.input_shape(rows), "activation", f"{k.name} x") for k in self.layers]
        h = [room((rows, k.width), "activation", f"{k.name} h") for k in self.layers]
        if self.deferred:  # dense layers read what lies below as it is
            x = [k.input_room(b) for k, b in zip(self.layers, (inputs, *h[:-1]), strict=True)]
        return Pass(
            inputs=inputs,
            x=x,
            h=h,
            delta=[room((rows, k.width), "gradient", f"{k.name} delta") for k in self.layers],
            signs=self.trace.array(signs, role="data", name=f"{name} signs"),
            positives=positives,
            losses=[meter[columns] for meter in self.losses],
            right=[meter[columns] for meter in self.right],
            squares=[room((rows,), "temporary", f"{k.name} squares") for k in scaled],
            scales=[room((rows,), "temporary", f"{k.name} scales") for k in scaled],
        )

    def _room(self, shape: tuple[int, ...], role: str, name: str) -> Array:
        return self.trace.array(np.zeros(shape, self.dtype), role=role, name=name)
