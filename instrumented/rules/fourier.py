"""Rules of ``numpy.fft``: 5·n·⌈log2 n⌉ flops for a line of n, operands streamed once.

A model: the radix-2 count of Cooley and Tukey (each of the ⌈log2 n⌉ rounds has n/2 butterflies of 4
multiplications and 6 additions on real numbers), for every n. Transforms of real lines cost half,
those along several axes the sum of their lines; scaling is not counted.
"""

from __future__ import annotations

import math
from typing import Any

from instrumented.books.counters import NO_WORK, Work
from instrumented.books.events import Kind
from instrumented.rules.traffic_rules import Call, Moved, operation_name, streaming, traffic_rule


def transform(n: int, *, of_reals: bool) -> Work:
    """Return the work of one line of n."""
    rounds = int(n - 1).bit_length()  # ⌈log2 n⌉
    add, multiply = 3 * n * rounds, 2 * n * rounds
    return Work(add // 2, multiply // 2) if of_reals else Work(add, multiply)


ONE_AXIS = "a: array, n, axis, norm, out: out"
AXES = "a: array, s, axes, norm, out: out"


@traffic_rule(
    *(f"fft.{name}({ONE_AXIS})" for name in "fft ifft rfft irfft hfft ihfft".split()),
)
def _one_axis(call: Call) -> Moved:
    """The longer of line and result is the length of the transform."""
    axis, source, result = call.get("axis", -1), call.operands[0], call.results[0]
    name = operation_name(call.function).removeprefix("fft.")
    of_reals = name in ("rfft", "irfft", "hfft", "ihfft")
    length = call.get("n")
    if length is None:
        by_result = name in ("irfft", "hfft", "fft", "ifft")
        length = (result if by_result else source).shape[axis]
    lines = result.size // result.shape[axis]
    return streaming(Kind.REDUCTION, transform(length, of_reals=of_reals) * lines)(call)


@traffic_rule(
    *(f"fft.{name}({AXES})" for name in "fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn".split()),
)
def _several_axes(call: Call) -> Moved:
    """One axis after the other; of a real transform one axis is of reals, the rest on its half."""
    name = operation_name(call.function).removeprefix("fft.")
    source, result = call.operands[0], call.results[0]
    lengths, axes = call.get("s"), call.get("axes", (-2, -1) if name.endswith("2") else None)
    if axes is None:
        axes = range(-(result.ndim if lengths is None else len(lengths)), 0)
    grid, reals = list(result.shape), 0
    last: Any = axes[-1] if "rfft" in name else None
    if name in ("irfft2", "irfftn"):
        reals = result.shape[last]
        grid[last] = reals // 2 + 1
    elif last is not None:
        reals = source.shape[last] if lengths is None or lengths[-1] == -1 else lengths[-1]
    work = NO_WORK
    for axis in axes:
        length = reals if axis == last else grid[axis]
        lines = math.prod(grid) // grid[axis]
        work += transform(length, of_reals=axis == last) * lines
    return streaming(Kind.REDUCTION, work)(call)
