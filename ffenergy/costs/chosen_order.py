"""The order of computation for a network and a chip, by the closed form of ``fitting``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ffenergy.costs.best_orders import network_of
from ffenergy.costs.fitting import fitting, in_flight
from ffenergy.costs.network import shapes
from ffenergy.energy import Profile
from ffenergy.errors import SettingsError
from ffenergy.network.orders import LAYER_MAJOR, STEP_MAJOR
from ffenergy.settings import Settings


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
