"""Every traced operation that JAX has, against XLA's cost analysis of that operation alone.

XLA compiles one operation to a program of its own and says how many bytes it accesses and how many
flops and transcendental functions it does. Here the same operation is traced. Each pair is equal,
or differs by a rule that is stated and checked: :data:`RULES`.

Needs JAX (extra ``validation``); the CPU is enough.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import instrumented
from instrumented.rules.ufunc_work import ELEMENT_WORK

FIGURES = Path(__file__).parent / "xla.csv"
SHAPES = ((30, 20), (7,))
DTYPES = ("float32", "float64", "int32", "bool")

EQUAL = "equal"
RULES = {
    EQUAL: "bytes and flops are the same integers",
    "starting value": "XLA reads the neutral element of a reduction, or the constant of a padding, "
    "from memory: one or two items more; and it starts a fold from it, n operations for n elements",
    "read once": "XLA reads an operand that occurs twice once; here once per occurrence",
    "known beforehand": "the answer hangs on the type alone (is an integer finite?): XLA computes "
    "nothing; here the function runs, as NumPy's does",
    "several instructions": "bytes are equal; XLA writes the function as several of its "
    "instructions; here a function of an element is 1 flop, and n elements are folded by n - 1",
    "several kernels": "XLA composes the function of kernels that hand arrays to each other "
    "(remainder, variance, running sums); here it is one operation, as it is one of NumPy's",
    "whole table": "XLA counts the whole table a gather may touch; here the elements gathered",
    "carries values": "XLA's arg-reductions carry the values along and write them too",
    "other order": "XLA sums as it multiplies from the first product on: n - 1 additions; here a "
    "product is n multiply-adds",
    "view": "NumPy returns a view and nothing moves; an XLA program returns an array of its own",
}


@dataclass(frozen=True)
class Figure:
    """One operation on one shape and type: bytes and flops here and by XLA, and the verdict."""

    operation: str
    shape: str
    dtype: str
    bytes_here: int
    bytes_xla: int
    flops_here: int
    flops_xla: int
    verdict: str


@dataclass(frozen=True)
class Case:
    """An operation that both have: how to call it with NumPy's module and with JAX's."""

    name: str
    call: Callable[..., Any]
    operands: tuple[np.ndarray, ...]

    @property
    def shape(self) -> str:
        """Shapes of the operands."""
        return " ".join("×".join(map(str, operand.shape)) or "-" for operand in self.operands)

    @property
    def dtype(self) -> str:
        """Types of the operands, each once."""
        return " ".join(dict.fromkeys(operand.dtype.name for operand in self.operands))


def cases(jnp: Any) -> Iterator[Case]:
    """Yield every operation that the instrument counts and JAX has, over shapes and types."""
    random = np.random.default_rng(0)

    def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return (random.random(shape) + 0.5).astype(dtype)

    for name in sorted(ELEMENT_WORK):
        ufunc = getattr(np, name, None)
        if not isinstance(ufunc, np.ufunc) or not hasattr(jnp, name):
            continue
        for shape in SHAPES:
            for dtype in DTYPES if len(shape) == 2 else DTYPES[:1]:
                operands = tuple(values(shape, dtype) for _ in range(ufunc.nin))
                yield Case(name, lambda m, *a, name=name: getattr(m, name)(*a), operands)
                if ufunc.nin == 2 and len(shape) == 2 and dtype == "float32":
                    row = values(shape[1:], dtype)
                    broadcast = (operands[0], row)
                    yield Case(name, lambda m, *a, name=name: getattr(m, name)(*a), broadcast)
    for dtype in DTYPES[:3]:
        for shape in SHAPES:
            x = values(shape, dtype)
            for name, call in ONE_ARRAY.items():
                yield Case(name, call, (x,))
            for name, call in TWO_ARRAYS.items():
                yield Case(name, call, (x, values(shape, dtype)))
        for name, (call, *shapes) in PRODUCTS.items():
            yield Case(name, call, tuple(values(shape, dtype) for shape in shapes))
        table, rows = values((30, 20), dtype), np.array([2, 5, 7])
        yield Case("take", lambda m, t, i: m.take(t, i, axis=0), (table, rows))
        yield Case("gather", lambda m, t, i: t[i], (table, rows))
        yield Case(
            "take_along_axis",
            lambda m, t, i: m.take_along_axis(t, i, 0),
            (table, rows[:, None] + np.zeros((3, 20), int)),
        )
        yield Case("where", lambda m, c, x, y: m.where(c, x, y), (table > 1, table, table * 2))


ONE_ARRAY: dict[str, Callable[..., Any]] = {
    **{
        name: (lambda m, x, name=name: getattr(m, name)(x))
        for name in "sum prod max min mean any all argmax argmin count_nonzero ptp var std "
        "cumsum cumprod sort argsort copy tril triu round nan_to_num median "
        "nansum nanmax nanmin".split()
    },
    **{
        f"{name} of rows": (lambda m, x, name=name: getattr(m, name)(x, axis=-1))
        for name in "sum prod max min mean any all argmax argmin var".split()
    },
    "x * x": lambda m, x: x * x,
    "astype": lambda m, x: x.astype("float64"),
    "clip": lambda m, x: m.clip(x, 0, 1),
    "pad": lambda m, x: m.pad(x, 1),
    "tile": lambda m, x: m.tile(x, 3),
    "repeat": lambda m, x: m.repeat(x, 3),
    "roll": lambda m, x: m.roll(x, 1),
    "diff": lambda m, x: m.diff(x),
    "flatten the transpose": lambda m, x: m.ravel(x.T),
    "norm": lambda m, x: m.linalg.norm(x),
    "norm of rows": lambda m, x: m.linalg.norm(x, axis=-1),
}
TWO_ARRAYS: dict[str, Callable[..., Any]] = {
    "concatenate": lambda m, x, y: m.concatenate([x, y]),
    "stack": lambda m, x, y: m.stack([x, y]),
    "vstack": lambda m, x, y: m.vstack([x, y]),
    "vecdot": lambda m, x, y: m.linalg.vecdot(x, y),
    "x + y + x": lambda m, x, y: x + y,
}
PRODUCTS: dict[str, tuple[Any, ...]] = {
    "matmul": (lambda m, x, y: x @ y, (30, 20), (20, 10)),
    "matmul of a transpose": (lambda m, x, y: x.T @ y, (20, 30), (20, 10)),
    "matmul of stacks": (lambda m, x, y: x @ y, (3, 4, 5), (3, 5, 6)),
    "matrix × vector": (lambda m, x, y: x @ y, (30, 20), (20,)),
    "dot": (lambda m, x, y: m.dot(x, y), (20,), (20,)),
    "dot of matrices": (lambda m, x, y: m.dot(x, y), (30, 20), (20, 10)),
    "inner": (lambda m, x, y: m.inner(x, y), (30, 20), (10, 20)),
    "outer": (lambda m, x, y: m.outer(x, y), (30,), (20,)),
    "tensordot": (lambda m, x, y: m.tensordot(x, y, 1), (30, 20), (20, 10)),
    "einsum ij,kj->ik": (lambda m, x, y: m.einsum("ij,kj->ik", x, y), (30, 20), (10, 20)),
    "einsum bij,bjk->bik": (lambda m, x, y: m.einsum("bij,bjk->bik", x, y), (3, 4, 5), (3, 5, 6)),
}
REDUCTIONS = frozenset(
    "sum prod max min mean any all ptp var std norm nansum nanmax nanmin count_nonzero pad".split()
)
SEVERAL_KERNELS = frozenset(
    """
    remainder fmod mod floor_divide divmod modf frexp ldexp power var std mean cumsum cumprod sort
    argsort ptp median nan_to_num gcd lcm rint logaddexp logaddexp2 nansum nanmax nanmin norm
    divide fmax fmin roll tile repeat pad diff heaviside float_power nextafter copysign
    count_nonzero
    """.split()
)
PRODUCT_NAMES = frozenset({*PRODUCTS, "vecdot", "vdot", "matvec", "vecmat"})


def figures() -> Iterator[Figure]:
    """Measure every case; needs JAX."""
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # machine code only
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    for case in cases(jnp):
        trace = instrumented.Trace()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                here = case.call(np, *(trace.array(operand) for operand in case.operands))
                there = jax.jit(lambda *a, call=case.call: call(jnp, *a))
                answer = jax.eval_shape(there, *case.operands)
                if types_of(here) != types_of(answer):
                    continue  # JAX makes another type of these: not the same operation
                compiled = there.lower(*case.operands).compile()
            except (TypeError, ValueError, NotImplementedError):
                continue  # one of the two has no such operation on this type
        cost = compiled.cost_analysis()
        yield judged(
            Figure(
                case.name,
                case.shape,
                case.dtype,
                trace.traffic.bytes_moved,
                int(cost.get("bytes accessed", 0)),
                trace.work.flops,
                int(cost.get("flops", 0) + cost.get("transcendentals", 0)),
                "",
            ),
            case,
        )


def types_of(answer: Any) -> list[str]:
    """Return the types that an operation made."""
    several = answer if isinstance(answer, (tuple, list)) else (answer,)
    return [str(one.dtype) for one in several]


def judged(figure: Figure, case: Case) -> Figure:
    """Return a figure with its verdict: a rule of :data:`RULES`, or ``unexplained``."""
    more_bytes = figure.bytes_xla - figure.bytes_here
    more_flops = figure.flops_xla - figure.flops_here
    plain = case.name.partition(" ")[0]
    item = case.operands[0].itemsize
    verdict = "unexplained"
    if not more_bytes and not more_flops:
        verdict = EQUAL
    elif case.name == "x * x" and more_bytes == -case.operands[0].nbytes and not more_flops:
        verdict = "read once"
    elif plain.startswith("arg") and plain != "argsort" and more_bytes >= 0:
        verdict = "carries values"
    elif plain in ("take", "gather", "take_along_axis") and more_bytes > 0:
        verdict = "whole table"
    elif plain in REDUCTIONS and 0 < more_bytes <= 2 * max(item, 8):
        verdict = "starting value"
    elif case.name in PRODUCT_NAMES and more_flops <= 0 and 0 <= more_bytes <= item:
        verdict = "other order"
    elif (
        not figure.flops_xla
        and figure.bytes_xla < figure.bytes_here
        and (plain.startswith("is") or plain == "signbit")
    ):
        verdict = "known beforehand"
    elif not figure.bytes_here and not more_flops:
        verdict = "view"
    elif not more_bytes:
        verdict = "several instructions"
    elif plain in SEVERAL_KERNELS:
        verdict = "several kernels"
    return replace(figure, verdict=verdict)


TYPES: dict[str, type[Any]] = {
    field.name: {"str": str, "int": int}[str(field.type)] for field in fields(Figure)
}


def write(found: list[Figure]) -> None:
    """Write the figures to the committed file."""
    with FIGURES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Figure)])
        writer.writerows(map(astuple, found))


def committed() -> list[Figure]:
    """Read the committed figures."""
    with FIGURES.open(newline="", encoding="utf-8") as file:
        return [Figure(**{k: TYPES[k](row[k]) for k in row}) for row in csv.DictReader(file)]


def summary(found: list[Figure]) -> dict[str, int]:
    """Count figures by verdict."""
    names = [*RULES, "unexplained"]
    counts = {name: sum(figure.verdict == name for figure in found) for name in names}
    return {name: count for name, count in counts.items() if count}


def main() -> int:
    """Measure, write and sum up; returns how many figures no rule explains."""
    found = list(figures())
    write(found)
    print(f"{len(found)} operations, shapes and types against XLA")
    for name, count in summary(found).items():
        print(f"  {count:5,}  {name}: {RULES.get(name, 'no rule covers these')}")
    for figure in found:
        if figure.verdict == "unexplained":
            print("  unexplained:", *astuple(figure)[:-1])
    return summary(found).get("unexplained", 0)
