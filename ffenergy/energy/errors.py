"""Errors of the energy model."""

from __future__ import annotations

from ffenergy.errors import EnergyError


class ProfileError(EnergyError):
    """A hardware profile is unknown, unreadable, or breaks the schema."""


class PricingError(EnergyError):
    """Counts cannot be priced under a profile: a dtype, level, column or distance is foreign."""
