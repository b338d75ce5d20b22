"""Energy of a batch in closed form: arithmetic, bytes on the chip, bytes behind it.

Bytes behind the chip come from `bounds` or `schedules`. Those on the chip are a model, the same for
all rules: state once in and once out, every product through an inner buffer of 32 KiB at
max(operands, 2 m k n / √8192 elements), one read of W for passing back and updating. Biases and
the optimiser's arithmetic, the same for all, are left out. All of it is a formula, nothing is
measured; docs/bounds.md, section "Energy".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from ffenergy.costs import bounds
from ffenergy.costs.network import Layers, Network, layers_of
from ffenergy.energy import Profile
from ffenergy.energy.chip import Chip, FloatArray, UnitEnergies

INNER_ELEMENTS: Final = 8192
"""Elements of the inner buffer, 32 KiB of float32."""
BLURS: Final = 6
BLUR_WORK: Final = 9
"""Multiply-adds of a pixel in one blur: nine weights."""
MIX_WORK: Final = 2
ROW_SPECIALS: Final = 4
"""Special functions a row and layer of the goodness: exponential, logarithm, two divisions."""
ROW_MULTIPLIES: Final = 6
SCALE_BYTES: Final = 12
"""Bytes a row and layer of deferred normalisation: the scale written once and read twice."""
SCALE_SPECIALS: Final = 2
"""Root and division of a row's scale."""
SIZES: Final = tuple(2**k for k in range(10, 31))
"""Bytes at which a profile of distances is cut into levels."""


@dataclass(frozen=True)
class BatchWork:
    """Operations and on-chip bytes of a batch."""

    multiply_adds: int
    multiplies: int
    specials: int
    on_chip_bytes: int

    def __add__(self, other: BatchWork) -> BatchWork:
        """Both together."""
        return BatchWork(
            self.multiply_adds + other.multiply_adds,
            self.multiplies + other.multiplies,
            self.specials + other.specials,
            self.on_chip_bytes + other.on_chip_bytes,
        )

    def joules(self, prices: UnitEnergies) -> FloatArray:
        """Energy of arithmetic and on-chip bytes, a figure per draw of the constants."""
        return (
            self.multiply_adds * prices.multiply_add
            + self.multiplies * prices.multiply
            + self.specials * prices.special
            + self.on_chip_bytes * prices.on_chip_byte
        )


def energy(work: BatchWork, off_chip_bytes: float, prices: UnitEnergies) -> FloatArray:
    """Joules of a batch (MAC under a relative profile), a figure per draw of the constants."""
    return work.joules(prices) + off_chip_bytes * prices.off_chip_byte


def work_of(rule: str, network: Network) -> BatchWork:
    """What a batch of a rule computes, and its bytes on the chip."""
    layers = layers_of(rule, network)
    total = products(layers)
    if layers.shape.rows == 2:  # goodness of positives and negatives, deferred normalisation
        total += goodness(layers) + deferred_normalization(layers)
    if layers.shape.images is None:
        total += negatives(network)
    return total


def products(layers: Layers) -> BatchWork:
    """Forward, backward (backprop, beyond the first layer) and gradient products, and the state."""
    rows, w = layers.rows, layers.network.itemsize
    per_weight = 2 * (1 + layers.network.states)  # weights and state, in and out
    work = moved = 0
    for k, (below, above) in enumerate(pairwise(layers.sizes)):
        back = k > 0 and not layers.shape.local
        ways = 3 if back else 2
        again = k if layers.shape.greedy == "recompute" else 0
        work += ways * rows * below * above
        moved += w * per_weight * below * above
        moved += _through_buffer(rows, below, above, w, with_weights=True)
        moved += (ways - 1) * _through_buffer(rows, below, above, w, with_weights=False)
        for lower, upper in list(pairwise(layers.sizes))[:again]:
            work += rows * lower * upper
            moved += _through_buffer(rows, lower, upper, w, with_weights=True)
        if heads := layers.shape.heads:
            work += 3 * rows * above * heads
            moved += w * per_weight * above * heads  # its products share the layer's operands
    return BatchWork(work, 0, 0, moved)


def goodness(layers: Layers) -> BatchWork:
    """Sum of squares and its derivative, softplus and logistic of every row and layer."""
    units = layers.rows * sum(layers.network.layer_sizes[1:])
    rows = layers.rows * len(layers.weights)
    return BatchWork(units, units + ROW_MULTIPLIES * rows, ROW_SPECIALS * rows, 0)


def negatives(network: Network) -> BatchWork:
    """Masks blurred and two images mixed, four arrays of pixels on the chip."""
    pixels = network.batch_size * network.layer_sizes[0]
    return BatchWork((BLURS * BLUR_WORK + MIX_WORK) * pixels, 0, 0, 4 * network.image_bytes)


def deferred_normalization(layers: Layers) -> BatchWork:
    """L2 normalisation carried into the next product: one multiplication an output."""
    units = layers.rows * sum(layers.network.layer_sizes[1:])
    rows = layers.rows * len(layers.weights)
    lengths = layers.rows * layers.network.layer_sizes[0]
    return BatchWork(lengths, units, SCALE_SPECIALS * rows, SCALE_BYTES * rows)


def _through_buffer(rows: int, below: int, above: int, itemsize: int, *, with_weights: bool) -> int:
    """Bytes between the on-chip memory and the inner buffer for one product."""
    operands = rows * below + rows * above + (below * above if with_weights else 0)
    blocked = 2 * rows * below * above / math.sqrt(INNER_ELEMENTS)
    return round(itemsize * max(operands, blocked))


def least_movement(
    rule: str, network: Network, profile: Profile, data_bytes: float = math.inf
) -> FloatArray:
    """Joules (MAC under a relative profile) of moving what any program must move for a batch.

    A byte that goes beyond a memory costs at least what a byte costs behind it, a read or a write,
    whichever is cheaper. So with the bound LB(c) at every capacity c, and p_0 ≤ p_1 ≤ … the prices
    of a byte that the levels serve, whatever the program::

        energy ≥ p_0 LB(c_0) + Σ (p_{k+1} − p_k) LB(c_k)

    A profile that prices distances has a level at every power of two. ``data_bytes`` are those of
    the data set: beyond a memory that holds it no image is read. One figure per draw of the
    constants, the first as they stand.

    Raises:
        SettingsError: a rule without a bound.
    """
    chip = Chip(profile, next(iter(profile.compute)))  # its arithmetic is not asked for
    sizes = profile.capacities_bytes if profile.levels else SIZES
    places = profile.level_names if profile.levels else (0, *SIZES)  # beyond each of the sizes
    prices = np.minimum(chip.bytes_at(places, "read"), chip.bytes_at(places, "write"))
    cheapest = np.minimum.accumulate(prices[::-1])[::-1]  # nothing farther away is cheaper
    moved = [bounds.least(rule, network, size, data_bytes).nbytes for size in sizes]
    steps = np.diff(cheapest, axis=0)[: len(moved)]
    nearest = cheapest[0] * (moved[0] if moved else 0)
    found: FloatArray = nearest + np.array(moved, dtype=np.float64) @ steps
    return found
