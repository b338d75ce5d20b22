"""Which groups hold which blocks, by hand; each operation here is a group of its own."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace
from instrumented.lowering.holding import held, last_groups, outlived
from instrumented.lowering.lower import lower

f32 = np.float32
WHOLE = {"grain": "operation"}
TILED = {"grain": "tile"}


@pytest.mark.parametrize("how", [WHOLE, TILED])
def test_a_group_is_outlived_if_all_that_it_touches_is_touched_again(how: dict[str, str]) -> None:
    trace = Trace(record=True)
    x, y = (trace.array(np.ones((40, 20), f32)) for _ in range(2))
    x *= 2.0  # 0: x again in 1
    y += x  # 1: y is not touched again
    x *= 2.0  # 2: x is not touched again before 3
    x += y  # 3
    table = lower(trace.events, trace.buffers, scopes=(), **how)
    assert outlived(held(table), table, 3).tolist() == [True, False, False, False]
    assert outlived(held(table), table, 4).tolist() == [True, True, True, False]


def test_half_of_what_is_touched_does_not_suffice() -> None:
    trace = Trace(record=True)
    x = trace.array(np.ones((40, 20), f32))
    x *= 2.0
    x[:20] *= 2.0
    table = lower(trace.events, trace.buffers, scopes=())
    assert outlived(held(table), table, 2).tolist() == [False, False]
    with trace.step("s"):
        x[20:] *= 2.0
    table = lower(trace.events, trace.buffers, scopes=())
    assert outlived(held(table), table, 3).tolist() == [True, False, False]


@pytest.mark.parametrize(("scopes", "expected"), [((), [True, False]), (None, [False, False])])
def test_a_fused_group_may_save_what_it_touches_but_for_what_was_there_before(
    scopes: tuple[()] | None, expected: list[bool]
) -> None:
    """Who overwrites y and reads it again may never fetch it; x is read from before."""
    trace = Trace(record=True)
    x, y = (trace.array(np.ones(4, f32)) for _ in range(2))
    y += x
    with trace.fuse("scope"):
        y[...] = x
        x + y
    table = lower(trace.events, trace.buffers, scopes=scopes)
    found = outlived(held(table), table, table.group_start.size - 1)
    assert [bool(found[0]), bool(found[-1])] == expected


def test_what_a_fused_group_reads_from_before_it_is_touched() -> None:
    trace = Trace(record=True)
    x, y = (trace.array(np.ones(4, f32)) for _ in range(2))
    y += x
    with trace.fuse("scope"):
        x + y
    table = lower(trace.events, trace.buffers, scopes=None)
    assert outlived(held(table), table, 2).tolist() == [True, False]


def test_a_group_that_gathers_rows_is_never_outlived() -> None:
    trace = Trace(record=True)
    data = trace.array(np.ones((8, 4), f32), role="data")
    for _ in range(2):
        data[np.array([1, 2])]
    table = lower(trace.events, trace.buffers, scopes=())
    assert not outlived(held(table), table, 2).any()


def test_blocks_of_other_buffers_do_not_count() -> None:
    """Six blocks of 16x16 or less each; those of the first buffer are touched at the end alone."""
    trace = Trace(record=True)
    before, x = (trace.array(np.ones((40, 20), f32)) for _ in range(2))
    x *= 2.0
    x *= 2.0
    before *= 2.0
    table = lower(trace.events, trace.buffers, grain="tile", scopes=())
    assert outlived(held(table), table, 2).tolist() == [True, False, False]


def test_what_a_fused_group_writes_is_known_block_by_block() -> None:
    trace = Trace(record=True)
    x, y, after = (trace.array(np.ones((40, 20), f32)) for _ in range(3))
    y[16:] += x[16:]
    with trace.fuse("scope"):
        y[...] = x
        y *= 2.0
    after *= 2.0
    table = lower(trace.events, trace.buffers, grain="tile", scopes=None)
    assert not outlived(held(table), table, 2)[0]


@pytest.mark.parametrize("how", [WHOLE, TILED])
def test_the_last_group_of_a_block_is_the_last_that_names_it(how: dict[str, str]) -> None:
    trace = Trace(record=True)
    x, y = (trace.array(np.ones((40, 40), f32)) for _ in range(2))
    np.add(x, 1.0, out=x)  # 0
    x @ y  # 1
    x[20:] *= 2.0  # 2
    y += 1.0  # 3
    table = lower(trace.events, trace.buffers, scopes=(), **how)
    last = last_groups(held(table), table.sizes.size)
    halves = {
        (int(buffer), int(group)): int(
            table.sizes[(table.buffer == buffer) & (last == group)].sum()
        )
        for buffer, group in zip(table.buffer, last, strict=True)
    }
    half = 20 * 40 * 4
    assert halves == {(0, 1): half, (0, 2): half, (1, 3): 2 * half, (2, 1): 2 * half}


def test_the_last_group_of_gathered_rows_is_the_one_that_gathers_them() -> None:
    trace = Trace(record=True)
    data = trace.array(np.ones((8, 4), f32), role="data")
    x = trace.array(np.ones(4, f32))
    x *= 2.0
    data[np.array([1, 2])]
    table = lower(trace.events, trace.buffers, scopes=())
    assert last_groups(held(table), table.sizes.size)[table.rows :].tolist() == [1]
