"""Locally connected layers: every location has weights of its own, none are shared.

Units lie as (rows, down, across, channel), flattened to (rows, width), so that goodness, biases,
peer normalisation and the head see a layer like any other. Before its product a layer gathers the
fields of all locations into (locations, rows, fan_in), and one batched product with weights
(locations, fan_in, channels) writes straight into the strided view (locations, rows, channels) of
the flat activities. Keeping activities location by location instead was as fast (the products
take over 90 % of the time) and would need a transposed copy for the head.

Three things the paper does not say (Hinton 2022, arXiv 2212.13345, section 3.2) are kept as in
dense layers and in Hinton's released code: the length of a layer's *whole* input is normalised,
not that of each field, so a blank corner stays dark beside a busy centre; goodness is that of
the whole layer; and peers are all units of the layer, not those of one location.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import DenseLayer
from ffenergy.network.fields import Fields


class LocalLayer(DenseLayer):
    """A dense layer per location: weights (locations, fan_in, channels), bias (width,).

    Its inputs are (rows, below), flat; its ``x`` is (locations, rows, fan_in), gathered.
    """

    VISITS = False  # fields overlap

    def __init__(
        self,
        trace: Tracer,
        name: str,
        fields: Fields,
        std: float,
        dtype: str,
        rng: np.random.Generator,
    ) -> None:
        self.fields = fields
        self.windows = fields.windows()
        super().__init__(trace, name, fields.fan_in, fields.width, std, dtype, rng)

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (locations, fan_in, channels)."""
        return self.fields.locations, self.fan_in, self.fields.channels

    def input_shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of ``x`` for so many cases: (locations, rows, fan_in)."""
        return self.fields.locations, rows, self.fan_in

    def input_room(self, below: Array) -> Array:
        """Return a workspace for the gathered ``below`` (rows, inputs)."""
        room = np.empty(self.input_shape(below.shape[0]), self.plain.dtype)
        return self.trace.array(room, role="activation", name=f"{self.name} x")

    def gather(self, below: Array, x: Array) -> None:
        """Copy the fields of ``below`` (rows, inputs) into ``x`` (locations, rows, fan_in)."""
        for seen, field in self._fields_of(below, x):
            np.copyto(field, seen)

    def scaled_by(self, scales: Array, x: Array, out: Array) -> Array:
        """Gather the fields of ``x`` (rows, inputs), each row times its one of ``scales`` (rows,).

        The scaled input itself is never stored.
        """
        for seen, field in self._fields_of(x, out):
            np.multiply(seen, scales[:, None, None, None], out=field)
        return out

    def _product(self, x: Array, out: Array) -> None:
        np.matmul(x, self.weights, out=self._by_location(out))

    def pass_back(self, delta: Array, out: Array, part: slice = slice(None)) -> None:
        """Put dLoss / d inputs into ``out`` (rows, inputs): fields overlap, so all add up."""
        spread = np.matmul(self._by_location(delta), self.weights.mT)
        out[...] = 0
        for seen, field in self._fields_of(out, spread):
            seen += field

    def _products(self, x: Array, delta: Array, out: Array, part: slice = slice(None)) -> Array:
        """Put a part of dLoss / d weights, some locations, into ``out``."""
        return np.matmul(x.mT[part], self._by_location(delta)[part], out=out)

    def _by_location(self, units: Array) -> Array:
        """View ``units`` (rows, width) as (locations, rows, channels)."""
        fields = self.fields
        return units.reshape(units.shape[0], fields.locations, fields.channels).swapaxes(0, 1)

    def _fields_of(self, below: Array, x: Array) -> Iterator[tuple[Array, Array]]:
        """Yield views (rows, height, width, channels) of each field: of ``below``, and of ``x``."""
        rows = below.shape[0]
        image = below.reshape(rows, *self.fields.below)
        gathered = x.reshape(len(self.windows), rows, *self.fields.field, self.fields.below[2])
        for location, (down, across) in enumerate(self.windows):
            yield image[:, down, across], gathered[location]

    def plain_parameters(self) -> dict[str, np.ndarray]:
        """Return the equivalent dense layer: ``name/W`` (inputs, width), ``name/b`` (width,).

        Weights outside a unit's field are zeros: what looks at weights needs no other case.
        """
        fields = self.fields
        compact = self.plain[: -self.width].reshape(
            fields.locations, *fields.field, fields.below[2], fields.channels
        )
        dense = np.zeros((*fields.below, fields.locations, fields.channels), self.plain.dtype)
        for location, (down, across) in enumerate(self.windows):
            dense[down, across, :, location] = compact[location]
        bias = self.plain[-self.width :].copy()
        return {f"{self.name}/W": dense.reshape(-1, self.width), f"{self.name}/b": bias}
