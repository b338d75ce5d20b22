"""Every row of the traffic table of docs/metric.md, worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import instrumented
from instrumented import Traffic, Work


def test_elementwise_reads_each_operand_once_per_occurrence(traced):
    trace, x = traced((2, 3))
    x * x
    # x is 2*3*4 = 24 bytes, read twice; the result is 24 bytes; 6 multiplications
    assert trace.traffic == Traffic(48, 24)
    assert trace.work == Work(multiply=6)


def test_broadcast_operand_counts_its_own_bytes(traced):
    trace, a, b = traced((2, 3, 4), (4,))
    a * b
    # reads 2*3*4*4 = 96 and 4*4 = 16; writes 96; 24 flops
    assert trace.traffic == Traffic(112, 96)
    assert trace.work.flops == 24


def test_broadcast_view_counts_the_bytes_it_covers(traced):
    trace, b = traced((4,))
    wide = np.broadcast_to(b, (3, 4))
    assert trace.traffic == Traffic()
    wide + 1.0
    # the view has 12 elements but covers 4*4 = 16 bytes; the result is 12*4 = 48
    assert trace.traffic == Traffic(16, 48)


@pytest.mark.parametrize("constant", [2, 2.5, True, np.float32(2)])
def test_scalar_constants_are_immediates(traced, constant):
    trace, x = traced((5,))
    x + constant
    assert trace.traffic.bytes_read == 20


def test_zero_dimensional_array_counts_its_itemsize(traced):
    trace, x = traced((5,))
    total = x.sum()  # reads 20, writes 4, 4 additions
    x / total  # reads 20 + 4, writes 20, 5 divisions
    assert trace.traffic == Traffic(44, 24)
    assert trace.work == Work(add=4, special=5)


def test_out_reads_the_inputs_only(traced):
    trace, a, b, target = traced((5,), (5,), (5,))
    answer = np.add(a, b, out=target)
    assert answer is target
    assert trace.traffic == Traffic(40, 20)


def test_in_place_reads_both_and_writes_the_target(traced):
    trace, a, b = traced((5,), (5,))
    a += b
    assert trace.traffic == Traffic(40, 20)


def test_where_mask_reads_the_mask_and_the_target(traced):
    trace, a, target = traced((5,), (5,))
    mask = trace.array(np.array([True, False, True, False, True]))
    np.multiply(a, 2.0, out=target, where=mask)
    # a 20, mask 5, target 20 merged; the target is written
    assert trace.traffic == Traffic(45, 20)


def test_where_function_is_one_selection_per_element(traced):
    trace, a, b = traced((5,), (5,))
    np.where(trace.array(np.ones(5, bool)), a, b)
    assert trace.traffic == Traffic(5 + 20 + 20, 20)
    assert trace.work == Work(add=5)


@pytest.mark.parametrize("product", [np.matmul, np.dot, lambda a, b: a @ b, np.linalg.matmul])
def test_matrix_product(traced, product):
    trace, a, b = traced((2, 3), (3, 4))
    product(a, b)
    # reads 2*3*4 + 3*4*4 = 24 + 48, writes 2*4*4 = 32; 2*2*3*4 = 48 flops
    assert trace.traffic == Traffic(72, 32)
    assert trace.work == Work(add=24, multiply=24)


def test_batched_matrix_product(traced):
    trace, a, b = traced((5, 2, 3), (3, 4))
    a @ b
    # 5 products of 2x3 by 3x4; b is broadcast but its own 48 bytes are read once
    assert trace.traffic == Traffic(5 * 24 + 48, 5 * 32)
    assert trace.work.flops == 5 * 48


@pytest.mark.parametrize(
    ("subscripts", "shapes", "written", "work"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)], 8, Work(24, 24)),  # as matmul: 24 multiply-adds
        ("ij,ij->i", [(2, 3), (2, 3)], 2, Work(6, 6)),  # 6 multiply-adds
        ("ij,ij->ij", [(2, 3), (2, 3)], 6, Work(0, 6)),  # nothing is summed
        ("ij->j", [(2, 3)], 3, Work(3, 0)),  # 3 columns of 2: one addition each
        ("ii->i", [(3, 3)], 0, Work(0, 0)),  # a view
        ("ij->ji", [(2, 3)], 0, Work(0, 0)),  # a view
        ("ij,jk", [(2, 3), (3, 4)], 8, Work(24, 24)),  # implicit result
        ("...j,j->...", [(5, 2, 3), (3,)], 10, Work(30, 30)),  # 10 sums of 3 products
    ],
)
def test_einsum(traced, subscripts, shapes, written, work):
    trace, *operands = traced(*shapes)
    np.einsum(subscripts, *operands)
    read = sum(math.prod(shape) for shape in shapes) if written else 0
    assert trace.traffic == Traffic(4 * read, 4 * written)
    assert trace.work == work


def test_reduction(traced):
    trace, x = traced((3, 4))
    x.sum(axis=1)
    # reads 48, writes 3*4 = 12; three rows of four: 3 additions each
    assert trace.traffic == Traffic(48, 12)
    assert trace.work == Work(add=9)


def test_ufunc_reduce_with_start_value_adds_once_more(traced):
    trace, x = traced((4,))
    np.add.reduce(x, initial=1.0)
    assert trace.work == Work(add=4)


def test_accumulate_outer_reduceat_at(traced):
    trace, x, y = traced((4,), (3,))
    np.add.accumulate(x)  # reads 16, writes 16, 3 additions
    assert (trace.traffic, trace.work) == (Traffic(16, 16), Work(add=3))
    np.multiply.outer(x, y)  # reads 16 + 12, writes 48, 12 multiplications
    assert (trace.traffic, trace.work) == (Traffic(44, 64), Work(3, 12))
    starts = trace.array(np.array([0, 3]))
    np.add.reduceat(x, starts)  # reads 16 + 16, writes 8; segments of 3 and 1: 2 additions
    assert (trace.traffic, trace.work) == (Traffic(76, 72), Work(5, 12))
    np.add.at(x, starts, 1.0)  # reads 2 elements (8) and the index (16), writes 8, 2 additions
    assert (trace.traffic, trace.work) == (Traffic(100, 80), Work(7, 12))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:, ::2],
        lambda x: x[0],
        lambda x: x[1, 2, ...],
        lambda x: x.T,
        lambda x: x.reshape(4, 3),
        lambda x: x.reshape(-1),
        lambda x: np.broadcast_to(x, (2, 3, 4)),
        lambda x: x[:, None],
        lambda x: np.swapaxes(x, 0, 1),
        lambda x: np.flip(x),
        lambda x: np.split(x, 2, axis=1)[1],
        lambda x: x.ravel(),
        lambda x: np.asarray(x, like=x),
        lambda x: x.view(np.int32),
    ],
)
def test_views_are_free_and_share_memory(traced, view):
    trace, x = traced((3, 4))
    shown = view(x)
    assert trace.traffic == Traffic()
    assert shown.role == "data"
    assert np.shares_memory(shown._array, x._array)


@pytest.mark.parametrize(
    ("copy", "read", "written"),
    [
        (lambda x: x.T.reshape(-1), 48, 48),  # not contiguous: NumPy must copy
        (lambda x: x.copy(), 48, 48),
        (lambda x: x.astype(np.float64), 48, 96),
        (lambda x: np.concatenate([x, x]), 96, 96),  # once per occurrence
        (lambda x: np.stack([x, x]), 96, 96),
        (lambda x: np.pad(x, 1), 48, 5 * 6 * 4),
        (lambda x: np.tile(x, 2), 48, 96),
        (lambda x: np.sort(x, axis=1), 48, 48),
        (lambda x: np.copyto(x, x[:1]), 16, 48),
    ],
)
def test_copies_read_the_source_and_write_the_result(traced, copy, read, written):
    trace, x = traced((3, 4))
    copy(x)
    assert trace.traffic == Traffic(read, written)


def test_gather_reads_what_it_takes_and_the_index(traced):
    trace, x = traced((5, 4))
    rows = trace.array(np.array([3, 0]))
    x[rows]
    # two rows of 4*4 bytes, the index 2*8; the result is 32
    assert trace.traffic == Traffic(32 + 16, 32)
    np.take(x, rows, axis=0)
    assert trace.traffic == Traffic(96, 64)


def test_boolean_gather_reads_the_whole_mask(traced):
    trace, x = traced((6,))
    x[trace.array(np.array([True, False, True, False, False, False]))]
    assert trace.traffic == Traffic(8 + 6, 8)


def test_scatter_writes_the_elements_stored(traced):
    trace, x, v = traced((5, 4), (2, 4))
    rows = trace.array(np.array([3, 0]))
    x[rows] = v
    # the values 32 and the index 16 are read, two rows written
    assert trace.traffic == Traffic(48, 32)
    x[rows] = 0.0
    assert trace.traffic == Traffic(48 + 16, 64)


def test_storing_into_a_slice(traced):
    trace, x, v = traced((5, 4), (4,))
    x[1:3] = v
    assert trace.traffic == Traffic(16, 32)
    x[...] = 0.0
    assert trace.traffic == Traffic(16, 32 + 80)


def test_updating_a_slice_in_place_is_one_operation(traced):
    trace, x = traced((5, 4))
    x[1:3] += 1.0
    assert trace.traffic == Traffic(32, 32)
    assert trace.to_frame()["calls"].sum() == 1


@pytest.mark.parametrize(
    ("create", "written"),
    [
        (lambda x: np.zeros((2, 2), like=x), 32),
        (lambda x: np.full((2, 2), 1.0, np.float32, like=x), 16),
        (lambda x: np.zeros_like(x), 48),
        (lambda x: np.arange(3, like=x), 24),
        (lambda x: np.empty_like(x), 0),
    ],
)
def test_creation_reads_nothing(traced, create, written):
    trace, x = traced((3, 4))
    create(x)
    assert trace.traffic == Traffic(0, written)


def test_entering_is_free_and_making_is_written():
    trace = instrumented.Trace()
    trace.array(np.ones(8))
    assert trace.traffic == Traffic()
    trace.made(np.ones(8), role="temporary")
    assert trace.traffic == Traffic(0, 64)


def test_norms(traced):
    trace, x = traced((3, 4))
    np.linalg.norm(x, axis=1)
    # 12 squares, 9 additions, 3 roots
    assert trace.traffic == Traffic(48, 12)
    assert trace.work == Work(9, 12, 3)


def test_mean_and_variance(traced):
    trace, x = traced((3, 4))
    x.mean(axis=1)  # 9 additions, 3 divisions
    assert trace.work == Work(9, 0, 3)
    x.var(axis=1)  # means again, 12 deviations, 12 squares, 9 additions, 3 divisions
    assert trace.work == Work(9 + 9 + 12 + 9, 12, 3 + 6)


def test_sorting_work_is_by_definition(traced):
    trace, x = traced((3, 4))
    np.argsort(x, axis=1)  # 3 lines of 4*ceil(log2 4) = 8 comparisons; positions are int64
    assert (trace.traffic, trace.work) == (Traffic(48, 96), Work(add=24))
    x.argmax(axis=1)  # 3 lines of 3 comparisons
    assert trace.work == Work(add=24 + 9)


def test_clip(traced):
    trace, x = traced((3, 4))
    np.clip(x, 0.0, 1.0)
    assert (trace.traffic, trace.work) == (Traffic(48, 48), Work(add=24))


def test_clip_compares_with_the_bounds_it_has(traced):
    trace, x = traced((3, 4))
    np.clip(x, 0.0, None)
    np.clip(x, max=1.0)
    assert trace.work == Work(add=12 + 12)


def test_searchsorted_halves_the_table(traced):
    trace, x = traced((300,))
    np.searchsorted([0.0, 1.0, 2.0], x)
    # 300 queries in a table of 3: ceil(log2 4) = 2 comparisons each; table of 24 bytes
    assert (trace.traffic, trace.work) == (Traffic(1200 + 24, 2400), Work(add=600))


def test_reduceat_counts_its_own_segments_every_time(traced):
    trace, x = traced((8,))
    np.add.reduceat(x, trace.array(np.array([0, 4])))  # segments of 4 and 4: 6 additions
    np.add.reduceat(x, trace.array(np.array([5, 6])))  # of 1 and 2: 1 addition
    assert trace.work == Work(add=6 + 1)


@pytest.mark.parametrize(
    "split",
    [
        lambda x: np.array_split(x, 5),
        lambda x: np.split(x, [0]),
        lambda x: np.broadcast_to(x[0], (0, 4)),
        lambda x: x[:0].copy(),
    ],
)
def test_what_is_empty_moves_nothing(traced, split):
    trace, x = traced((3, 4))
    split(x)
    assert trace.traffic == Traffic()


def test_trace_reads_the_diagonal(traced):
    trace, x = traced((4, 5))
    np.trace(x)
    assert (trace.traffic, trace.work) == (Traffic(16, 4), Work(add=3))
    trace, x = traced((2, 3, 3))
    np.linalg.trace(x, offset=1)  # two matrices, two elements above each diagonal
    assert (trace.traffic, trace.work) == (Traffic(16, 8), Work(add=2))


def test_a_mean_that_is_known_is_not_computed(traced):
    trace, x, mean = traced((3, 4), (3, 1))
    np.var(x, axis=1, mean=mean)
    # 12 deviations, 12 squares, 9 additions, 3 divisions
    assert (trace.traffic, trace.work) == (Traffic(48 + 12, 12), Work(12 + 9, 12, 3))


def test_sums_of_functions_and_ufuncs_agree(traced):
    counts = []
    for sum_up in (np.sum, np.add.reduce):
        trace, x, target = traced((8,), (1,))
        mask = trace.array(np.array([True, False] * 4))
        # eight elements onto a start: 8 additions; the target is written, nothing of it stays
        sum_up(x, axis=0, keepdims=True, initial=5.0, where=mask, out=target)
        counts.append((trace.traffic, trace.work))
    assert counts == [(Traffic(32 + 8, 4), Work(add=8))] * 2


def test_full_like_reads_a_fill_value_in_memory(traced):
    trace, x, fill = traced((3, 4), (4,))
    np.full_like(x, fill)
    np.full_like(x, 1.0)
    assert trace.traffic == Traffic(16, 48 + 48)


def test_shapes_tell_arrays_apart_unread(traced):
    trace, x, y = traced((3, 4), (1, 4))
    found: Any = np.array_equal(x, y)
    assert not found.escape()
    assert (trace.traffic, trace.work.flops) == (Traffic(1, 1), 0)  # the answer and its escape
    np.array_equiv(x, y)  # broadcast: 12 comparisons, folded by 11
    assert (trace.traffic, trace.work.flops) == (Traffic(1 + 48 + 16, 2), 23)


@pytest.mark.parametrize(
    ("view", "covered"),
    [
        (lambda a: np.lib.stride_tricks.sliding_window_view(a, 3), 32),  # 6 windows on 8 elements
        (lambda a: np.lib.stride_tricks.sliding_window_view(a, 2), 32),  # 7 windows
        (lambda a: np.lib.stride_tricks.as_strided(a, (3, 2), (2, 4)), 12),  # bytes 0 to 11
        (lambda a: np.lib.stride_tricks.as_strided(a, (3,), (8,)), 12),  # 3 elements, gaps between
        (lambda a: a.reshape(2, 4)[::-1, ::2], 16),
    ],
)
def test_overlapping_views_cover_each_byte_once(view, covered):
    trace = instrumented.Trace()
    windows = trace.array(view(np.arange(8, dtype=np.float32)))
    windows * 2.0
    assert trace.traffic.bytes_read == covered


def test_powers_follow_numpys_own_operator(traced):
    trace, x = traced((4,))
    x**2  # NumPy squares
    x**0.5  # NumPy takes the root
    x**1.5
    x **= 2
    assert trace.to_frame()["operation"].tolist() == ["square", "sqrt", "power"]
    assert trace.work == Work(multiply=8, special=8)
