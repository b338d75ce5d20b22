"""Programs that reach few bytes: upper bounds, each with the room it needs on the chip.

The model is that of `bounds`: a managed memory of C bytes, bytes off the chip a batch. Every
schedule here is one that runs; docs/bounds.md describes them. ω is the working room of a schedule:
bytes on the chip that are not weights or state. TILE is a few columns of one layer's weights and
state, as much as an update holds at a time.

A layer, or a group of consecutive layers, passes a batch in one of these ways:

    held     a layer's input and output stay on the chip, its gradient beside what fits of
             weights and state
    visit    one visit a tile does the update of batch t − 1 and the forward pass of batch t, so
             nothing is read twice; two inputs are held
    rows     a few rows at a time; the gradient is held instead of the activities
    tiles    nothing but blocks of the products: whatever the room
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from ffenergy.costs.network import Layers, Network, layers_of
from ffenergy.errors import SettingsError

TILE: Final = 64 * 1024
"""Bytes of the tile of weights and state that an update holds at a time."""

BATCHES: Final = 600
"""Batches of an epoch of MNIST at a hundred images."""
STORAGE: Final = 2**30
"""Bytes behind the chip for the activities of batches in flight."""
ADDED: Final = 0.05
"""Share that a limited number of batches in flight may add."""

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Schedule:
    """A program of ``rule`` that moves ``nbytes`` bytes off the chip a batch.

    order: ``step-major`` (a batch goes through all layers before the next one begins),
        ``layer-major`` (``in_flight`` batches go through a group of layers together) or
        ``layer by layer`` (a layer learns to the end before the next one begins).
    groups: numbers of the layers, counted from 1, that a batch passes in one go.
    in_flight: batches between two groups; None where any large number gives ``nbytes``.
    ways: how each group passes a batch (see the module).
    room_bytes: least on-chip memory for which the formula is stated.
    """

    rule: str
    order: str
    nbytes: int
    groups: Groups
    in_flight: int | None
    ways: tuple[str, ...]
    room_bytes: int


def best(rule: str, network: Network, capacity_bytes: int) -> Schedule:
    """The schedule of fewest bytes for C = ``capacity_bytes``, batches in flight without limit.

    Raises:
        SettingsError: a rule without a closed form, or no byte on the chip.
    """
    if capacity_bytes < 1:
        raise SettingsError(f"{capacity_bytes} bytes on the chip; give a positive number")
    layers = layers_of(rule, network)
    return min(_schedules(layers, capacity_bytes), key=lambda one: one.nbytes)


def best_order(
    rule: str,
    network: Network,
    capacity_bytes: int,
    *,
    batches: int = BATCHES,
    storage_bytes: int = STORAGE,
) -> Schedule:
    """The order to run: as `best`, with a number of batches in flight that can be had.

    ``in_flight`` is the least K whose 2T/K adds at most 5 % to what an unlimited K would move, but
    no more than ``batches`` (those of an epoch) and than fit into ``storage_bytes`` behind the
    chip, K (a_{k-1} + a_k) bytes. ``nbytes`` has the 2T/K. Where that is no better than
    step-major order, step-major order is the answer.

    Raises:
        SettingsError: as for `best`.
    """
    found = best(rule, network, capacity_bytes)
    if found.in_flight is not None:
        return found
    layers = layers_of(rule, network)
    reload = 2 * sum(layers.states)
    stored = max(a + b for a, b in pairwise(layers.activities))
    wanted = math.ceil(reload / (ADDED * found.nbytes))
    in_flight = max(min(wanted, batches, storage_bytes // stored), 1)
    finite = replace(
        found, in_flight=in_flight, nbytes=found.nbytes + math.ceil(reload / in_flight)
    )
    return min(finite, step_major(layers, capacity_bytes), key=lambda one: one.nbytes)


def step_major_only(rule: str, network: Network, capacity_bytes: int) -> Schedule:
    """The usual order of a local rule: one batch after the other through all layers.

    Raises:
        SettingsError: a rule without a closed form, or one that is not local.
    """
    layers = layers_of(rule, network)
    if not layers.shape.local or layers.shape.greedy:
        raise SettingsError(f"{rule} has no step-major order beside others; name a local rule")
    return step_major(layers, capacity_bytes)


def _schedules(layers: Layers, capacity: int) -> Iterator[Schedule]:
    if layers.shape.greedy:
        yield greedy(layers, capacity)
    elif layers.shape.local:
        yield step_major(layers, capacity)
        yield layer_major(layers, capacity)
        yield from kept_on_chip(layers, capacity)
    else:
        yield from backprop(layers, capacity)


def backprop(layers: Layers, capacity: int) -> Iterator[Schedule]:
    """Backprop's gradient consumed at once by the optimiser; in tiles below its room.

    x + 2D + (D − sW − W_1)+ with D = (T + A + x + ω − C)+, A all hidden activities, ω = 2a + TILE,
    stated for C ≥ 7a + 2 TILE. In tiles: x + 2T + W + 4A + 8 w B Σ n_{k-1} n_k / side, or 5A and
    twice the last term where the rows of a batch do not fit a block.
    """
    network = layers.network
    sizes, s, w = network.layer_sizes, network.states, network.itemsize
    weights, state = sum(layers.weights), sum(layers.states)
    held = sum(layers.activities[1:])
    whole = (tuple(range(1, len(layers.sizes))),)
    wide = layers.largest_boundary
    room = 7 * wide + 2 * TILE
    if capacity >= room:
        missing = max(state + held + layers.images + 2 * wide + TILE - capacity, 0)
        again = max(missing - s * weights - layers.weights[0], 0)
        nbytes = layers.images + 2 * missing + again
        yield Schedule(layers.rule, "step-major", nbytes, whole, 1, ("held",), room)
    work = layers.rows * sum(below * above for below, above in pairwise(sizes))
    passes, kept = (4, 4) if _rows_fit(layers, capacity) else (8, 5)
    blocks = 2 * w * passes * work / _block_side(layers, capacity)
    nbytes = math.ceil(layers.images + 2 * state + weights + kept * held + blocks)
    yield Schedule(layers.rule, "step-major", nbytes, whole, 1, ("tiles",), 0)


def step_major(layers: Layers, capacity: int) -> Schedule:
    """A batch goes through all layers before the next one begins: one group, or in tiles."""
    whole = tuple(range(1, len(layers.weights) + 1))
    tiled = sum(2 * a for a in layers.activities[1:-1])  # out of the chip between two layers
    tiled += sum(_in_tiles(layers, k, capacity) for k in whole)
    ways = [(tiled, "tiles", 0), *_passes(layers, whole, capacity)]
    nbytes, way, room = min(ways)
    return Schedule(layers.rule, "step-major", layers.images + nbytes, (whole,), 1, (way,), room)


def layer_major(layers: Layers, capacity: int) -> Schedule:
    """Groups of consecutive layers, many batches in flight: the cheapest cut into groups.

    Images + Σ_groups + Σ_cuts 2a_k. Activities between groups go out and come back; weights and
    state that fit stay for all batches in flight.
    """
    n_layers = len(layers.weights)
    # cheapest[k]: bytes, groups, ways and room of the layers 1 … k
    cheapest: list[tuple[int, Groups, tuple[str, ...], int]] = [(0, (), (), 0)]
    for end in range(1, n_layers + 1):
        options = []
        for start in range(1, end + 1):
            before, groups, ways, room = cheapest[start - 1]
            group = tuple(range(start, end + 1))
            cut = 2 * layers.activities[start - 1] if start > 1 else 0
            for nbytes, way, own in _passes(layers, group, capacity):
                total = before + cut + nbytes
                options.append((total, (*groups, group), (*ways, way), max(room, own)))
        cheapest.append(min(options, key=lambda option: (option[0], len(option[1]))))
    nbytes, groups, ways, room = cheapest[-1]
    order, in_flight = ("layer-major", None) if len(groups) > 1 else ("step-major", 1)
    return Schedule(layers.rule, order, layers.images + nbytes, groups, in_flight, ways, room)


def kept_on_chip(layers: Layers, capacity: int) -> Iterator[Schedule]:
    """A layer at a time, activities of all batches in flight on the chip: 2T / K.

    K = ⌊(C − max T_k − ω) / a⌋, a the widest activity; it pays only where c = C − max T_k − ω
    exceeds T / (G − 1), G the groups that would do otherwise.
    """
    room = max(a + b for a, b in pairwise(layers.activities)) + TILE + max(layers.states)
    in_flight = (capacity - room) // layers.largest_boundary
    if in_flight >= 2:
        nbytes = layers.images + math.ceil(2 * sum(layers.states) / in_flight)
        groups = tuple((k,) for k in range(1, len(layers.weights) + 1))
        needed = room + in_flight * layers.largest_boundary
        ways = ("held",) * len(groups)
        yield Schedule(layers.rule, "layer-major", nbytes, groups, in_flight, ways, needed)


def greedy(layers: Layers, capacity: int, epochs: int = 1) -> Schedule:
    """Layer by layer to the end (other values than Forward-Forward's); bytes of all stages.

    Inputs stored: layer k's stage takes 2 (T_k + ω − C)+ + a_{k-1} + a_k / epochs, the first
    images. Recomputed: images in every stage, and of the weights below, which are read but not
    written, what does not fit beside T_k + ω.
    """
    recomputed = layers.shape.greedy == "recompute"
    nbytes, ways, rooms = 0, [], []
    for k in range(1, len(layers.weights) + 1):
        one, way, room = min(_passes(layers, (k,), capacity))
        if recomputed:
            one += layers.images + _forward_again(layers, k, way, room, capacity)
        else:
            one += layers.activities[k - 1] if k > 1 else layers.images
            last = k == len(layers.weights)
            one += 0 if last else math.ceil(layers.activities[k] / epochs)
        nbytes += one
        ways.append(way)
        rooms.append(room)
    groups = tuple((k,) for k in range(1, len(ways) + 1))
    return Schedule(layers.rule, "layer by layer", nbytes, groups, 1, tuple(ways), max(rooms))


def _forward_again(layers: Layers, k: int, way: str, room: int, capacity: int) -> int:
    """Bytes of the frozen layers below layer k, whose outputs are computed anew."""
    below = layers.weights[: k - 1]
    if way != "tiles":
        return min(sum(below), max(layers.states[k - 1] + sum(below) + room - capacity, 0))
    w = layers.network.itemsize
    work = layers.rows * sum(a * b for a, b in list(pairwise(layers.sizes))[: k - 1])
    blocks = 2 * w * work / _block_side(layers, capacity)
    return math.ceil(sum(below) + 2 * sum(layers.activities[1:k]) + blocks)


def _passes(
    layers: Layers, group: tuple[int, ...], capacity: int
) -> Iterator[tuple[int, str, int]]:
    """Every way in which a group passes a batch: bytes without cuts, its name, its room."""
    network = layers.network
    s = network.states
    weights = [layers.weights[k - 1] for k in group]
    state = sum(layers.states[k - 1] for k in group)
    both = [(layers.activities[k - 1], layers.activities[k]) for k in group]
    wide = max(max(pair) for pair in both)

    def missing(room: int) -> int:
        return max(state + room - capacity, 0)

    room = max(below + above for below, above in both) + TILE
    if capacity >= room:
        nbytes = 2 * missing(room) + max(missing(room) - s * sum(weights), 0)
        yield nbytes, "held", room
    if len(group) == 1:
        (below, above), (weight,) = both[0], weights
        room = 2 * below + above + TILE
        if capacity >= room:
            yield 2 * missing(room), "visit", room
        room = weight + 3 * TILE  # rows that come, rows that go, columns of the update
        if capacity >= weight + room:
            yield 2 * missing(room), "rows", weight + room
        yield _in_tiles(layers, group[0], capacity), "tiles", 0
    else:
        room = max(weights) + wide + 3 * TILE
        needed = max(max(weights) + room, 2 * sum(weights) + 3 * TILE)
        if capacity >= needed:
            yield 2 * missing(room), "rows", needed


def _in_tiles(layers: Layers, k: int, capacity: int) -> int:
    """2T_k + W_k + 2a_k + 8 p w B' n_{k-1} n_k / side: layer k in blocks, nothing stays.

    p is 3 where all rows fit a block, else 5. Never less than what square blocks of outputs
    need, half of it for the forward product and half for the gradient, which is consumed block by
    block: 2T_k + W_k + 2a_{k-1} + 2a_k + 4 w B' n_{k-1} n_k / √(C / w).
    """
    below, above = layers.sizes[k - 1], layers.sizes[k]
    w, rows = layers.network.itemsize, layers.rows
    flat = 2 * layers.states[k - 1] + layers.weights[k - 1] + 2 * layers.activities[k]
    passes = 3 if _rows_fit(layers, capacity) else 5
    loose = 2 * w * passes * rows * below * above / _block_side(layers, capacity)
    square = 4 * w * rows * below * above / math.sqrt(capacity / w)
    return math.ceil(flat + max(loose, 2 * layers.activities[k - 1] + square))


def _block_side(layers: Layers, capacity: int) -> float:
    """Side in elements of a product's blocks: they share the chip with the optimiser's state."""
    return math.sqrt(capacity / (layers.network.itemsize * (1 + layers.network.states / 2)))


def _rows_fit(layers: Layers, capacity: int) -> bool:
    """Whether all rows of a batch, as wide as a block, take half of the chip at most."""
    wide = layers.network.itemsize * _block_side(layers, capacity)
    return layers.rows * wide <= capacity / 2
