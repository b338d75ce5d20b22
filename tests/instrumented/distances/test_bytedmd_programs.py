"""Random NumPy programs: tracked object arrays against explicit loops over value numbers.

The twin never touches an object array: it moves arrays of value numbers, spells out the loops of
each operation, and prices the instructions on a Python list.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrumented.distances.scalar_grain import bytedmd_trace

CONSTANT = -1


class Twin:
    """Instructions as (values read, value written) over int64 arrays of value numbers."""

    def __init__(self, shapes):
        self.instructions = []
        self.count = 0
        arrays = []
        for shape in reversed(shapes):
            size = int(np.prod(shape))
            arrays.append(np.arange(self.count, self.count + size).reshape(shape))
            self.count += size
        self.preload = list(range(self.count))
        self.arrays = arrays[::-1]

    def do(self, *reads):
        self.instructions.append(([r for r in reads if r != CONSTANT], self.count))
        self.count += 1
        return self.count - 1

    def elementwise(self, *operands):
        # nditer walks and allocates in the order that NumPy's elementwise loops do.
        flags = [["readonly"]] * len(operands) + [["writeonly", "allocate"]]
        walk = np.nditer([*operands, None], op_flags=flags, order="K")
        for *reads, result in walk:
            result[...] = self.do(*(int(read) for read in reads))
        return walk.operands[-1]

    def power(self, array, constant):
        return self.elementwise(array, np.array(constant))

    def matmul(self, left, right):
        result = np.empty((left.shape[0], right.shape[1]), np.int64)
        for i, j in np.ndindex(result.shape):
            total = self.do(int(left[i, 0]), int(right[0, j]))
            for k in range(1, left.shape[1]):
                total = self.do(total, self.do(int(left[i, k]), int(right[k, j])))
            result[i, j] = total
        return result

    def total(self, array):
        values = [int(value) for value in np.ascontiguousarray(array).flat]
        running = values[0]
        for value in values[1:]:
            running = self.do(running, value)
        return np.array(running)

    def sum(self, array, axis):
        array = np.ascontiguousarray(array)
        if axis == 1:  # each row to its end
            return np.array([int(self.total(row)) for row in array])
        running = array[0].copy()
        for row in array[1:]:  # each row into all the sums
            for column, value in enumerate(row):
                running[column] = self.do(int(running[column]), int(value))
        return running

    def price(self, results):
        last = {}
        for time, (reads, written) in enumerate(self.instructions):
            last.setdefault(written, time)
            for read in reads:
                last[read] = time
        for value in np.ravel(results).tolist():
            last[value] = len(self.instructions)
        stack = [value for value in self.preload if value in last]
        distances = []
        for time, (reads, written) in enumerate(self.instructions):
            distances += [len(stack) - stack.index(read) for read in reads]
            for read in dict.fromkeys(reads):
                stack.remove(read)
                stack.append(read)
            stack.append(written)
            stack = [value for value in stack if last[value] > time]
        return distances


SQUARE = {
    "{x} + {y}": lambda t, x, y: t.elementwise(x, y),
    "{x} * {y}": lambda t, x, y: t.elementwise(x, y),
    "{x} - {x}": lambda t, x, y: t.elementwise(x, x),
    "{x} / ({y} + 7.0)": lambda t, x, y: t.elementwise(x, t.power(y, CONSTANT)),
    "{x} * 0.9": lambda t, x, y: t.power(x, CONSTANT),
    "{x} ** 2": lambda t, x, y: t.power(x, CONSTANT),
    "-{x}": lambda t, x, y: t.elementwise(x),
    "abs({x})": lambda t, x, y: t.elementwise(x),
    "np.sqrt(abs({x}))": lambda t, x, y: t.elementwise(t.elementwise(x)),
    "np.tanh({x})": lambda t, x, y: t.elementwise(x),
    "np.square({x})": lambda t, x, y: t.elementwise(x, x),
    "{x} @ {y}": lambda t, x, y: t.matmul(x, y),
    "{x}.T @ {y}": lambda t, x, y: t.matmul(x.T, y),
    "np.dot({x}, {y}.T)": lambda t, x, y: t.matmul(x, y.T),
    "{x}.T": lambda t, x, y: x.T,
    "{x}[::-1]": lambda t, x, y: x[::-1],
    "{x}.reshape(-1).reshape({x}.shape)": lambda t, x, y: x.reshape(-1).reshape(x.shape),
    "np.concatenate([{x}, {y}])[1:1 + len({x})]": (
        lambda t, x, y: np.concatenate([x, y])[1 : 1 + len(x)]
    ),
    "{x} - np.ascontiguousarray({y}).sum(axis=0)": (
        lambda t, x, y: t.elementwise(x, t.sum(y, axis=0))
    ),
    "{x} - np.ascontiguousarray({y}).sum(axis=1)[:, None]": (
        lambda t, x, y: t.elementwise(x, t.sum(y, axis=1)[:, None])
    ),
    "{x} - np.ascontiguousarray({y}).sum()": lambda t, x, y: t.elementwise(x, t.total(y)),
    "{x} * np.ascontiguousarray({y}).mean(axis=0)": (
        lambda t, x, y: t.elementwise(x, t.power(t.sum(y, axis=0), CONSTANT))
    ),
    "{x} + {y}[0]": lambda t, x, y: t.elementwise(x, y[0]),
    "{x} + {y}[:, :1]": lambda t, x, y: t.elementwise(x, y[:, :1]),
    "np.outer({x}[0], {y}[:, 0])": (lambda t, x, y: t.elementwise(x[0][:, None], y[:, 0][None, :])),
}
steps_of = st.lists(
    st.tuples(st.sampled_from(sorted(SQUARE)), st.integers(0, 20), st.integers(0, 20)),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 4), steps_of)
def test_random_programs_equal_their_explicit_loops(n, steps):
    lines, names = [], ["v0", "v1"]
    twin = Twin([(n, n), (n, n)])
    values = twin.arrays
    for template, first, second in steps:
        x, y = first % len(values), second % len(values)
        lines.append(f"    v{len(values)} = " + template.format(x=f"v{x}", y=f"v{y}"))
        names.append(f"v{len(values)}")
        values.append(SQUARE[template](twin, values[x], values[y]))
    source = "def program(v0, v1):\n" + "\n".join(lines) + f"\n    return {names[-1]}"
    scope = {"np": np}
    exec(source, scope)
    arguments = np.random.default_rng(0).random((2, n, n)) + 0.1
    with np.errstate(all="ignore"):
        distances = bytedmd_trace(scope["program"], list(arguments))
    assert distances.tolist() == twin.price(values[-1]), source


@pytest.mark.parametrize(
    ("m", "k", "n"), list(itertools.product((1, 2, 3, 5), (1, 2, 4), (1, 3, 4)))
)
def test_matmul_of_every_shape(m, k, n):
    twin = Twin([(m, k), (k, n)])
    expected = twin.price(twin.matmul(*twin.arrays))
    arrays = (np.ones((m, k)), np.ones((k, n)))
    assert bytedmd_trace(lambda a, b: a @ b, arrays).tolist() == expected
    assert bytedmd_trace(np.dot, arrays).tolist() == expected
    assert bytedmd_trace(lambda a, b: np.einsum("ij,jk->ik", a, b), arrays).size > 0


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 2), (1, 4), (4, 1)])
def test_reductions_over_any_axis_read_each_element_once(shape):
    array = np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    for axis in (None, *range(len(shape)), tuple(range(len(shape)))):
        outputs = np.sum(array, axis=axis).size
        for reduce in (np.sum, np.prod):
            # n elements into m results: n − m instructions of two reads.
            reads = bytedmd_trace(lambda a, f=reduce, axis=axis: f(a, axis=axis), (array,)).size
            assert reads == 2 * (array.size - outputs)
        reads = bytedmd_trace(lambda a, axis=axis: a.mean(axis=axis), (array,)).size
        assert reads == 2 * (array.size - outputs) + outputs
        # A maximum compares and then looks at the outcome.
        reads = bytedmd_trace(lambda a, axis=axis: a.max(axis=axis), (array,)).size
        assert reads == 3 * (array.size - outputs)


def test_stacked_matmul_and_products():
    stack = (np.ones((2, 2, 3)), np.ones((2, 3, 2)))
    assert bytedmd_trace(np.matmul, stack).size == 2 * (2 * 2) * (2 * 3 + 2 * 2)
    vectors = (np.ones((2, 4)), np.ones((2, 4)))
    assert bytedmd_trace(np.vecdot, vectors).size == 2 * (2 * 4 + 2 * 3) + vectors[0].size
    assert bytedmd_trace(np.inner, vectors).size == 4 * (2 * 4 + 2 * 3)
