"""The geometry of locally connected layers: which part of the layer below every unit sees.

A layer is a grid of locations. Each location has a receptive field, a rectangle of the grid below
with all its channels, and so many units (channels) of its own; fields may overlap. Written
``field/stride x channels``, layers with commas. Hinton's network (2022, arXiv 2212.13345, section
3.2) is ``10x10/6x128,2x2/1x220,2x2/1x512``: grids of 4x4, 3x3 and 2x2 locations on 28x28 pixels,
about 2000 units a layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ffenergy.errors import SettingsError

PATTERN: Final = re.compile(r"\s*(\d+)x(\d+)/(\d+)x(\d+)\s*", re.ASCII)
EXAMPLE: Final = "10x10/6x128,2x2/1x220"


@dataclass(frozen=True)
class Fields:
    """One locally connected layer on a grid ``below`` of (height, width, channels)."""

    below: tuple[int, int, int]
    field: tuple[int, int]
    stride: int
    channels: int

    @property
    def grid(self) -> tuple[int, int]:
        """Locations along both axes."""
        down, across = (
            (size - part) // self.stride + 1
            for size, part in zip(self.below, self.field, strict=False)
        )
        return down, across

    @property
    def locations(self) -> int:
        """Number of locations."""
        return self.grid[0] * self.grid[1]

    @property
    def fan_in(self) -> int:
        """Inputs of one unit."""
        return self.field[0] * self.field[1] * self.below[2]

    @property
    def width(self) -> int:
        """Units of the layer, in the order (down, across, channel)."""
        return self.locations * self.channels

    def windows(self) -> list[tuple[slice, slice]]:
        """Return the rows and columns of the grid below that each location sees."""
        height, width = self.field
        return [
            (slice(top, top + height), slice(left, left + width))
            for top in range(0, self.grid[0] * self.stride, self.stride)
            for left in range(0, self.grid[1] * self.stride, self.stride)
        ]


def local_layers(text: str, image: tuple[int, int]) -> tuple[Fields, ...]:
    """Parse ``text`` for images of (height, width); raises SettingsError naming the bad layer.

    Fields must cover the grid below exactly: no row or column is left out.
    """
    below = (*image, 1)
    layers = []
    for part in text.split(","):
        found = PATTERN.fullmatch(part)
        if found is None or "0" in found.groups():
            raise SettingsError(
                f"local_fields has {part!r}; write field/stride x channels for every layer, "
                f"such as {EXAMPLE}"
            )
        down, across, stride, channels = map(int, found.groups())
        for size, field in zip(below, (down, across), strict=False):
            if field > size or (size - field) % stride:
                raise SettingsError(
                    f"local_fields has {part.strip()!r} on a grid of {below[0]}x{below[1]}: "
                    f"{field} + any number of strides of {stride} must make {size}"
                )
        layers.append(Fields(below, (down, across), stride, channels))
        below = (*layers[-1].grid, channels)
    return tuple(layers)
