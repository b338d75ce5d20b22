"""Processor time of one traced call beside the plain one, operation by operation.

    python benchmarks/call_time.py [--repeats 60] [--calls 300] [--only sum]

Small arrays, so that what is measured is the call. Traced and plain take turns, a block of calls
each; every figure is that of the fastest block, in microseconds, which a busy machine disturbs
least. ``adds`` is what tracing adds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from instrumented import Trace

UFUNCS: dict[str, str] = {
    "x + y": "x + y",
    "x * 2.0": "x * 2.0",
    "z += y": "z.__iadd__(y)",
    "np.add(x, y)": "np.add(x, y)",
    "np.add(out=)": "np.add(x, y, out=z)",
    "np.tanh(x)": "np.tanh(x)",
    "np.maximum(x, 0)": "np.maximum(x, 0)",
    "x > 0": "x > 0",
    "x @ w": "x @ w",
    "np.matmul(out=)": "np.matmul(x, w, out=z)",
    "x ** 2": "x ** 2",
    "-x": "-x",
    "np.add.reduce(x, axis=0)": "np.add.reduce(x, axis=0)",
    "np.multiply(out=, where=)": "np.multiply(x, y, out=z, where=m)",
    "np.divmod(x, y)": "np.divmod(x, y)",
    "np.frexp(x)": "np.frexp(x)",
    "np.add.at(v, k, 1)": "np.add.at(v, k, 1)",
    "np.add.reduceat(v, i)": "np.add.reduceat(v, i)",
}
"""Calls of ufuncs and operators, as Python."""

FUNCTIONS: dict[str, str] = {
    name: name
    for name in (
        "x.sum()",
        "x.sum(axis=1)",
        "np.sum(x, axis=0, keepdims=True)",
        "x.mean(axis=0)",
        "x.max(axis=1)",
        "x.argmax(axis=1)",
        "np.where(m, x, y)",
        "np.concatenate([x, y])",
        "np.stack([x, y])",
        "np.dot(x, w)",
        "np.outer(v, v)",
        "np.einsum('ij,jk->ik', x, w)",
        "np.clip(x, 0, 1)",
        "np.copyto(z, x)",
        "np.zeros_like(x)",
        "x.copy()",
        "x.astype(np.float64)",
        "x.reshape(-1)",
        "x.T",
        "np.transpose(x)",
        "x[1:3]",
        "x[:, 1]",
        "x[0]",
        "x[0, 0]",
        "x[i]",
        "x[m]",
        "x.__setitem__(slice(1, 3), u)",
        "x.__setitem__(slice(None), 0.0)",
        "x.__setitem__((slice(None), 1), v)",
        "x.__setitem__((0, 0), 1.0)",
        "x.__setitem__(i, u)",
        "np.linalg.norm(x)",
        "np.cumsum(v)",
        "np.argsort(v)",
        "x[i, i]",
        "x[:, i]",
        "x.__setitem__(m, 0.0)",
        "x.__setitem__((i, i), 1.0)",
        "x.real",
        "np.nonzero(m)",
        "np.argwhere(m)",
        "np.compress(b, v)",
        "np.unique(k)",
        "np.bincount(k)",
        "np.repeat(v, k)",
        "np.insert(v, i, u[0, :2])",
        "np.putmask(z, m, 0.0)",
        "np.linalg.qr(s)",
        "np.linalg.svd(s)",
        "np.linalg.eigh(s)",
        "np.linalg.eig(s)",
        "np.linalg.lstsq(s, v)",
    )
}
"""Calls of other functions, methods and indices, as Python."""


def values() -> dict[str, Any]:
    """Return the plain arrays that the calls are about."""
    rng = np.random.default_rng(0)
    x, y, z, w = (np.float32(0.5) * rng.random((4, 4), np.float32) for _ in range(4))
    return {
        "x": x, "y": y, "z": z, "w": w, "u": x[:2].copy(), "v": x[0].copy(),
        "m": x > 0.25, "b": x[0] > 0.25, "i": np.array([0, 2]), "k": np.array([2, 0, 1, 1]),
        "s": np.eye(4, dtype=np.float32) + 0.1,
    }  # fmt: skip


def called(expression: str, names: dict[str, Any]) -> Callable[[int], None]:
    """Return a function that evaluates an expression so many times."""
    made: dict[str, Any] = {"np": np, **names}
    exec(f"def repeat(n):\n for _ in range(n): {expression}", made)
    repeat: Callable[[int], None] = made["repeat"]
    return repeat


def microseconds(
    calls: tuple[Callable[[int], None], ...], repeats: int, number: int
) -> Iterator[float]:
    """Yield the least microseconds of one call of each; they take turns."""
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, found in zip(calls, seconds, strict=True):
            start = time.process_time()
            call(number)
            found.append(time.process_time() - start)
    for found in seconds:
        yield 1e6 * min(found) / number


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--only", default="", help="calls whose text holds this")
    given = parser.parse_args()
    trace = Trace(strict=True)
    plain = values()
    traced = {name: trace.array(value.copy()) for name, value in plain.items()}
    for title, table in (("ufuncs", UFUNCS), ("other functions", FUNCTIONS)):
        print(f"{title:<36}{'traced':>8}{'plain':>8}{'adds':>8}  µs")
        for name, expression in table.items():
            if given.only in name:
                pair = called(expression, traced), called(expression, plain)
                with trace.scope(layer="layer1", phase="forward"):
                    ours, numpys = microseconds(pair, given.repeats, given.calls)
                print(f"{name:<36}{ours:8.2f}{numpys:8.2f}{ours - numpys:8.2f}")


if __name__ == "__main__":
    main()
