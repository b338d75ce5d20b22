"""Nests by hand: which loops operations run, what is a product, what is a data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instrumented import Trace
from instrumented.lowering.cuts import ATOM, Atom
from instrumented.lowering.lower import lower
from instrumented.lowering.nest import Lowering, Nest, data_sets
from instrumented.lowering.table import NestColumn

Program = Callable[..., object]
ONE = Atom(1, 1, 1, 1)


def traced(program: Program, *shapes: tuple[int, ...]) -> Trace:
    trace = Trace(record=True)
    program(*(trace.array(np.ones(shape, np.float32)) for shape in shapes))
    return trace


def last_nests(trace: Trace) -> list[Nest]:
    """Return the nests of the last operation at tile grain."""
    return Lowering(data_sets(trace.events), one_instruction=False).of(trace.events[-1])


def stack_of_einsum(x: Any, y: Any) -> Any:
    return np.einsum("amk,akn->amn", x, y)


def folded_alone(x: Any, y: Any) -> Any:
    return np.einsum("ija,jk->ik", x, y)


@pytest.mark.parametrize(
    ("program", "shapes", "atom", "outer", "tiles"),
    [
        (np.matmul, [(32, 48), (48, 16)], ATOM, [], [2, 1, 3]),
        (np.matmul, [(32, 48), (48,)], ATOM, [], [2, 1, 3]),  # a vector has one column
        (np.matmul, [(32,), (32, 48)], ATOM, [], [1, 3, 2]),
        (np.matmul, [(2,), (2, 3)], ONE, [], [1, 3, 2]),
        (np.matmul, [(1, 2), (2, 3)], ONE, [], [1, 3, 2]),
        (np.matmul, [(3, 32, 48), (3, 48, 16)], ATOM, [3], [2, 1, 3]),
        (np.matmul, [(3, 32, 48), (48, 16)], ATOM, [3], [2, 1, 3]),  # matrix after matrix
        (np.matmul, [(32, 1, 48), (48, 16)], ATOM, [1], [2, 1, 3]),  # unless each is one row
        (np.matmul, [(2, 1, 48), (48, 16)], ATOM, [1], [1, 1, 3]),
        # a tile is one of 3 times 16 of 32 rows; 16 of 32 times the one; both; 4 of 5 times all 4
        (np.dot, [(3, 32, 48), (48, 16)], ATOM, [], [3 * 2, 1, 3]),
        (np.dot, [(32, 1, 48), (48, 16)], ATOM, [], [2 * 1, 1, 3]),
        (np.dot, [(2, 1, 48), (48, 16)], ATOM, [], [1, 1, 3]),
        (np.dot, [(5, 4, 48), (48, 16)], ATOM, [], [2 * 1, 1, 3]),
        # of 200 rows 3 of 20 times 5 of 10 are fewer than all 20 times 10, and 13 at the least
        (np.dot, [(20, 10, 48), (48, 16)], ATOM, [], [7 * 2, 1, 3]),
        # of 1,040, 65 tiles at the least, 2 of 16 times 8 of 65: 73 may be
        (np.dot, [(16, 65, 48), (48, 16)], ATOM, [], [8 * 9, 1, 3]),
        # of 114, 8 tiles at the least: 9 of one times 16 of 38 may be; of 100, 7: 8 may not, and
        # all 4 times 4 of 25 are 7
        (np.dot, [(3, 38, 48), (48, 16)], ATOM, [], [3 * 3, 1, 3]),
        (np.dot, [(4, 25, 48), (48, 16)], ATOM, [], [1 * 7, 1, 3]),
        (np.dot, [(32, 48), (3, 48, 16)], ATOM, [], [2, 3 * 1, 3]),  # columns of a stack
        # a stack of one matrix is none
        (stack_of_einsum, [(3, 32, 48), (3, 48, 16)], ATOM, [3], [2, 1, 3]),
        (stack_of_einsum, [(3, 32, 48), (1, 48, 16)], ATOM, [], [3 * 2, 1, 3]),
        (np.tensordot, [(32, 2, 48), (2, 48, 16)], ATOM, [], [2, 1, 2 * 3]),  # two loops are folded
        # one of them of the left operand alone: all 16 times one of 3
        (folded_alone, [(32, 16, 3), (16, 16)], ATOM, [], [2, 1, 1 * 3]),
    ],
)
def test_a_contraction_is_a_product_in_tiles(
    program: Program, shapes: list[tuple[int, ...]], atom: Atom, outer: list[int], tiles: list[int]
) -> None:
    trace = traced(program, *shapes)
    table = lower(trace.events, trace.buffers, grain="tile", atom=atom)
    (nest,) = table.nests
    assert nest[NestColumn.PRODUCT] == 1
    assert nest[[NestColumn.M, NestColumn.N, NestColumn.K]].tolist() == tiles
    assert table.radix.tolist() == outer


@pytest.mark.parametrize(
    ("program", "shapes", "loops"),
    [
        # no rows and no columns; an index that occurs twice; three operands
        (np.vecdot, [(3, 4), (3, 4)], [(3, 4)]),
        (lambda x, y: np.einsum("ii,ij->ij", x, y), [(4, 4), (4, 3)], [(4, 4), (4, 3), (4, 3)]),
        (
            lambda x, mask: np.add.reduce(x, axis=1, where=mask > 0),
            [(4, 3), (3,)],
            [(4, 3)],
        ),
    ],
)
def test_other_operations_are_no_products(
    program: Program, shapes: list[tuple[int, ...]], loops: list[tuple[int, ...]]
) -> None:
    found = last_nests(traced(program, *shapes))
    assert [nest.loops for nest in found] == loops
    assert not any(nest.product for nest in found)


@pytest.mark.parametrize(
    ("program", "shape", "kept"),
    [
        (lambda x: np.linalg.svd(x, compute_uv=False), (2, 4, 3), [(0, 2)]),
        (np.linalg.eigvals, (2, 3, 3), [(0, 1)]),
        (np.linalg.det, (5, 3, 3), [(0,)]),
        (lambda x: np.histogram(x, 3, (0, 1)), (2, 6), [(), (0,), (0,)]),  # no loop of three
    ],
)
def test_a_result_is_kept_along_the_first_loops_of_its_extents(
    program: Program, shape: tuple[int, ...], kept: list[tuple[int, ...]]
) -> None:
    found = last_nests(traced(program, shape))
    assert [nest.writes[0].axes if nest.writes else () for nest in found] == kept


@pytest.mark.parametrize(
    "program", [lambda x: x[:0].sum(axis=0), lambda x: x[:, :0] @ x[:0], lambda x: x[:0] * 2.0]
)
def test_an_operation_on_nothing_reads_nothing(program: Program) -> None:
    found = last_nests(traced(program, (4, 3)))
    assert [nest.reads for nest in found] == [()] * len(found)


def test_a_sum_along_an_axis_of_one_has_as_many_blocks_as_its_row() -> None:
    trace = traced(lambda x: x.sum(axis=0), (1, 600))
    table = lower(trace.events, trace.buffers, grain="tile")
    assert table.nests[:, NestColumn.COUNT].tolist() == [3]  # of 256 elements


def image(trace: Trace, *others: Program) -> set[int]:
    """Return the data sets among images (0) and an index (1) that gathers, after other uses."""
    x = trace.array(np.ones((4, 2), np.float32), role="data")
    index = trace.array(np.array([1, 0]))
    np.take(x, index, axis=0)
    for other in others:
        other(x, index)
    return data_sets(trace.events)


def store(x: Any, index: Any) -> None:
    x[0] = 1.0


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda x, index: None, {0}),
        (lambda x, index: x.escape(), {0}),
        (lambda x, index: x + 1, set()),
        (store, set()),
        (lambda x, index: index[index], {0}),  # what says where is no data set
        (lambda x, index: index.escape(), {0}),
    ],
)
def test_a_data_set_is_only_gathered_from(use: Program, expected: set[int]) -> None:
    assert image(Trace(record=True), use) == expected


def test_a_data_set_that_leaves_is_read_whole() -> None:
    trace = Trace(record=True)
    image(trace, lambda x, index: x.escape())
    *_, escaped = lower(trace.events, trace.buffers).operands
    assert escaped[1].nbytes == 32
