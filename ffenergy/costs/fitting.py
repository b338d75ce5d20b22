"""Layer-major order for a memory that is not managed: which layers fit together, how many batches.

`schedules` lets a part of what does not fit stay on the chip, as a managed memory can. An LRU, a
cache or a scratchpad, cannot: a cyclic sweep over a little more than fits costs all of it. So here
a group of layers stays for all batches in flight, or nothing of it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ffenergy.costs.network import Layers, Network, layers_of, network_of, shapes
from ffenergy.costs.schedules import ADDED, BATCHES, STORAGE, TILE, Groups
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
