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


@pytest.mark.parametrize("how", [WHOLE, TILED])
def test_the_last_group_of_a_block_is_the_last_that_names_it(how: dict[str, str]) -> None:
    trace = Trace(record=True)
    x, y = (trace.array(np.ones((40, 40), f32)) for _ in range(2))
    x @ y  # 0
    x[:20] *= 2.0  # 1
    y += 1.0  # 2
    table = lower(trace.events, trace.buffers, scopes=(), **how)
    last = last_groups(held(table), table.sizes.size)
    assert set(last[table.buffer == 1].tolist()) == {2}
    assert set(last[table.buffer == 0].tolist()) == {0, 1}
    halves = [int(table.sizes[(table.buffer == 0) & (last == group)].sum()) for group in (0, 1)]
    assert halves == [20 * 40 * 4, 20 * 40 * 4]
    assert set(last[table.buffer == 2].tolist()) == {0}
