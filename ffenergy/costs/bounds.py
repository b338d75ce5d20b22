"""What any program must move: proven lower bounds on the bytes that a batch takes off the chip.

Model: one on-chip memory of C bytes, an unlimited one behind it; a byte that crosses costs 1
either way; arithmetic needs its operands on the chip; values are not split, compressed or rewritten
algebraically (partial gradients are not merged into momentum or weights); full batches, steady
state; bytes a batch. The memory is managed: a bound holds for every replacement of what it holds,
LRU included. Proofs: docs/bounds.md. Every bound names the class of programs it holds for:

    once     each value is computed once
    replay   anything may be computed again, updates too
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from ffenergy.costs.network import Layers, Network, layers_of, shape_of
from ffenergy.errors import SettingsError
from ffenergy.rules.registry import BACKPROP

ScheduleClass = Literal["once", "replay"]


@dataclass(frozen=True)
class Bound:
    """No program of ``schedule_class`` moves fewer than ``nbytes`` bytes off the chip a batch."""

    name: str
    rule: str
    schedule_class: ScheduleClass
    nbytes: float


def backprop_once(network: Network, capacity_bytes: int) -> Bound:
    """BP-1: x + max{2 (T + A − C)+, (3 + 2s) W − W_1 + 2A − 3C}; class once.

    A = w Σ_{k≥1} min(B, n_{k+1}) n_k. At the moment when the last row of a batch gets its output
    delta, every weight and state of one version and A bytes more are alive; what is not on the
    chip was written since the last such moment and is read before the next. The second term adds
    that W_2 … come in twice a batch, on the way back and on the way forward again.
    """
    layers, s = layers_of(BACKPROP, network), network.states
    sizes, w = layers.sizes, network.itemsize
    alive = w * sum(
        min(network.batch_size, sizes[k + 1]) * sizes[k] for k in range(1, len(sizes) - 1)
    )
    weights, first = sum(layers.weights), layers.weights[0]
    cut = 2 * max(sum(layers.states) + alive - capacity_bytes, 0)
    twice = (3 + 2 * s) * weights - first + 2 * alive - 3 * capacity_bytes
    return Bound("BP-1", BACKPROP, "once", layers.images + max(cut, twice))


def backprop_replay(network: Network, capacity_bytes: int) -> Bound:
    """BP-2: x + max{(T − C)+, (2 + s) W − W_1 − 2C}; class replay, the reads alone.

    Whatever is recomputed, some version of each weight and state that is not on the chip when the
    last row of a batch gets its output delta must be read.
    """
    layers, s = layers_of(BACKPROP, network), network.states
    weights, first = sum(layers.weights), layers.weights[0]
    cut = max(sum(layers.states) - capacity_bytes, 0)
    twice = (2 + s) * weights - first - 2 * capacity_bytes
    return Bound("BP-2", BACKPROP, "replay", layers.images + max(cut, twice))


def local_once(rule: str, network: Network, capacity_bytes: int) -> Bound:
    """FF-1: images + max{Σ_k 2 (T_k − C)+, 2a min(1, (T − C)+ / (C + a))}; class once.

    Of Forward-Forward and every other local rule, with its own rows. First term: BP-1's argument
    within each layer. Second: either the whole state passes by between two batches that follow
    each other through all layers, or the batches that are in flight meanwhile, a bytes each, are
    on the chip or paid for.
    """
    layers = _local(rule, network)
    states, a = layers.states, layers.least_boundary
    within = sum(2 * max(state - capacity_bytes, 0) for state in states)
    missing = max(sum(states) - capacity_bytes, 0)
    between = 2 * a * min(1.0, missing / (capacity_bytes + a)) if missing else 0
    return Bound("FF-1", rule, "once", layers.images + max(within, between))


def greedy_once(rule: str, network: Network, capacity_bytes: int) -> Bound:
    """FF-1's first term, of layers trained one after the other; class once.

    A batch stands for one batch of every layer's stage: Σ_k 2 (T_k − C)+, and what each stage
    reads from behind the chip: images, or a_{k-1} where inputs are stored.
    """
    layers = _local(rule, network)
    within = sum(2 * max(state - capacity_bytes, 0) for state in layers.states)
    return Bound("FF-1, first term", rule, "once", _data(layers) + within)


def least(rule: str, network: Network, capacity_bytes: int, data_bytes: float = math.inf) -> Bound:
    """The bound of class once: what no program that computes each value once goes below.

    data_bytes: of the data set; one that fits on the chip stays there, and no batch reads of it.
    """
    if capacity_bytes < 1:
        raise SettingsError(f"{capacity_bytes} bytes on the chip; give a positive number")
    shape = shape_of(rule)
    if not shape.local:
        found = backprop_once(network, capacity_bytes)
    elif shape.greedy:
        found = greedy_once(rule, network, capacity_bytes)
    else:
        found = local_once(rule, network, capacity_bytes)
    if data_bytes > capacity_bytes:
        return found
    return replace(found, nbytes=found.nbytes - _data(layers_of(rule, network)))


def _data(layers: Layers) -> int:
    """Bytes that a batch reads of data: images, and what earlier stages stored of them."""
    if layers.shape.greedy == "store":
        return layers.images + sum(layers.activities[1:-1])
    return layers.images * (len(layers.weights) if layers.shape.greedy else 1)


def _local(rule: str, network: Network) -> Layers:
    layers = layers_of(rule, network)
    if not layers.shape.local:
        raise SettingsError(f"{rule} is no local rule; its bounds are BP-1 and BP-2")
    return layers
