"""Products tiled for one memory: near the bound, never below, and their nests really run."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instrumented import Trace
from instrumented.analysis.step import analyse, analyse_tuned
from instrumented.analysis.tuning import tiling
from instrumented.distances.stack import COLD

CAPACITIES = [round(2 ** (12 + k / 2)) for k in range(31)]  # 4 KiB to 128 MiB


def test_a_tuned_product_moves_at_most_half_more_than_the_bound_and_never_less(product_shape):
    m, n, k = product_shape
    for capacity in CAPACITIES:
        held = capacity / 4
        bound = max(m * k + k * n + m * n, 2 * m * n * k / math.sqrt(held) - 2 * held)
        best = tiling(m, n, k, capacity // 4)
        assert best is not None
        assert bound <= best.moved + m * n <= 1.5 * bound


class Room:
    """A memory of some elements, in which the nests of a product run."""

    def __init__(self, size):
        self.size, self.here, self.kept = size, set(), set()
        self.loaded = {"a": 0, "b": 0}

    def need(self, *elements):
        for element in elements:
            if element not in self.here:
                self.here.add(element)
                if element[0] in self.loaded:
                    self.loaded[element[0]] += 1
        assert len(self.here) <= self.size

    def drop(self, *elements):
        self.here -= set(elements) - self.kept

    def keep(self, elements, count):
        """Hold on to a few of what was just used and will come again."""
        self.kept = set(elements[:count])


def run_block_stays(m, n, k, best, room, *, along):
    """A block of C stays; blocks follow ``along`` a row of blocks (A comes again) or a column."""
    rows = [range(i, min(i + best.rows, m)) for i in range(0, m, best.rows)]
    columns = [range(j, min(j + best.columns, n)) for j in range(0, n, best.columns)]
    spare = room.size - best.rows * best.columns - best.rows - best.columns
    blocks = (
        [(i, j) for i in rows for j in columns]
        if along
        else [(i, j) for j in columns for i in rows]
    )
    before = None
    for i, j in blocks:
        outer = i if along else j
        if outer != before:
            room.drop(*room.kept)
            room.kept = set()
            room.here.clear()
            again = [("a", x, p) for x in i for p in range(k)]
            again = again if along else [("b", p, y) for y in j for p in range(k)]
            room.keep(again, spare)
            before = outer
        for p in range(k):
            column, row = [("a", x, p) for x in i], [("b", p, y) for y in j]
            room.need(*column, *row, *(("c", x, y) for x in i for y in j))
            room.drop(*column, *row)
        room.drop(*(("c", x, y) for x in i for y in j))


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 7), st.integers(3, 60))
def test_the_nest_runs_in_the_room_and_loads_what_was_said(m, n, k, held):
    best = tiling(m, n, k, held)
    assert best is not None
    if best.stays == "C":
        found = []
        for along in (True, False):
            room = Room(held)
            run_block_stays(m, n, k, best, room, along=along)
            found.append((room.loaded["a"], room.loaded["b"]))
        assert (best.left, best.right) in found
        return
    if best.stays == "B":  # the same with rows and columns changed over
        m, n, rows, stays, comes = n, m, best.columns, best.right, best.left
    else:
        rows, stays, comes = best.rows, best.left, best.right
    room = Room(held)
    spare = held - 1 - rows * (k + 1)
    room.keep([("b", p, j) for j in range(n) for p in range(k)], spare)
    for first in range(0, m, rows):
        block = range(first, min(first + rows, m))
        mine = [("a", i, p) for i in block for p in range(k)]
        room.need(*mine)
        for j in range(n):
            for p in range(k):
                room.need(("b", p, j), *(("c", i, j) for i in block))
                room.drop(("b", p, j))
            room.drop(*(("c", i, j) for i in block))
        room.drop(*mine)
    assert (room.loaded["a"], room.loaded["b"]) == (stays, comes)


def test_a_memory_of_two_elements_holds_no_multiplication():
    assert tiling(2, 2, 2, 2) is None


def step(work):
    """Five like steps of one program on float32 arrays, and their trace."""
    trace = Trace(record=True)
    shapes = {"x": (48, 96), "w": (96, 80), "h": (48, 80)}
    arrays = {
        name: trace.array(np.zeros(s, np.float32), role="weight") for name, s in shapes.items()
    }
    for _ in range(5):
        with trace.step("step"):
            work(**arrays)
    return trace


def beyond(table, capacity):
    far = (table["distance"] > capacity) | (table["distance"] == COLD)
    return table.loc[far, "bytes_read"].sum() + table.loc[far, "bytes_written"].sum()


def test_what_is_no_product_is_not_tuned():
    def work(x, w, h):
        w *= 0.5
        h += h

    assert analyse_tuned(step(work), capacities=[4096]).empty


def test_a_product_of_nothing_is_not_tuned():
    def work(x, w, h):
        np.matmul(x[:, :0], w[:0], out=h)  # 48×0 times 0×80: zeros, 4 · 48 · 80 bytes written

    trace = step(work)
    assert analyse(trace, grain="tile").traffic["bytes_written"].tolist() == [4 * 48 * 80]
    assert analyse_tuned(trace, capacities=[4096]).empty


@pytest.mark.parametrize("capacity", [2**12, 2**13, 2**14, 2**15, 2**17])
def test_a_product_moves_what_its_own_tiling_says_or_what_one_order_does(capacity):
    def work(x, w, h):
        np.matmul(x, w, out=h)

    trace = step(work)
    table = analyse(trace, grain="tile").table
    one = beyond(table, capacity)
    written = table.loc[table["distance"] > capacity, "bytes_written"].sum()
    saved = analyse_tuned(trace, capacities=[capacity])
    assert set(saved["operation"]) == {"matmul"}
    moved = one - saved["bytes_read"].sum() - saved["bytes_written"].sum()
    best = tiling(48, 80, 96, capacity // 4)
    assert best is not None
    # what of the product is overwritten before it has to leave is not written in any order
    assert moved == min(one, 4 * best.moved + min(written, 4 * 48 * 80))
