"""Partitions against brute force: every tile of every view is exactly its blocks."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrumented import Trace
from instrumented.lowering.blocks import partition
from instrumented.lowering.layout import Use, View, grid_of
from instrumented.lowering.lower import lower
from instrumented.lowering.stream import Stream


def use_of(base, view, cuts):
    offset = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return Use(View(offset, view.shape, view.strides, view.itemsize), cuts)


def tile_bytes(base, view, cuts):
    """Bytes of every tile, the slow way: paint each tile of the view."""
    found = []
    for tile in itertools.product(*(itertools.pairwise(cut) for cut in cuts)):
        base[...] = 0
        view[tuple(slice(a, b) for a, b in tile)] = 1
        found.append(base.astype(bool).ravel().copy())
    base[...] = 0
    return found


def check(base, views):
    """Blocks of tiles: right sizes, disjoint blocks stay disjoint, shared bytes share blocks."""
    uses = [use_of(base, view, cuts) for view, cuts in views]
    parts = partition(base.nbytes, uses)
    assert parts.sizes.sum() == base.nbytes
    assert (parts.sizes > 0).all()
    tiles = []
    for use, (view, cuts) in zip(uses, views, strict=True):
        ptr, blocks = parts.tiles[use].ptr, parts.tiles[use].blocks
        for number, painted in enumerate(tile_bytes(base, view, cuts)):
            tiles.append((set(blocks[ptr[number] : ptr[number + 1]].tolist()), painted))
    for (one, painted), (other, also) in itertools.product(tiles, repeat=2):
        shared = sum(parts.sizes[block] for block in one & other)
        assert shared == (painted & also).sum() * base.itemsize
    return parts


def test_matrix_with_columns_transpose_and_flat_halves():
    base = np.zeros((6, 5), np.float32)
    parts = check(
        base,
        [
            (base, ((0, 4, 6), (0, 2, 5))),
            (base.T, ((0, 3, 5), (0, 6))),
            (base.reshape(-1)[3:17], ((0, 7, 14),)),
            (base[::-1, 1:], ((0, 2, 6), (0, 4))),
        ],
    )
    # rows cut at 1, 2, 3, 4 (rows 0, 2 and 3 hold ends of flat runs), columns at 1, 2, 3
    assert parts.sizes.size <= 6 * 5


@pytest.mark.parametrize("shape", [(13,), (1, 13)])
def test_a_flat_run_cuts_only_the_rows_that_hold_its_ends(shape):
    base = np.zeros((4, 6), np.float32)
    run, cuts = base.reshape(-1)[2:15].reshape(shape), tuple((0, n) for n in shape)
    parts = check(base, [(base, ((0, 4), (0, 6))), (run, cuts)])
    # rows 0 and 2 are cut before the run and behind it, the others are whole
    assert parts.sizes.tolist() == [4 * n for n in (2, 4, 6, 3, 3, 6)]


def test_a_corner_of_a_matrix_in_bands_ends_before_its_last_row_and_column():
    base = np.zeros((4, 6), np.float32)
    run = base.reshape(-1)[2:15]
    parts = check(base, [(base[:3, :3], ((0, 2, 3), (0, 3))), (run, ((0, 13),))])
    # columns are cut at 3, the row of either end of the run at 2 or 3 (there is a cut already)
    assert parts.sizes.tolist() == [4 * n for n in (2, 1, 3, 3, 3, 3, 3, 3, 3)]


def test_grid_is_the_product_of_cuts():
    base = np.zeros((8, 6), np.float64)
    parts = check(base, [(base, ((0, 4, 8), (0, 6))), (base.T, ((0, 3, 6), (0, 8)))])
    assert parts.sizes.tolist() == [4 * 3 * 8] * 4


def test_reshape_and_windows_stay_on_the_grid():
    base = np.zeros((4, 6, 6), np.float32)
    flat = base.reshape(4, 36)
    parts = check(
        base, [(base[:, 1:-1, :], ((0, 2, 4), (0, 4), (0, 6))), (flat, ((0, 4), (0, 12, 36)))]
    )
    # two images at a time, rows cut at 1, 2 (element 12) and 5, whole rows of 24 bytes
    assert parts.sizes.tolist() == [2 * 24 * rows for rows in (1, 1, 3, 1)] * 2


def test_rows_that_begin_inside_a_row_fall_back_to_classes():
    base = np.zeros((6, 5), np.float32)
    shifted = base.reshape(-1)[2:12].reshape(2, 5)
    parts = check(base, [(base, ((0, 4, 6), (0, 2, 5))), (shifted, ((0, 1, 2), (0, 2, 5)))])
    # the tiles of base have 8, 12, 4 and 6 elements; the shifted ones hold elements 2-3, 4-6, 7-8
    # and 9-11, of which 5-6 and 10-11 lie in the first tile of base, all others in the second
    assert parts.sizes.tolist() == [4 * n for n in (4, 2, 2, 6, 2, 1, 2, 1, 4, 6)]


def test_diagonal_falls_back_to_classes():
    base = np.zeros((4, 4), np.float32)
    diagonal = np.lib.stride_tricks.as_strided(base, (4,), (20,))
    assert grid_of(64, frozenset({use_of(base, base, ()).view, View(0, (4,), (20,), 4)})) is None
    parts = check(base, [(base, ((0, 2, 4), (0, 4))), (diagonal, ((0, 1, 4),))])
    # of 8 elements of the upper tile one lies in the first, one in the second tile of the diagonal;
    # of 8 of the lower tile two in its second. What the first view tells apart comes first
    assert parts.sizes.tolist() == [4 * n for n in (6, 1, 1, 6, 2)]


def test_bytes_behind_the_last_element_are_a_block_of_their_own():
    parts = partition(18, [Use(View(0, (4,), (4,), 4), ((0, 2, 4),))])
    assert parts.sizes.tolist() == [2, 8, 8]


def test_batched_weights_with_biases_and_flat_blocks():
    base = np.zeros(3 * 4 * 2 + 6, np.float32)  # 3 locations of 4 inputs and 2 channels, 6 biases
    weights = base[:24].reshape(3, 4, 2)
    one_by_one = (0, 1, 2, 3)
    parts = check(
        base,
        [
            (weights, (one_by_one, (0, 3, 4), (0, 2))),
            (weights.transpose(0, 2, 1), (one_by_one, (0, 2), (0, 4))),
            (base[24:], ((0, 6),)),
            (base[:17], ((0, 17),)),
            (base[17:], ((0, 13),)),
        ],
    )
    # two tiles a location, one of them (elements 16 to 21) cut at 17, and the biases
    assert parts.sizes.size == 3 * 2 + 1 + 1


def test_parts_of_elements_are_cells_of_their_own():
    """Four complex numbers of 8 bytes in two tiles, their real parts in one."""
    numbers = Use(View(0, (4,), (8,), 8), ((0, 2, 4),))
    real = Use(View(0, (4,), (8,), 4), ((0, 4),))
    parts = partition(32, [numbers, real])
    assert parts.sizes.tolist() == [8] * 4
    assert parts.tiles[numbers].blocks.tolist() == [0, 1, 2, 3]
    assert parts.tiles[real].blocks.tolist() == [0, 2]


def test_sliding_windows_are_no_rectangle():
    windows = View(0, (3, 4), (4, 4), 4)
    grid = grid_of(32, frozenset({windows}))
    assert grid is not None
    assert grid.locate(windows) is None


@st.composite
def cut_views(draw):
    rows, columns = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    base = np.zeros((rows, columns), np.float32)
    views = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["part", "transposed", "flat", "stepped"]))
        if kind == "flat":
            start = draw(st.integers(0, base.size - 1))
            view = base.reshape(-1)[start : draw(st.integers(start + 1, base.size))]
        else:
            top, left = draw(st.integers(0, rows - 1)), draw(st.integers(0, columns - 1))
            view = base[top:, left:]
            view = view.T if kind == "transposed" else view
            view = view[:, :: draw(st.sampled_from([2, -1]))] if kind == "stepped" else view
        cuts = tuple(
            (0, *sorted(draw(st.sets(st.integers(1, n - 1), max_size=2)) if n > 1 else ()), n)
            for n in view.shape
        )
        views.append((view, cuts))
    return base, views


@settings(max_examples=200)
@given(cut_views())
def test_any_views_with_any_cuts(case):
    check(*case)


@pytest.mark.parametrize("fused", [False, True])
def test_a_block_inside_one_band_is_cut_nowhere(fused):
    """A vector follows the matrix that it is worked on with, where no band begins in its run too.

    A row has 100 elements and a band 16 rows, so bands begin at 1600 and 3200. Of the blocks of 930
    only the second, to 1860, and the fourth, from 2790 to 3720, are cut.
    """
    trace = Trace(strict=True, record=True)
    w = trace.array(np.ones((40, 100), np.float32), role="weight")
    m = trace.array(np.ones(4000, np.float32), role="optimizer_state")
    x = trace.array(np.ones((20, 40), np.float32), role="activation")
    flat = w.reshape(-1)
    for _ in range(3):
        with trace.step("s"):
            x @ w
            for start in range(0, 4000, 930):
                block = slice(start, start + 930)
                with trace.fuse("update"):
                    m[block] *= 0.9
                    flat[block] -= m[block]
    events, buffers = trace.events, trace.buffers
    scopes = None if fused else ()
    stream = Stream(lower(events, buffers, grain="tile", scopes=scopes))
    instructions = defaultdict(set)
    for _, part in stream.parts():
        event = stream.owners.event[part.chunk.operand]
        for number, instruction in zip(event, part.chunk.instruction, strict=True):
            instructions[int(number)].add(int(instruction))
    found = [
        len(instructions[k])
        for k, event in enumerate(events)
        if event.step == 1 and event.operation in ("multiply", "subtract")
    ]
    assert found == [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]
