"""Rules of NumPy functions that go element by element, and are not ufuncs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.books.counters import Work
from instrumented.books.events import Kind
from instrumented.rules.traffic_rules import Call, Moved, streaming, traffic_rule

CLOSE = Work(add=4, multiply=1)  # |a - b| <= atol + rtol * |b|


def _per_result(work: Work) -> Callable[[Call], Moved]:
    return streaming(Kind.ELEMENTWISE, lambda call: work * call.size_out)


PER_RESULT: dict[Work, tuple[str, ...]] = {
    Work(add=1): (
        "round(a: array, decimals, out: out)",
        "around(a: array, decimals, out: out)",
        "fix(x: array, out: out)",
        "isreal(x: array)",
        "iscomplex(x: array)",
        "polyadd(a1: array, a2: array)",
        "polysub(a1: array, a2: array)",
    ),
    Work(add=2): ("isneginf(x: array, out: out)", "isposinf(x: array, out: out)"),
    CLOSE: ("isclose(a: array, b: array, rtol: array, atol: array, equal_nan)",),
    Work(multiply=1): (
        "outer(a: array, b: array, out: out)",
        "linalg.outer(x1: array, x2: array)",
        "kron(a: array, b: array)",
        "vander(x: array, N, increasing)",
    ),
    Work(special=1): ("angle(z: array, deg)",),
    Work(multiply=1, special=2): ("sinc(x: array)",),  # sin(pi x) / (pi x)
    Work(add=1, multiply=1): (
        "linspace(start: array, stop: array, num, endpoint, retstep, dtype, axis, *, device)",
    ),
    Work(add=1, multiply=1, special=1): (
        "logspace(start: array, stop: array, num, endpoint, base: array, dtype, axis)",
        "geomspace(start: array, stop: array, num, endpoint, dtype, axis)",
    ),
}
"""Work of one result element -> the functions that do it."""

for _work, _declarations in PER_RESULT.items():
    traffic_rule(*_declarations)(_per_result(_work))

traffic_rule(  # NaN, +inf and -inf are looked for and replaced
    "nan_to_num(x: array, copy, nan: array, posinf: array, neginf: array)",
    overwrites=lambda call: not call.get("copy", True),
)(_per_result(Work(add=3)))

traffic_rule(
    "emath.arccos(x: array)",
    "emath.arcsin(x: array)",
    "emath.arctanh(x: array)",
    "emath.log(x: array)",
    "emath.log10(x: array)",
    "emath.log2(x: array)",
    "emath.logn(n: array, x: array)",
    "emath.power(x: array, p: array)",
    "emath.sqrt(x: array)",
    by_values=lambda call: True,  # complex where an element needs it
)(_per_result(Work(add=1, special=1)))


@traffic_rule(
    "where(condition: array, x: array, y: array)", by_values=lambda call: "x" not in call.arguments
)
def _where(call: Call) -> Moved:
    """One selection a result; of a condition alone, its positions."""
    if "x" not in call.arguments:
        return positions(call)
    return streaming(Kind.ELEMENTWISE, Work(add=call.size_out))(call)


@traffic_rule(
    "nonzero(a: array)", "flatnonzero(a: array)", "argwhere(a: array)", by_values=lambda call: True
)
def positions(call: Call) -> Moved:
    """Every element is compared with zero."""
    return streaming(Kind.COPY, Work(add=call.size_in))(call)


@traffic_rule("select(condlist: arrays, choicelist: arrays, default: array)")
def _select(call: Call) -> Moved:
    """One selection a result and condition."""
    conditions = len(call.get("condlist"))
    return streaming(Kind.ELEMENTWISE, Work(add=conditions * call.size_out))(call)


@traffic_rule(
    "clip(a: array, a_min: array, a_max: array, out: out, *, min: array, max: array, **kwargs)"
)
def _clip(call: Call) -> Moved:
    """One comparison with each bound that there is; a mask is merged into the target."""
    given = (call.get(name) for name in ("a_min", "a_max", "min", "max"))
    bounds = sum(bound is not None and bound is not np._NoValue for bound in given)
    moved = streaming(Kind.ELEMENTWISE, Work(add=bounds * call.size_out))(call)
    if isinstance(call.get("where"), (np.ndarray, np.generic)) and call.get("out") is not None:
        moved.reads = [*moved.reads, (call.results[0], None)]
    return moved


def _comparison(call: Call, element: Work) -> Moved:
    """Elementwise comparison, then one fold of all answers into a single one."""
    pairs = math.prod(np.broadcast_shapes(*(np.shape(operand) for operand in call.operands)))
    return streaming(Kind.REDUCTION, element * pairs + Work(add=max(0, pairs - 1)))(call)


@traffic_rule("array_equal(a1: array, a2: array, equal_nan)", "array_equiv(a1: array, a2: array)")
def _equality(call: Call) -> Moved:
    shapes = [np.shape(call.get(name)) for name in ("a1", "a2")]
    if _broadcasts(shapes) if call.function is np.array_equiv else shapes[0] == shapes[1]:
        return _comparison(call, Work(add=1))
    return Moved(Kind.CREATE, [], [(call.results[0], None)])  # the shapes tell


def _broadcasts(shapes: list[tuple[int, ...]]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


@traffic_rule("allclose(a: array, b: array, rtol: array, atol: array, equal_nan)")
def _all_close(call: Call) -> Moved:
    return _comparison(call, CLOSE)


@traffic_rule("diff(a: array, n, axis, prepend: array, append: array)")
def _diff(call: Call) -> Moved:
    """One subtraction an element, in every one of the n rounds."""
    axis, order = call.get("axis", -1), call.get("n", 1)
    if order == 0:
        return streaming(Kind.COPY)(call)
    others = list(call.operands[0].shape)
    length = others.pop(axis)
    ends = [call.get(name) for name in ("prepend", "append")]
    length += sum(
        np.shape(end)[axis] if np.ndim(end) else 1
        for end in ends
        if end is not None and end is not np._NoValue
    )
    work = Work(add=math.prod(others) * sum(max(0, length - k) for k in range(1, order + 1)))
    return streaming(Kind.ELEMENTWISE, work)(call)


@traffic_rule("ediff1d(ary: array, to_end: array, to_begin: array)")
def _neighbours(call: Call) -> Moved:
    """One subtraction a pair of neighbours; what stands at the ends is given."""
    return streaming(Kind.ELEMENTWISE, Work(add=max(0, call.size_in - 1)))(call)


@traffic_rule("polyder(p: array, m)", "polyint(p: array, m, k: array)")
def _calculus(call: Call) -> Moved:
    """Derivatives multiply every coefficient but the last, integrals divide each, m times."""
    n, m = call.size_in, int(call.get("m", 1))
    if call.function is np.polyder:
        work = Work(multiply=sum(max(0, n - k) for k in range(1, m + 1)))
    else:
        work = Work(special=sum(n + k for k in range(m)))
    return streaming(Kind.ELEMENTWISE, work)(call)


@traffic_rule("gradient(f: array, *varargs: array, axis, edge_order)")
def _gradient(call: Call) -> Moved:
    """A difference and a division an element and axis."""
    results = sum(result.size for result in call.results)
    return streaming(Kind.ELEMENTWISE, Work(add=results, special=results))(call)


@traffic_rule("interp(x: array, xp: array, fp: array, left: array, right: array, period)")
def _interp(call: Call) -> Moved:
    """A binary search, then y0 + (y1 - y0) / (x1 - x0) * (x - x0), for every query."""
    steps = math.ceil(math.log2(int(np.size(call.get("xp"))) + 1))
    return streaming(Kind.GATHER, Work(steps + 4, 1, 1) * call.size_out)(call)


@traffic_rule(
    "cross(a: array, b: array, axisa, axisb, axisc, axis)",
    "linalg.cross(x1: array, x2: array, *, axis)",
)
def _cross(call: Call) -> Moved:
    """Two products and a difference a component."""
    return streaming(Kind.ELEMENTWISE, Work(add=1, multiply=2) * call.size_out)(call)


@traffic_rule("polyval(p: array, x: array)")
def _polyval(call: Call) -> Moved:
    """Horner's scheme: a multiply-add a coefficient and element."""
    count = int(np.size(call.get("p"))) * int(np.size(call.get("x")))
    return streaming(Kind.ELEMENTWISE, Work(count, count))(call)


@traffic_rule("packbits(a: array, axis, bitorder)", "unpackbits(a: array, axis, count, bitorder)")
def _bits(call: Call) -> Moved:
    """One operation of bit logic for every bit."""
    return streaming(Kind.ELEMENTWISE, Work(add=max(call.size_in, call.size_out)))(call)


@traffic_rule("ravel_multi_index(multi_index: arrays, dims, mode, order)")
def _ravel_multi_index(call: Call) -> Moved:
    """A multiply-add for every index but the first."""
    count = (int(np.size(call.get("dims"))) - 1) * call.size_out
    return streaming(Kind.ELEMENTWISE, Work(count, count))(call)


@traffic_rule("unravel_index(indices: array, shape, order)")
def _unravel_index(call: Call) -> Moved:
    """A division with remainder for every axis."""
    shape: Any = call.get("shape")
    axes = len(shape) if isinstance(shape, tuple) else 1
    return streaming(Kind.ELEMENTWISE, Work(special=axes * call.size_in))(call)


@traffic_rule("trapezoid(y: array, x: array, dx: array, axis)")
def _trapezoid(call: Call) -> Moved:
    """Of every pair of neighbours the sum, halved, times the step; all added up."""
    axis = call.get("axis", -1)
    source = call.operands[0]
    length = source.shape[axis]
    pairs = (source.size // length) * (length - 1) if length else 0
    places = call.get("x")  # of all lines together, or of each
    steps = 0
    if isinstance(places, np.ndarray) and length:
        steps = places.size // length * (length - 1)
    work = Work(add=pairs + max(0, pairs - call.size_out) + steps, multiply=2 * pairs)
    return streaming(Kind.REDUCTION, work)(call)
