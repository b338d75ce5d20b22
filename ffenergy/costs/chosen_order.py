"""The order of computation for a network and a chip, by the closed forms of ``schedules``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ffenergy.costs.network import Network, shapes
from ffenergy.costs.schedules import best_order
from ffenergy.energy import Profile
from ffenergy.errors import SettingsError
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.settings import Settings


def with_best_order(
    settings: Settings, rules: Sequence[str], profile: Profile, train_images: int
) -> Settings:
    """Return ``settings`` in the order of fewest bytes off the chip of ``profile``.

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
            "name a number of batches, or a rule such as {registry.FORWARD_FORWARD}"
        )
    if not profile.capacities_bytes:
        raise SettingsError(
            f"in_flight is 'auto', but profile {profile.name} has no memory of known size; "
            "name a number of batches, or another profile first"
        )
    network = Network(
        settings.layer_sizes,
        settings.batch_size,
        settings.optimizer,
        4 if settings.dtype == "float32" else 8,
        settings.negative_pairs == "shared",
    )
    batches = math.ceil(train_images / settings.batch_size)
    found = best_order(local[0], network, profile.capacities_bytes[-1], batches=batches)
    if found.order == STEP_MAJOR:
        return settings.replace(order=STEP_MAJOR, in_flight=1, layer_groups="")
    groups = ",".join(str(len(group)) for group in found.groups)
    return settings.replace(order=LAYER_MAJOR, in_flight=found.in_flight or 1, layer_groups=groups)
