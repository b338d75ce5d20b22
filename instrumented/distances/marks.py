"""Distances that are none: a first access, and a value that nobody reads."""

COLD = -1
"""Distance of a first access, or of a value that lives on: farther than any capacity."""

NEVER = 0
"""Distance of a write whose value is dead before anyone reads it: it stays where it was born."""
