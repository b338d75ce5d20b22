"""Bytes an array operand owns, and the role and layout under which it is counted."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

ROLES = ("data", "weight", "activation", "gradient", "optimizer_state", "temporary")


class Layout(NamedTuple):
    """What counting needs to know of an operand; equal layouts are interchangeable."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    role: str

    @property
    def nbytes(self) -> int:
        """Bytes of memory the operand covers; an axis of stride 0 repeats the same bytes."""
        return covered_bytes(self.shape, self.strides, self.dtype.itemsize)


def covered_bytes(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> int:
    """Return the distinct bytes under a strided view.

    ``[2, 3]`` float32 covers 24 bytes; the same shape broadcast from ``[3]`` (strides 0, 4)
    covers 12, and two overlapping windows of it (strides 4, 4) 16. ``strides`` are in bytes.
    """
    if 0 in shape:
        return 0
    axes = [
        (abs(stride), length)
        for length, stride in zip(shape, strides, strict=True)
        if stride != 0 and length > 1
    ]
    span = itemsize
    for stride, length in sorted(axes):
        if stride < span:  # the elements below reach into the next ones
            return _marked_bytes(axes, itemsize)
        span += stride * (length - 1)
    return math.prod(length for _, length in axes) * itemsize


def _marked_bytes(axes: list[tuple[int, int]], itemsize: int) -> int:
    """Count the bytes under a view whose elements overlap, by marking each of them."""
    span = itemsize + sum(stride * (length - 1) for stride, length in axes)
    touched = np.zeros(span, dtype=bool)
    shape, strides = [length for _, length in axes], [stride for stride, _ in axes]
    for byte in range(itemsize):
        np.lib.stride_tricks.as_strided(touched[byte:], shape, strides)[...] = True
    return int(np.count_nonzero(touched))


def own_bytes(array: Array) -> int:
    """Return the distinct bytes that ``array`` covers."""
    return covered_bytes(array.shape, array.strides, array.dtype.itemsize)


def root_of(array: Array) -> Array:
    """Return the array that owns the memory of ``array``, following views of views."""
    base: Any = array
    while base is not None:
        if isinstance(base, np.ndarray):
            array = base
        base = getattr(base, "base", None)  # as_strided puts an object of its own in between
    return array


def address_of(array: Array) -> int:
    """Return the memory address of element (0, …, 0)."""
    address: int = array.__array_interface__["data"][0]
    return address


def memory_span(array: Array) -> tuple[int, int]:
    """Return the lowest address of ``array`` and the bytes from there to its last one."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return low, high - low
