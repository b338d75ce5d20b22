"""Fusion scopes as kernels: tile by tile where nests are cut alike, nothing before it is made."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace, analyse
from instrumented.lowering.lower import lower
from instrumented.lowering.table import NestColumn


@pytest.mark.parametrize("size", [1530, 400, 217, 64])
def test_an_optimizer_moves_the_same_whatever_its_blocks(size: int) -> None:
    """Blocks begin and end inside rows of the weights, and share one scratch array."""
    trace = Trace(strict=True, record=True)
    values = trace.array(np.ones(51 * 30, np.float32), role="weight")
    gradient = trace.array(np.ones(51 * 30, np.float32), role="gradient")
    moment = trace.array(np.ones(51 * 30, np.float32), role="optimizer_state")
    scratch = trace.array(np.ones(size, np.float32), role="temporary")
    x = trace.array(np.ones((20, 50), np.float32), role="activation")
    for _ in range(5):
        with trace.step("s"):
            with trace.scope(phase="forward"):
                h = x @ values[:-30].reshape(50, 30)
                np.matmul(x.T, h, out=gradient[:-30].reshape(50, 30))
                gradient[-30:] = 1
            for start in range(0, values.size, size):
                w, g, m = (a[start : start + size] for a in (values, gradient, moment))
                with trace.fuse("update"), trace.scope(phase="optimizer"):
                    m *= 0.9
                    m += g
                    t = np.square(m, out=scratch[: w.size])
                    t += 1e-8
                    np.divide(g, t, out=t)
                    t *= 0.5
                    w -= t
    moved = analyse(trace, grain="tile", atom=8, fused=True).traffic
    update = moved[moved["phase"] == "optimizer"]
    # weights, gradient and moment once each; weights and moment come back, the scratch never does
    assert update["bytes_read"].sum() == 3 * values.nbytes
    assert update["bytes_written"].sum() == 2 * values.nbytes
    assert "temporary" not in set(update.loc[update["bytes_read"] > 0, "role"])


def normalise(x, y):
    scale = np.sqrt(np.vecdot(x, x))
    return x * scale[:, None]


def bias_and_relu(x, y):
    h = x @ y.T
    h += 1.5
    return np.maximum(h, 0, out=h)


def stack_times_matrix(x, y):
    h = np.dot(x.reshape(6, 8, 32), y.T)
    h += 1.5
    return np.maximum(h, 0, out=h)


def matrix_times_stack(x, y):
    """Rows lie between the two loops of its columns."""
    h = np.einsum("ij,akj->aik", y, x.reshape(3, 16, 32))
    h += 1.5
    return np.maximum(h, 0, out=h)


def matrix_times_vector(x, y):
    h = x @ y[0]
    h += 1.5
    return h


def sums_of_a_product(x, y):
    h = x @ y.T
    sums = h.sum(axis=0)
    sums *= 2
    return h, sums


def made_for_a_product(x, y):
    """The product reads what its operand is made from: it need not wait."""
    delta = x * y
    return delta.T @ y, delta.sum(axis=0)


def reversed_rows(x, y):
    t = x + y
    back = t[::-1] * 2.0
    ahead = t * 2.0
    return back + ahead


def one_row_and_two(x, y):
    """Cleared rows are there tile by tile, as soon as what is added to them."""
    return [np.zeros_like(x[:rows]) + y[:rows] for rows in (1, 2)]


@pytest.mark.parametrize(
    ("program", "stages", "follow"),
    [
        (normalise, [0, 1, 2], []),  # a row's sum is there after its last tile
        (bias_and_relu, [0, 0, 0], [1, 2]),
        (stack_times_matrix, [0, 0, 0], [1, 2]),
        (matrix_times_stack, [0, 0, 0], [1, 2]),
        (matrix_times_vector, [0, 1], []),  # no loop of one column follows
        (sums_of_a_product, [0, 0, 1], [1]),
        (made_for_a_product, [0, 0, 0], []),
        (one_row_and_two, [0, 0, 0, 0], []),
        (reversed_rows, [0, 1, 0, 2], []),  # the last result takes over t
    ],
)
def test_nothing_runs_before_what_it_needs_is_made(program, stages, follow) -> None:
    trace = Trace(strict=True, record=True)
    x, y = (trace.array(np.ones((48, 32), np.float32), role="weight") for _ in "xy")
    with trace.fuse("scope"):
        kept = program(x, y)
    table = lower(trace.events, trace.buffers, grain="tile", scopes=None)
    assert kept is not None
    assert table.places[:, 0].astype(int).tolist() == stages
    assert np.flatnonzero(table.nests[:, NestColumn.FOLLOWS] >= 0).tolist() == follow


def test_what_follows_a_product_works_on_the_tile_that_is_made() -> None:
    """Also where the result lies transposed."""

    def cost(subscripts: str) -> int:
        trace = Trace(record=True)
        x, y = (trace.array(np.ones((48, 32), np.float32), role="weight") for _ in "xy")
        for _ in range(3):
            with trace.step("s"), trace.fuse("scope"):
                h = np.einsum(subscripts, x, y)
                h += 1.5
        return analyse(trace, grain="tile", fused=True).total_bytedmd

    assert cost("ij,kj->ki") == cost("ij,kj->ik")


def test_streams_side_by_side_take_turns() -> None:
    trace = Trace(record=True)
    a, b = (trace.array(np.ones((64, 16), np.float32)) for _ in "ab")  # 4 tiles of 1 KiB each
    for _ in range(3):
        with trace.step("s"):
            np.concatenate([a, b]).sum()
    # a0 c0 a1 c1 … b3 c7, then c0 … c7 are read and die at once: c0 lies under a1 c1 … c7, 15 tiles
    # deep, c1 13, then 11, 9, 7, 5, 3 and 1, and the sum that c7 is added to lies above it; a0 lies
    # under a1 … b3, 8 deep, a1 with a0 and c0 above it 9, all others deeper
    misses = analyse(trace, grain="tile").misses([1024, 2048, 4096, 8192, 16384])
    assert misses.tolist() == [1024 * n for n in (16, 15, 14, 11, 0)]


def test_a_repeated_row_is_read_at_every_visit_of_its_tiles() -> None:
    trace = Trace(record=True)
    row, x = (trace.array(np.ones(shape, np.float32)) for shape in ((32,), (32, 32)))
    for _ in range(3):
        with trace.step("s"):
            np.concatenate([np.broadcast_to(row, (64, 32)), x])
    moved = analyse(trace, grain="tile").traffic
    # 4 x 2 tiles that show 16 elements of the row each, 4,096 bytes of x; 96 x 32 written
    assert (moved["bytes_read"].sum(), moved["bytes_written"].sum()) == (8 * 64 + 4096, 12288)
