"""Joules from counts: sourced hardware profiles and pure pricing functions."""

from ffenergy.energy.chosen import (
    DEFAULT_PROFILES,
    ChosenProfile,
    choose_profiles,
    restore_profiles,
)
from ffenergy.energy.constant import Certainty, Constant
from ffenergy.energy.loading import load_profile, parse_profiles, profiles
from ffenergy.energy.model import (
    commute_to_compute,
    compute_energy,
    distance_movement_energy,
    grid_movement_energy,
    joules_or_nan,
    movement_energy,
    tidy_levels,
    wire_energy,
    wire_millimetres,
    wire_movement_energy,
)
from ffenergy.energy.price import price
from ffenergy.energy.profile import Grid, Level, Operations, Profile, Wire
from ffenergy.errors import (
    PricingError,
    ProfileError,
)

__all__ = [
    "DEFAULT_PROFILES",
    "Certainty",
    "ChosenProfile",
    "Constant",
    "Grid",
    "Level",
    "Operations",
    "PricingError",
    "Profile",
    "ProfileError",
    "Wire",
    "choose_profiles",
    "commute_to_compute",
    "compute_energy",
    "distance_movement_energy",
    "grid_movement_energy",
    "joules_or_nan",
    "load_profile",
    "movement_energy",
    "parse_profiles",
    "price",
    "profiles",
    "restore_profiles",
    "tidy_levels",
    "wire_energy",
    "wire_millimetres",
    "wire_movement_energy",
]
