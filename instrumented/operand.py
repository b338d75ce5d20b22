"""Bytes an array operand owns, and the role and layout under which it is counted."""

from __future__ import annotations

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
    """Return the distinct bytes under a strided view whose elements do not partly overlap.

    ``[2, 3]`` float32 covers 24 bytes; the same shape broadcast from ``[3]`` (strides 0, 4)
    covers 12. ``strides`` are in bytes.
    """
    elements = 1
    for length, stride in zip(shape, strides, strict=True):
        if length == 0:
            return 0
        if stride != 0:
            elements *= length
    return elements * itemsize


def own_bytes(array: Array) -> int:
    """Return the distinct bytes that ``array`` covers."""
    return covered_bytes(array.shape, array.strides, array.dtype.itemsize)


def root_of(array: Array) -> Array:
    """Return the array that owns the memory of ``array``, following views of views."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def address_of(array: Array) -> int:
    """Return the memory address of element (0, …, 0)."""
    address: int = array.__array_interface__["data"][0]
    return address


def memory_span(array: Array) -> tuple[int, int]:
    """Return the lowest address of ``array`` and the bytes from there to its last one."""
    low, high = np.lib.array_utils.byte_bounds(array)
    return low, high - low
