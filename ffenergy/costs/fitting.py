"""Layer-major order for a memory that is not managed: which layers fit together, how many batches.

`schedules` lets a part of what does not fit stay on the chip, as a managed memory can. An LRU, a
cache or a scratchpad, cannot: a cyclic sweep over a little more than fits costs all of it. So here
a group of layers stays for all batches in flight, or nothing of it does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise
from typing import Final

from ffenergy.costs.network import Layers, Network, layers_of, network_of, shapes
from ffenergy.costs.schedules import ADDED, BATCHES, STORAGE, TILE, Groups, Schedule
from ffenergy.energy import Profile
from ffenergy.errors import SettingsError
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.settings import Settings

MICRO_TILES: Final = 3 * 4 * 16**2
"""Bytes of the three micro-tiles of a product."""


def in_flight(
    rule: str,
    network: Network,
    capacity_bytes: int,
    groups: Groups,
    *,
    stored_gradient: bool,
    batches: int = BATCHES,
) -> int:
    """The least K whose 2T / K adds at most 5 % to what an unlimited K would move.

    No more than ``batches``, those of an epoch, and than fit behind the chip, K (a_{k-1} + a_k).
    """
    layers = layers_of(rule, network)
    moved = layers.images + sum(2 * layers.activities[group[0] - 1] for group in groups[1:])
    for group in groups:
        moved += _swept(layers, group, capacity_bytes, stored_gradient=stored_gradient)
    wanted = math.ceil(2 * sum(layers.states) / (ADDED * moved))
    stored = max(below + above for below, above in pairwise(layers.activities))
    return max(min(wanted, batches, STORAGE // stored), 1)


def fitting(
    rule: str, network: Network, capacity_bytes: int, *, stored_gradient: bool
) -> Groups | None:
    """Groups of consecutive layers that fit on the chip together, the cheapest cut.

    A group's weights and state stay for all batches in flight if they fit beside the activities at
    all its boundaries, a micro-tile of each operand and, where it is stored, a layer's gradient;
    else they move whole, 2T_g + W_g a batch. All layers together, which is step-major order, take
    a delta and `TILE` besides, for what a step makes before its layers. A cut between groups costs
    2a_k. Of cuts that cost the same, that whose largest group is the smallest. None where one group
    is the cheapest.

    Raises:
        SettingsError: a rule without a closed form.
    """
    layers = layers_of(rule, network)
    if not layers.shape.local or layers.shape.greedy:
        return None
    n_layers = len(layers.weights)
    cheapest: list[tuple[int, Groups]] = [(0, ())]
    for end in range(1, n_layers + 1):
        options = []
        for start in range(1, end + 1):
            before, groups = cheapest[start - 1]
            group = tuple(range(start, end + 1))
            cut = 2 * layers.activities[start - 1] if start > 1 else 0
            swept = _swept(layers, group, capacity_bytes, stored_gradient=stored_gradient)
            options.append((before + cut + swept, (*groups, group)))
        cheapest.append(
            min(options, key=lambda one: (one[0], len(one[1]), _largest(layers, one[1])))
        )
    groups = cheapest[-1][1]
    return groups if len(groups) > 1 else None


def _largest(layers: Layers, groups: Groups) -> int:
    """Bytes of weights and state of the largest group."""
    return max(sum(layers.states[k - 1] for k in group) for group in groups)


def _swept(layers: Layers, group: tuple[int, ...], capacity: int, *, stored_gradient: bool) -> int:
    """Bytes of weights and state that a group moves a batch: none where all of it fits."""
    state = sum(layers.states[k - 1] for k in group)
    weights = [layers.weights[k - 1] for k in group]
    held = [layers.activities[k] for k in (group[0] - 1, *group)]
    room = sum(held) + MICRO_TILES + (max(weights) if stored_gradient else 0)
    if len(group) == len(layers.weights):
        room += max(held[1:]) + TILE
    return 0 if state + room <= capacity else 2 * state + sum(weights)


MOST_IN_FLIGHT: Final = 8
"""Batches in flight at most in programs that are counted: an eighth of the weights and their state
is left to move a batch. More would leave less, but what is recorded and priced grows with them."""


class _Use(Enum):
    """What is done with an array: it is read, made, read and changed in place, or dead."""

    READ = auto()
    MADE = auto()
    UPDATED = auto()
    DEAD = auto()


_Access = tuple[tuple[str, int], int, _Use]
"""An array (weights, optimiser state, activity or delta of a layer), its bytes, its use."""
ROUNDS: Final = 3
"""Batches that are followed: the last of them is in the steady state."""


def lru_order(
    rule: str, network: Network, capacity_bytes: int, *, batches: int = BATCHES
) -> Schedule | None:
    """The order of fewest bytes off a chip whose memory is an LRU that knows what is dead.

    Of step-major order and the groups of `fitting`, each layer's arrays taken whole: one that is
    used again later than ``capacity_bytes`` of others comes back, and goes out if it has changed.
    Gradients are consumed at once, backprop's in the visit that passes back. Where no layers fit
    together but there is `visit_room`, a step may also wait for the layer's next batch in flight.
    With less than ``room_bytes``, the rows of a boundary and a tile, products come in pieces and
    move more. None for rules that train one layer after the other.

    Raises:
        SettingsError: a rule without a closed form.
    """
    layers = layers_of(rule, network)
    if layers.shape.greedy:
        return None
    whole = (tuple(range(1, len(layers.weights) + 1)),)
    nbytes = layers.images + _comes_and_goes(layers, whole[0], capacity_bytes)
    room = layers.largest_boundary + TILE
    usual = Schedule(rule, STEP_MAJOR, nbytes, whole, 1, ("lru",), room)
    groups = fitting(rule, network, capacity_bytes, stored_gradient=False)
    if groups is None:
        put_off = _put_off(layers, capacity_bytes, batches) if layers.shape.local else None
        return min(filter(None, (usual, put_off)), key=lambda one: one.nbytes)
    flying = in_flight(
        rule, network, capacity_bytes, groups, stored_gradient=False, batches=batches
    )
    nbytes = layers.images + sum(2 * layers.activities[group[0] - 1] for group in groups[1:])
    for group in groups:
        loaded = math.ceil(2 * sum(layers.states[k - 1] for k in group) / flying)
        nbytes += _comes_and_goes(layers, group, capacity_bytes) or loaded
    ways = ("lru",) * len(groups)
    cut = Schedule(rule, LAYER_MAJOR, nbytes, groups, flying, ways, room)
    return min(usual, cut, key=lambda one: one.nbytes)


def visit_room(layers: Layers) -> int:
    """Bytes of a visit that updates for one batch and goes forward with the next: their rows."""
    return max(2 * below + above for below, above in pairwise(layers.activities)) + TILE


def _put_off(layers: Layers, capacity: int, batches: int) -> Schedule | None:
    """Layer after layer, with a step in the next batch's visit: images + cuts + 2T + W / K."""
    if visit_room(layers) > capacity:
        return None
    whole = tuple((k,) for k in range(1, len(layers.weights) + 1))
    flying = min(MOST_IN_FLIGHT, batches)
    nbytes = layers.images + 2 * sum(layers.activities[1:-1]) + 2 * sum(layers.states)
    nbytes += math.ceil(sum(layers.weights) / flying)
    ways = ("visit",) * len(whole)
    return Schedule(layers.rule, LAYER_MAJOR, nbytes, whole, flying, ways, visit_room(layers))


def _comes_and_goes(layers: Layers, group: tuple[int, ...], capacity: int) -> int:
    """Bytes that the last of some equal batches moves beyond an LRU."""
    changed: set[tuple[str, int]] = set()
    moved = 0
    for batch in _visits(layers, group):
        moved = 0
        for (array, nbytes, use), depth in batch:
            if use is _Use.DEAD:
                changed.discard(array)
                continue
            if depth is None:
                moved += 0 if use is _Use.MADE else nbytes
            elif depth > capacity:
                moved += 2 * nbytes if array in changed else nbytes
                changed.discard(array)
            if use is not _Use.READ:
                changed.add(array)
    return moved


@lru_cache(maxsize=1024)
def _visits(
    layers: Layers, group: tuple[int, ...]
) -> tuple[tuple[tuple[_Access, int | None], ...], ...]:
    """The accesses of `ROUNDS` batches, with the depth at which each finds its array, if it does.

    A map asks for the same at every size of the chip.
    """
    accesses = _batch_of(layers, group) if layers.shape.local else _batch_of_backprop(layers)
    batch = list(accesses)
    stack: dict[tuple[str, int], int] = {}  # bytes of arrays, the last used at the end
    rounds = []
    for _ in range(ROUNDS):
        found: list[tuple[_Access, int | None]] = []
        for array, nbytes, use in batch:
            found.append(((array, nbytes, use), _depth(stack, array) if array in stack else None))
            stack.pop(array, None)
            if use is not _Use.DEAD:
                stack[array] = nbytes
        rounds.append(tuple(found))
    return tuple(rounds)


def _depth(stack: dict[tuple[str, int], int], array: tuple[str, int]) -> int:
    """Bytes of an array on the stack and of all that were used after it."""
    depth = 0
    for one in reversed(stack):
        depth += stack[one]
        if one == array:
            break
    return depth


def _update_of(layers: Layers, k: int) -> Iterator[_Access]:
    """A layer's gradient, consumed by its optimiser."""
    weights = layers.weights[k - 1]
    yield ("weights", k), weights, _Use.UPDATED
    yield ("state", k), layers.states[k - 1] - weights, _Use.UPDATED


def _batch_of(layers: Layers, group: tuple[int, ...]) -> Iterator[_Access]:
    """A batch through a group of layers that learn by themselves."""
    yield ("activity", group[0] - 1), layers.activities[group[0] - 1], _Use.MADE
    for k in group:
        below, above = layers.activities[k - 1 : k + 1]
        yield ("activity", k - 1), below, _Use.READ
        yield ("weights", k), layers.weights[k - 1], _Use.READ
        yield ("activity", k), above, _Use.MADE
        yield ("delta", k), above, _Use.MADE
        yield ("activity", k - 1), below, _Use.READ
        yield from _update_of(layers, k)
        yield ("delta", k), 0, _Use.DEAD
        yield ("activity", k - 1), 0, _Use.DEAD
    yield ("activity", group[-1]), 0, _Use.DEAD


def _batch_of_backprop(layers: Layers) -> Iterator[_Access]:
    """A batch forward through all layers and the head, and back: a visit of weights updates too."""
    head = layers.rows * layers.network.itemsize * layers.sizes[-1]
    held = (*layers.activities, head)
    last = len(layers.weights)
    yield ("activity", 0), held[0], _Use.MADE
    for k in range(1, last + 1):
        yield ("activity", k - 1), held[k - 1], _Use.READ
        yield ("weights", k), layers.weights[k - 1], _Use.READ
        yield ("activity", k), held[k], _Use.MADE
    yield ("delta", last), head, _Use.MADE
    for k in range(last, 0, -1):
        if k > 1:
            yield ("delta", k - 1), held[k - 1], _Use.MADE
        yield ("activity", k - 1), held[k - 1], _Use.READ
        yield ("delta", k), held[k], _Use.READ
        yield from _update_of(layers, k)
        yield ("delta", k), 0, _Use.DEAD
        yield ("activity", k), 0, _Use.DEAD
    yield ("activity", 0), 0, _Use.DEAD


def with_best_order(
    settings: Settings, rules: Sequence[str], profile: Profile, train_images: int
) -> Settings:
    """Return ``settings`` in the order of few bytes off the chip of ``profile``, an LRU.

    It is that of the first of ``rules`` whose layers do not wait for each other; the chip's memory
    is the largest level that has a capacity.

    Raises:
        SettingsError: no such rule, or a profile without an on-chip memory of known size.
    """
    known = shapes()
    local = [name for name in rules if name in known and known[name].local]
    if not local:
        raise SettingsError(
            f"in_flight is 'auto', but no layer-major order is known of {', '.join(rules)}; "
            "name a number of batches, or another rule"
        )
    if not profile.capacities_bytes:
        raise SettingsError(
            f"in_flight is 'auto', but profile {profile.name} has no memory of known size; "
            "name a number of batches, or another profile first"
        )
    network = network_of(settings)
    if network is None:
        raise SettingsError(
            "in_flight is 'auto', but locally connected layers have no closed form; name a number "
            "of batches"
        )
    size, stored = profile.capacities_bytes[-1], settings.gradient == "stored"
    groups = fitting(local[0], network, size, stored_gradient=stored)
    if groups is None:
        return settings.replace(order=STEP_MAJOR, in_flight=1, layer_groups="")
    batches = math.ceil(train_images / settings.batch_size)
    return settings.replace(
        order=LAYER_MAJOR,
        in_flight=in_flight(
            local[0], network, size, groups, stored_gradient=stored, batches=batches
        ),
        layer_groups=",".join(str(len(group)) for group in groups),
    )
