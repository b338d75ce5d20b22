"""Errors of the energy model."""

from __future__ import annotations

from ffenergy.errors import FfenergyError


class ProfileError(FfenergyError):
    """A hardware profile is unknown, unreadable, or breaks the schema."""

    exit_code = 2


class EnergyUnitError(FfenergyError):
    """Energies in different units were about to be mixed, or joules asked of relative ones."""

    exit_code = 2


class PricingError(FfenergyError):
    """Counts cannot be priced under a profile: a dtype, level, column or distance is foreign."""

    exit_code = 2


class DecompositionError(FfenergyError):
    """A cost table cannot be split into the parts that lead from backprop to Forward-Forward."""

    exit_code = 2
