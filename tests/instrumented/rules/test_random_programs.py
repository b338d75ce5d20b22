"""Random NumPy programs: the same values traced and untraced, and the counts of a slow counter.

The slow counter knows nothing of the instrument. It runs the program on plain arrays and, for
every operation, counts by the definition: the set of byte addresses under each operand, and one
loop over every scalar operation.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import instrumented
from instrumented import Traffic


def addresses(array: np.ndarray) -> set[int]:
    start = array.__array_interface__["data"][0]
    return {
        start + sum(i * s for i, s in zip(index, array.strides, strict=True)) + byte
        for index in itertools.product(*map(range, array.shape))
        for byte in range(array.itemsize)
    }


@dataclass
class Slow:
    bytes_read: int = 0
    bytes_written: int = 0
    flops: int = 0
    kept: list[np.ndarray] = field(default_factory=list)

    def count(self, reads, writes, flops=0):
        self.bytes_read += sum(len(addresses(array)) for array in reads)
        self.bytes_written += sum(len(addresses(array)) for array in writes)
        self.flops += flops


def elements(array) -> int:
    return sum(1 for _ in itertools.product(*map(range, array.shape)))


SHAPES = [(3, 4), (4,), (1, 4), (3, 1), ()]
UNARY = [np.negative, np.exp, np.sqrt, np.square, np.tanh, np.absolute]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.divide]


def unary(name):
    def run(x, y, slow):
        result = name(x)
        if slow:
            slow.count([x], [result], elements(result))
        return result

    return run


def binary(name):
    def run(x, y, slow):
        result = name(x, y)
        if slow:
            slow.count([x, y], [result], elements(result))
        return result

    return run


def in_place(x, y, slow):
    """Adds a broadcast operand to x in place, through a fresh copy so that shapes fit."""
    target = np.copy(x)
    if slow:
        slow.count([x], [target])
    other = y if np.broadcast_shapes(target.shape, y.shape) == target.shape else target
    target += other
    if slow:
        slow.count([target, other], [target], elements(target))
    return target


def fold(x, y, slow):
    if x.ndim == 0:
        return x
    result = np.sum(x, axis=-1)
    if slow:
        lines = list(itertools.product(*map(range, x.shape[:-1])))
        slow.count([x], [np.asarray(result)], sum(x.shape[-1] - 1 for _ in lines))
        return np.asarray(result)
    return result


def contract(x, y, slow):
    if x.ndim != 2 or y.ndim != 2:
        return x
    result = x @ y.T if x.shape[1] == y.shape[1] else x @ x.T
    if slow:
        right = y.T if x.shape[1] == y.shape[1] else x.T
        flops = sum(
            2 for _ in itertools.product(range(x.shape[0]), range(right.shape[1]),
                                         range(x.shape[1]))
        )  # fmt: skip
        slow.count([x, right], [result], flops)
    return result


def transpose(x, y, slow):
    return x.T


def slice_(x, y, slow):
    return x[::-1] if x.ndim else x


def rows(x, y, slow):
    return x[:1] if x.ndim else x


def broadcast(x, y, slow):
    return np.broadcast_to(x, (2, *x.shape)) if x.ndim == 1 else x


def flatten(x, y, slow):
    result = np.reshape(x, -1)
    if slow and not np.may_share_memory(result, x):
        slow.count([x], [result])
    return result[:4] if result.shape[0] >= 4 else x


def join(x, y, slow):
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        return x
    result = np.concatenate([x, y])
    if slow:
        slow.count([x, y], [result])
    return result[:3]


def select(x, y, slow):
    mask = np.greater(x, 1.0)
    result = np.where(mask, x, 0.5)
    if slow:
        slow.count([x], [mask], elements(x))
        slow.count([mask, x], [result], elements(x))
        return np.asarray(result)
    return result


STEPS = [
    *map(unary, UNARY), *map(binary, BINARY),
    in_place, fold, contract, transpose, slice_, rows, broadcast, flatten, join, select,
]  # fmt: skip

programs = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12
)


def run(program, arrays, slow=None):
    values = list(arrays)
    for step, i, j in program:
        x, y = values[i % len(values)], values[j % len(values)]
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            y = x
        result = step(x, y, slow)
        values.append(np.asarray(result) if slow else result)
    return values


@np.errstate(all="ignore")
@settings(max_examples=300, deadline=None)
@given(programs, st.sampled_from([np.float32, np.float64]), st.integers(0, 5))
def test_values_and_counts(program, dtype, seed):
    rng = np.random.default_rng(seed)
    plain = [(rng.random(shape) * 2).astype(dtype) for shape in SHAPES]
    plain = [np.asarray(array) for array in plain]
    slow = Slow()
    expected = run(program, [array.copy() for array in plain], slow)

    for record in (False, True):
        trace = instrumented.Trace(strict=True, record=record)
        got = run(program, [trace.array(array.copy()) for array in plain])
        for want, have in zip(expected, got, strict=True):
            np.testing.assert_array_equal(have._array, want, strict=True)
            assert have.strides == want.strides or have.size <= 1
        assert trace.traffic == Traffic(slow.bytes_read, slow.bytes_written)
        assert trace.work.flops == slow.flops
        frame = trace.by_role()
        assert frame["bytes_read"].sum() == slow.bytes_read
