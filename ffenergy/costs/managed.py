"""A step in a managed memory: analysed only where it is asked for, at sizes that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ffenergy.costs.distances import CAPACITIES, PER_OCTAVE
from ffenergy.costs.prices import ACCOUNTINGS, MANAGED, PRICED_GRAIN
from ffenergy.costs.rehearsal import Recording
from ffenergy.costs.step_costs import StepCosts
from ffenergy.energy import Profile
from instrumented import Analysis, analyse

SMALLEST: Final = 2**12
"""Bytes of the smallest memory that is managed: a micro-tile of a product takes 3 KiB."""
MOST_BYTES: Final = 2**31
"""Of this machine's memory for managing one record."""
KEPT_BYTES: Final = 32
"""What is remembered of an access, at most."""


def bearable(costs: StepCosts, accounting: str, steps: int) -> bool:
    """Whether managing a record of so many steps takes at most `MOST_BYTES` of memory."""
    accesses = max(
        one.accesses
        for (reading, _, grain), one in costs.analyses.items()
        if reading == accounting and grain == PRICED_GRAIN
    )
    return accesses * steps * KEPT_BYTES <= MOST_BYTES


def managed_at(profiles: Sequence[Profile]) -> tuple[int, ...]:
    """Sizes at which a managed memory is analysed: powers of two and the profiles'."""
    levels = {size for profile in profiles for size in profile.capacities_bytes}
    sizes = sorted({*CAPACITIES[::PER_OCTAVE], *levels})
    return tuple(size for size in sizes if size >= SMALLEST)


def with_managed(
    costs: StepCosts,
    recording: Recording,
    capacities: Sequence[int],
    accountings: Sequence[str] = ACCOUNTINGS,
) -> StepCosts:
    """Add what the step moves in a managed memory of each of the capacities.

    ``accountings`` are those to be managed, of those that ``costs`` has.
    """
    added: dict[tuple[str, str, str], Analysis] = {}
    fusing = any(event.fusion for event in recording.events)
    for accounting in costs.live:
        if accounting not in accountings:
            continue
        if accounting != ACCOUNTINGS[0] and not fusing and added:  # as it is eager
            added[accounting, MANAGED, PRICED_GRAIN] = added[ACCOUNTINGS[0], MANAGED, PRICED_GRAIN]
            continue
        added[accounting, MANAGED, PRICED_GRAIN] = analyse(
            recording.events,
            recording.buffers,
            grain=PRICED_GRAIN,
            memory=MANAGED,
            capacities=capacities,
            fused=accounting != ACCOUNTINGS[0],
        )
    return replace(costs, analyses=costs.analyses | added)
