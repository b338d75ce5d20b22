"""The scalar grain against figures of the published ByteDMD and hand-worked ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from instrumented.distances.bytedmd import bytedmd_cost
from instrumented.distances.scalar_grain import bytedmd, bytedmd_trace

ORACLES = json.loads((Path(__file__).parents[2] / "oracles" / "bytedmd.json").read_text())


def test_every_oracle_is_here():
    assert len(ORACLES) == 30


@pytest.mark.parametrize(
    "row", ORACLES, ids=[f"{index}-{row['program'][:40]}" for index, row in enumerate(ORACLES)]
)
def test_equals_the_published_reference(row):
    program = eval(row["program"], {"np": np})  # noqa: S307 - our own file of lambdas
    arguments = [
        np.arange(1, 1 + int(np.prod(shape)), dtype=float).reshape(shape) for shape in row["shapes"]
    ]
    distances = bytedmd_trace(program, arguments)
    head = row["trace_head"]
    assert distances.dtype == np.int64
    assert len(distances) == row["reads"]
    assert distances[: len(head)].tolist() == head
    for size, cost in row["cost"].items():
        assert bytedmd(program, arguments, int(size)) == cost
        assert bytedmd_cost(distances * int(size), int(size)) == cost


@pytest.mark.parametrize(("size", "cost"), [(1, 6), (2, 14), (4, 38)])
def test_sum_of_three(size, cost):
    # a@1 b@2, then t@1 c@2; at 2 bytes: 1+2 + 2+2 twice.
    assert bytedmd_trace(lambda a, b, c: (a + b) + c, (1, 2, 3)).tolist() == [1, 2, 1, 2]
    assert bytedmd(lambda a, b, c: (a + b) + c, (1, 2, 3), bytes_per_element=size) == cost


def test_a_repeated_operand_is_read_twice_where_it_was():
    assert bytedmd_trace(lambda a: a + a, (5,)).tolist() == [1, 1]


def test_dot_of_lists():
    def dot(a, b):
        return sum(x * y for x, y in zip(a, b, strict=True))

    # a0@2 b0@4, 0+t@1, a1@2 b1@3, s@2 t@1: 2+2 + 1 + 2+2 + 2+1 = 12.
    assert bytedmd(dot, ([0, 1], [2, 3])) == 12
    assert bytedmd_trace(dot, ([0, 1], [2, 3])).tolist() == [2, 4, 1, 2, 3, 2, 1]


@pytest.mark.parametrize(
    ("n", "matvec", "vecmat", "matmul"),
    [(2, 26, 25, 57), (4, 157, 150, 720), (8, 896, 832, 8867), (16, 5354, 4688, 109783)],
)
def test_published_table_of_linear_algebra(n, matvec, vecmat, matmul):
    square, vector = np.ones((n, n)), np.ones(n)
    assert bytedmd(lambda a, x: a @ x, (square, vector)) == matvec
    assert bytedmd(lambda a, x: x @ a, (square, vector)) == vecmat
    assert bytedmd(lambda a, b: a @ b, (square, square.copy())) == matmul


def test_addition_commutes_in_cost():
    arrays = (np.ones((2, 3)), np.ones((2, 3)))
    assert bytedmd(lambda a, b: a + b, arrays) == bytedmd(lambda a, b: b + a, arrays)


def test_divmod_gives_two_values():
    def program(a, b):
        quotient, remainder = divmod(a, b)
        return quotient + remainder + a

    # a@1 b@2; b dies, r on q on a: q@2 r@1; t@1 a@2.
    assert bytedmd_trace(program, (10, 3)).tolist() == [1, 2, 2, 1, 1, 2]
