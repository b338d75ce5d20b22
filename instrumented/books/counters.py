"""Small frozen counters: the arithmetic an operation does and the bytes it moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """Arithmetic of one or more operations, in scalar operations by kind.

    ``add`` counts additions and everything an adder does (subtract, negate, compare, select,
    minimum, maximum, absolute value, bitwise logic), ``multiply`` multiplications, ``special``
    divisions, square roots, exponentials, logarithms and other transcendental functions.
    A fused multiply-add is one of each of the first two: 2 flops (docs/metric.md §3 "Arithmetic").
    """

    add: int = 0
    multiply: int = 0
    special: int = 0

    @property
    def flops(self) -> int:
        """All scalar operations together."""
        return self.add + self.multiply + self.special

    def __add__(self, other: Work) -> Work:
        return Work(
            self.add + other.add, self.multiply + other.multiply, self.special + other.special
        )

    def __mul__(self, times: int) -> Work:
        return Work(self.add * times, self.multiply * times, self.special * times)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes streamed in and out by one or more operations; reads and writes are never merged."""

    bytes_read: int = 0
    bytes_written: int = 0

    @property
    def bytes_moved(self) -> int:
        """Bytes read plus bytes written."""
        return self.bytes_read + self.bytes_written

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.bytes_read + other.bytes_read, self.bytes_written + other.bytes_written)

    def __mul__(self, times: int) -> Traffic:
        return Traffic(self.bytes_read * times, self.bytes_written * times)


NO_WORK = Work()
NO_TRAFFIC = Traffic()
