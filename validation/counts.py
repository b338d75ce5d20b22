"""A few hundred small programs and every count that the instrument makes of them.

The counts are committed; a test holds the instrument to them, and :mod:`validation.mutation` asks
of every small change to the source whether it would be noticed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import instrumented
from instrumented.rules.ufunc_work import ELEMENT_WORK
from validation.xla_cases import ONE_ARRAY, PRODUCTS, TWO_ARRAYS

FIGURES = Path(__file__).parent / "counts.json"
COLUMNS = ["calls", "flops_add", "flops_multiply", "flops_special", "bytes_read", "bytes_written"]
CAPACITIES = (64, 256, 1024, 4096)


def indexed(m: Any, x: Any) -> Any:
    """Views, gathers, scatters, masks and stores."""
    i = np.array([0, 2, 2])
    y = x.copy()
    y[i] = x[i] + 1
    y[1:3] = 0
    y[y > 1] *= 2
    y[0] += x[-1]
    y[..., ::-1] -= x
    return y[x > 1].sum() + y[i].T.sum() + x[0].max()


def targets(m: Any, x: Any) -> Any:
    """``out=``, ``where=``, ufunc methods."""
    y = m.zeros_like(x)
    m.add(x, x, out=y)
    m.multiply(x, 2, out=y, where=x > 1)
    m.add.at(y, np.array([0, 1, 1]), 1)
    m.add.reduce(x, axis=0, out=y[0] if x.ndim > 1 else None)
    m.copyto(y, x)
    m.copyto(y, x, where=x > 1)
    y += x
    y **= 2
    return m.add.accumulate(x).sum() + m.multiply.outer(x, x[:1]).sum()


def scalars(m: Any, x: Any) -> Any:
    """Arithmetic of elements."""
    s = x.reshape(-1)[0] * 2 + x.sum()
    s += 1
    return abs(-s) ** 2 / 3 - s // 2 + s % 2


def square(m: Any, x: Any) -> Any:
    """A well-conditioned square matrix made of any array."""
    n = x.shape[0]
    return x.reshape(n, -1) @ x.reshape(n, -1).T + m.eye(n) * 10


FACTORED: dict[str, Callable[..., Any]] = {
    **{
        f"linalg.{name}": (lambda m, x, name=name: getattr(m.linalg, name)(square(m, x)))
        for name in "inv det slogdet cholesky qr svd svdvals eigh eigvalsh eig eigvals pinv "
        "matrix_rank cond matrix_norm".split()
    },
    "linalg.solve": lambda m, x: m.linalg.solve(square(m, x), x),
    "linalg.lstsq": lambda m, x: m.linalg.lstsq(square(m, x), x, rcond=None)[0],
    "linalg.matrix_power": lambda m, x: m.linalg.matrix_power(square(m, x), 5),
    "linalg.multi_dot": lambda m, x: m.linalg.multi_dot([square(m, x)] * 3),
    **{
        f"fft.{name}": (lambda m, x, name=name: getattr(m.fft, name)(x))
        for name in "fft ifft rfft fft2 fftn fftshift".split()
    },
    **{
        name: (lambda m, x, name=name: getattr(m, name)(x))
        for name in "nanmean nanvar nanstd average cov corrcoef gradient unique flatnonzero".split()
    },
    "percentile": lambda m, x: m.percentile(x, [25, 50]),
    "partition": lambda m, x: m.partition(x, 1),
    "argpartition": lambda m, x: m.argpartition(x, 1),
    "convolve": lambda m, x: m.convolve(x.ravel(), x.ravel()[:3]),
    "interp": lambda m, x: m.interp(x.ravel(), [0.0, 1.0, 2.0], [1.0, 2.0, 4.0]),
    "histogram": lambda m, x: m.histogram(x, bins=3),
    "bincount": lambda m, x: m.bincount(x.astype(int).ravel()),
    "digitize": lambda m, x: m.digitize(x, [0.5, 1.5]),
    "searchsorted": lambda m, x: m.searchsorted(m.sort(x.ravel()), x),
    "isin": lambda m, x: m.isin(x, [1, 2]),
    "select": lambda m, x: m.select([x > 1, x > 2], [x, x * 2], 0),
    "lexsort": lambda m, x: m.lexsort((x.ravel(), x.ravel())),
    "cross": lambda m, x: m.cross(x.ravel()[:3], x.ravel()[1:4]),
    "kron": lambda m, x: m.kron(x, x),
    "einsum of three": lambda m, x: m.einsum("i,j,k->ik", *[x.ravel()] * 3),
}

PROGRAMS: dict[str, Callable[..., Any]] = {
    "indexed": indexed,
    "targets": targets,
    "scalars": scalars,
    **ONE_ARRAY,
    **FACTORED,
}


def counts() -> dict[str, list[Any]]:
    """Return every count of every program; an exception counts by its type."""
    found: dict[str, list[Any]] = {}
    random = np.random.default_rng(1)

    def note(name: str, call: Callable[..., Any], *operands: np.ndarray) -> None:
        trace = instrumented.Trace(record=True)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                call(np, *(trace.array(operand) for operand in operands))
            found[name] = [_rows(trace), len(trace.events)]
        except Exception as error:  # noqa: BLE001 - a mutant may fail in any way
            found[name] = [type(error).__name__]

    for shape in ((4, 3), (5,)):
        for dtype in ("float32", "int64"):
            x, y = ((random.random(shape) * 3).astype(dtype) for _ in "xy")
            kind = f" {shape} {dtype}"
            for name, call in PROGRAMS.items():
                note(name + kind, call, x)
            for name, call in TWO_ARRAYS.items():
                note(name + kind, call, x, y)
            for name in sorted(ELEMENT_WORK):
                ufunc = getattr(np, name, None)
                if isinstance(ufunc, np.ufunc):
                    note(name + kind, lambda m, *a, u=ufunc: u(*a), *(x, y)[: ufunc.nin])
    for name, (call, *shapes) in PRODUCTS.items():
        note(name, call, *(random.random(shape).astype("float32") for shape in shapes))
    found["steps"] = _steps()
    back: dict[str, list[Any]] = json.loads(json.dumps(found))  # tuples as lists, as read back
    return back


def _rows(trace: instrumented.Trace) -> list[list[Any]]:
    """Every distinct operation: its name, calls, and the counts of one call."""
    return [
        [
            *(entry.operation.name, entry.operation.kind, entry.calls),
            *(entry.operation.work.add, entry.operation.work.multiply),
            *(entry.operation.work.special, len(entry.operation.reads)),
            *(entry.operation.traffic.bytes_read, entry.operation.traffic.bytes_written),
        ]
        for entry in trace.ledger.entries
    ]


def _steps() -> list[Any]:
    """Three like steps of a small network, at every grain, eager and fused."""
    try:
        trace = instrumented.Trace(record=True)
        w = trace.array(np.ones((48, 40), np.float32), role="weight", name="w")
        for _ in range(3):
            with trace.step("step"), trace.scope(layer="layer1", phase="forward"):
                x = trace.made(np.ones((36, 48), np.float32), role="data")
                with trace.fuse("relu"):
                    h = np.maximum(x @ w, 0)
                    h /= np.linalg.norm(h, axis=1, keepdims=True) + 1
                w -= x.T @ h * 0.1
        found: list[Any] = [trace.signatures[0].digest, trace.by_role()[COLUMNS].sum().tolist()]
        for grain in ("operation", "tile"):
            for fused in (False, True):
                one = instrumented.analyse(trace, grain=grain, fused=fused)
                levels = one.levels(CAPACITIES)
                found += [
                    one.total_bytedmd,
                    one.misses(CAPACITIES).tolist(),
                    levels[["bytes_read", "bytes_written"]].to_numpy().tolist(),
                ]
        live = instrumented.analyse_live(trace.events, trace.buffers)
        found += [live.peak_bytes, live.peak_activation_bytes]
    except Exception as error:  # noqa: BLE001 - a mutant may fail in any way
        return [type(error).__name__]
    else:
        return found


def committed() -> dict[str, list[Any]]:
    """Read the committed counts."""
    read: dict[str, list[Any]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return read


def write() -> None:
    """Commit the counts of the instrument as it is."""
    lines = [f"{json.dumps(name)}: {json.dumps(rows)}" for name, rows in counts().items()]
    FIGURES.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
