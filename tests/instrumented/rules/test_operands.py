"""Which arguments of a call are operands, however they are given: bare, listed, named, written."""

from __future__ import annotations

import operator

import numpy as np
import pytest

import instrumented
from instrumented import Kind, Traffic, Work
from instrumented.rules.traffic_rules import RULES, streaming, traffic_rule


def test_bare_arrays_count_as_data_and_are_refused_when_strict(traced):
    trace, x = traced((4,))
    x + np.ones(4, np.float32)
    x[np.array([0, 1])]
    assert trace.traffic == Traffic(32 + 8 + 16, 16 + 8)
    assert set(trace.by_role()["role"]) == {"data", "temporary"}
    trace, x = traced((4,), trace=instrumented.Trace(strict=True))
    for refused in (
        lambda: x + np.ones(4),
        lambda: np.concatenate([x, np.ones(4)]),
        lambda: x[np.array([0])],
        lambda: np.add(x, [1, 2, 3, 4]),
    ):
        with pytest.raises(instrumented.BareArrayError, match="plain array of shape"):
            refused()
    assert trace.traffic == Traffic()


@pytest.mark.parametrize(
    ("write", "read", "written", "flops"),
    [
        (lambda x: np.clip(x, 0, 1, out=x), 48, 48, 24),
        (lambda x: x.clip(0, 1, out=x), 48, 48, 24),
        (lambda x: np.round(x, out=x), 48, 48, 12),
        (lambda x: np.cumsum(x, axis=1, out=x), 48, 48, 9),
        (lambda x: np.nan_to_num(x, copy=False), 48, 48, 36),
        (lambda x: np.concatenate((x[:2], x[:1]), out=x), 32 + 16, 48, 0),
        (lambda x: np.concatenate((x,), out=x), 48, 48, 0),
    ],
)
def test_functions_that_write_into_their_operand_are_counted(traced, write, read, written, flops):
    trace, x = traced((3, 4))
    assert write(x) is x
    assert (trace.traffic, trace.work.flops) == (Traffic(read, written), flops)


def test_what_values_decide_is_counted_anew():
    trace = instrumented.Trace()
    few, many = (trace.array(np.array(values)) for values in ([0.0, 1.0, 0.0], [1.0, 0.0, 2.0]))
    assert [np.flatnonzero(x).shape for x in (few, many, few)] == [(1,), (2,), (1,)]
    # three times 3 elements of 8 bytes are read; 1, 2 and 1 positions are written
    assert trace.traffic == Traffic(3 * 24, 4 * 8)


def test_an_operand_handed_back_is_free(traced):
    trace, x = traced((3, 4))
    for _ in range(2):
        assert np.asarray(x, like=x) is x
        assert np.atleast_1d(x) is x
    assert trace.traffic == Traffic()


def test_no_difference_no_derivative_and_the_first_power_hand_their_operand_back(traced):
    trace, x = traced((3, 3))
    row = x[0]
    assert np.diff(x, n=0) is x
    assert np.linalg.matrix_power(x, 1) is x
    assert np.polyder(row, 0) is row
    assert np.polyint(row, 0) is row
    assert trace.traffic == Traffic()
    assert trace.work == Work()


def test_bins_in_a_list_do_not_leave_the_trace(traced):
    trace, x = traced((4,))
    np.histogram(x, [0.0, 1.5, 3.0])
    # 16 bytes and 3 bins of 8 are read, 2 counts and the 3 edges made of the list written
    assert trace.traffic == Traffic(16 + 24, 16 + 24)
    assert trace.escapes.empty


def test_a_truth_value_made_of_one_has_memory_and_role_of_its_own():
    trace = instrumented.Trace()
    operand = trace.array(np.array([True]), role="weight")[0]
    made = np.any(operand)  # NumPy's True is one object
    assert made is not operand
    # the element taken out and the reduction, a byte each
    assert trace.traffic == Traffic(2, 2)


def test_a_masked_clip_reads_the_mask_and_the_target(traced):
    trace, x, y = traced((3, 4), (3, 4))
    mask = trace.array(np.ones((3, 4), np.bool))
    np.clip(x, 0, 1, out=y, where=mask)
    # x, the mask and the target: 48 + 12 + 48 read, 48 written; two comparisons an element
    assert trace.traffic == Traffic(108, 48)
    assert trace.work == Work(24)


@pytest.mark.parametrize("record", [False, True])
def test_axes_of_a_contraction_may_stand_in_an_array(traced, record):
    trace, x, y = traced((2, 3, 4), (3,), trace=instrumented.Trace(record=record))
    np.tensordot(x, y, axes=np.array([[1], [0]]))
    # 24·4 and 12 bytes; 2·4 results of 3 multiply-adds
    assert trace.traffic == Traffic(96 + 12, 32)
    assert trace.work == Work(24, 24)


@pytest.mark.parametrize(
    ("call", "written"),
    [
        (lambda x: np.median(x, axis=1, overwrite_input=True), 12 + 48),
        (lambda x: np.percentile(x, 50, overwrite_input=True), 4 + 48),
        (lambda x: np.median(x.T, overwrite_input=True), 4),  # of a copy in one axis
    ],
)
def test_an_input_that_may_be_overwritten_is_written(traced, call, written):
    trace, x = traced((3, 4))
    call(x)
    assert trace.traffic == Traffic(48, written)


def test_several_fields_of_records_are_a_view():
    trace = instrumented.Trace()
    x = trace.array(np.ones(2, [("a", "i4"), ("b", "f8"), ("c", "i4")]))
    fields = x[["a", "c"]]
    assert np.shares_memory(fields._array, x._array)
    assert trace.traffic == Traffic()
    fields["a"] = 3
    assert trace.traffic == Traffic(0, 8)
    assert x["a"].escape().tolist() == [3, 3]


def test_the_imaginary_part_of_real_elements_is_made_not_read(traced):
    trace, x = traced((3, 4))
    assert not x.imag.escape().any()
    # 12 zeros; then they leave
    assert trace.traffic == Traffic(48, 48)
    assert trace.escapes["bytes_read"].tolist() == [48]


def test_an_array_stored_onto_itself_moves_nothing(traced):
    trace, x = traced((3, 4))
    for same in (x, x[:], x[...]):
        x[...] = same
    assert trace.traffic == Traffic()
    x[...] = x[::-1]
    assert trace.traffic == Traffic(48, 48)


@pytest.mark.parametrize(
    ("call", "read", "written"),
    [
        (lambda x: np.take(x, []), 0, 0),
        (lambda x: np.put(x, [], 1.0), 0, 0),
        (lambda x: np.delete(x, []), 16, 16),
        (lambda x: np.insert(x, [], []), 16, 16),
        (lambda x: np.add.reduceat(x, []), 16, 0),
    ],
)
def test_an_empty_list_is_an_index(traced, call, read, written):
    trace, x = traced((4,))
    call(x)
    assert trace.traffic == Traffic(read, written)


@pytest.mark.parametrize("constant", [np.float32(2), np.float64(2), np.int8(2)], ids=repr)
def test_a_numpy_scalar_is_an_immediate_on_either_side_of_a_comparison(traced, constant):
    trace, x = traced((3, 4), trace=instrumented.Trace(strict=True))
    assert np.array_equal((constant < x).escape(), (x > constant).escape())
    # twice 48 bytes in and 12 truth values out, which leave
    assert trace.traffic == Traffic(2 * (48 + 12), 2 * 12)
    assert trace.work == Work(2 * 12)


def test_bins_of_several_axes_are_counts_or_edges(traced):
    trace, x, edges = traced((4,), (3,))
    edges.sort()
    before = trace.traffic
    counts = np.histogram2d(x, x, [edges, [0.0, 1.5]])[0]
    # x twice and the edges, of which those in the list are float64; 2·1 counts of float64
    assert counts.shape == (2, 1)
    assert trace.traffic.bytes_read - before.bytes_read == 16 + 16 + 12 + 16
    # the edges made of the list are written, the traced ones handed back
    assert trace.traffic.bytes_written - before.bytes_written == 16 + 16
    assert trace.data_dependent.empty
    rows = trace.array(np.array([2, 3]))
    assert np.histogram2d(x, x, rows)[0].shape == (2, 3)
    assert trace.data_dependent["operation"].tolist() == ["histogram2d"]
    with pytest.raises(instrumented.EscapeError):
        np.histogram2d(x, x, [rows[0], edges])


def test_a_tuple_inside_an_index_is_an_index_array(traced):
    trace, x = traced((3, 4))
    rows = x[(0, 2), :]
    # two rows of 16 bytes through two int64: 32 + 16 read, 32 written
    assert trace.traffic == Traffic(48, 32)
    assert not np.shares_memory(rows._array, x._array)
    x[(0, 2), :] = 99.0
    assert trace.traffic == Traffic(48 + 16, 32 + 32)
    np.testing.assert_array_equal(x._array[[0, 2]], 99.0)
    assert x._array[1].max() < 99.0


@pytest.mark.parametrize(
    ("by_position", "by_name"),
    [
        (lambda x, i: np.take(x, i, 0), lambda x, i: np.take(axis=0, indices=i, a=x)),
        (lambda x, i: np.dot(x, x.T), lambda x, i: np.dot(b=x.T, a=x)),
        (lambda x, i: np.tensordot(x, x.T, 1), lambda x, i: np.tensordot(axes=1, b=x.T, a=x)),
        (lambda x, i: np.compress(i, x, 0), lambda x, i: np.compress(a=x, axis=0, condition=i)),
        (lambda x, i: np.copyto(x, x[:1]), lambda x, i: np.copyto(src=x[:1], dst=x)),
    ],
)
def test_arguments_by_name_count_as_those_by_position(traced, by_position, by_name):
    counts = []
    for call in (by_position, by_name):
        trace, x = traced((5, 4))
        call(x, trace.array(np.array([1, 0])))
        counts.append((trace.traffic, trace.work))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "call",
    [
        lambda x, given: np.where(x > 0, x, given([0, 1, 2])),
        lambda x, given: np.concatenate((x, given([0, 1, 2]))),
        lambda x, given: np.clip(x, given([0.0] * 3), given([1.0] * 3)),
        lambda x, given: np.isclose(x, given([0.0] * 3)),
        lambda x, given: np.outer(x, given([1.0, 2.0])),
        lambda x, given: np.repeat(x, given([1, 2, 3])),
        lambda x, given: np.insert(x, 0, given([1.0])),
        lambda x, given: np.take(x, given([0, 2])),
        lambda x, given: np.put(x, given([1]), 5.0),
        lambda x, given: np.dot(x, given([1.0, 2.0, 3.0])),
        lambda x, given: np.searchsorted(given([0.0, 1.0]), x),
        lambda x, given: np.broadcast_arrays(x, given([1.0]))[1] + x,
    ],
)
def test_lists_count_as_bare_arrays(traced, call):
    counts = []
    for given in (list, np.array):
        trace, x = traced((3,))
        call(x, given)
        counts.append((trace.traffic, trace.work))
    assert counts[0] == counts[1]
    trace, x = traced((3,), trace=instrumented.Trace(strict=True))
    before = x._array.copy()
    with pytest.raises(instrumented.BareArrayError, match="plain array of shape"):
        call(x, list)
    np.testing.assert_array_equal(x._array, before)


@pytest.mark.parametrize(
    ("call", "read", "written", "flops"),
    [
        (lambda x: np.dot(x, np.float32(2.0)), 12, 12, 3),
        (lambda x: np.put(x, 1, 5.0), 0, 4, 0),
        (lambda x: np.put(x, [1], 5.0), 8, 4, 0),
        (lambda x: np.digitize(0.5, x), 12, 8, 2),  # a binary search of ceil(log2 4) steps
        (lambda x: np.einsum("i,i", x, [1.0, 2.0, 3.0]), 12 + 24, 8, 6),
        (lambda x: np.take(x, 1), 4, 4, 0),
        (lambda x: setattr(x, "flat", 5.0), 0, 12, 0),
        (lambda x: setattr(x, "flat", x), 12, 12, 0),
    ],
)
def test_numbers_are_immediates_and_lists_bare_arrays(traced, call, read, written, flops):
    trace, x = traced((3,))
    call(x)
    assert (trace.traffic, trace.work.flops) == (Traffic(read, written), flops)


def test_einsum_with_numbers_is_refused_before_it_runs(traced):
    trace, x, target = traced((3,), (3,))
    before = target._array.copy()
    with pytest.raises(instrumented.UncountedOperationError, match=r"numpy\.einsum is counted"):
        np.einsum(",i->i", 2.0, x, out=target)
    assert trace.traffic == Traffic()
    np.testing.assert_array_equal(target._array, before)


def test_a_rule_for_a_bare_function_takes_every_array_for_an_operand():
    traffic_rule(np.unwrap)(streaming(Kind.ELEMENTWISE))
    try:
        trace = instrumented.Trace()
        x = trace.array(np.ones(3))
        np.unwrap(x, discont=[9.0, 9.0])
        assert trace.traffic == Traffic(24 + 16, 24)
    finally:
        del RULES[np.unwrap]


def test_one_array_under_two_roles_is_counted_under_both():
    trace = instrumented.Trace()
    plain = np.ones(4)
    weight, data = trace.array(plain, role="weight"), trace.array(plain)
    np.concatenate([weight, data])
    np.add(weight, data)
    roles = trace.by_role().groupby("role")["bytes_read"].sum()
    assert (roles["weight"], roles["data"]) == (64, 64)


def test_a_masked_copy_selects_and_a_plain_one_does_not(traced):
    trace, x, y = traced((3, 4), (4,))
    np.copyto(x, y, where=trace.array(np.array([True, False, False, True])))
    # the source, the mask and what is kept of the target; 12 selections
    assert (trace.traffic, trace.work) == (Traffic(16 + 4 + 48, 48), Work(add=12))
    np.copyto(x, y)
    assert trace.work == Work(add=12)


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    ("call", "read", "written"),
    [
        (lambda v, k: np.roots(v), 24, 16),  # two real roots
        (lambda v, k: np.poly(v), 24, 32),
        (lambda v, k: np.hstack(v), 24, 24),
        (lambda v, k: np.stack(v, axis=0), 24, 24),
        (lambda v, k: np.choose(k, v), 16 + 24, 16),
        (lambda v, k: np.select([v > 9], [v]), 2 * 24 + 3, 3 + 24),
        (lambda v, k: np.select(v > 9, v), 2 * 24 + 3, 3 + 8),
        (lambda v, k: np.ravel_multi_index(k, (2, 2)), 16, 8),
        (lambda v, k: np.polyfit(v, v, 1), 24 + 24, 16),
        (lambda v, k: np.vander(v), 24, 72),
        (lambda v, k: np.trim_zeros(v), 24, 0),
        # bins of two axes, 2 and 1: 2 counts, 3 + 2 edges
        (lambda v, k: np.histogram2d(v, v, k + 1), 24 + 24 + 2 * 16, 16 + 16 + 24 + 16),
        (lambda v, k: np.histogramdd([v, v], k + 1), 24 + 24 + 2 * 16, 16 + 16 + 24 + 16),
        (lambda v, k: np.histogram2d(v, v, v[::-1]), 3 * 24, 32),  # edges of both axes
    ],
)
def test_a_vector_that_numpy_runs_through_is_read_once(call, read, written, record):
    """Of 3 float64 or 2 int64. No element of it is taken out, in steps and outside of them."""
    trace = instrumented.Trace(record=record)
    v, k = trace.array(np.array([5.0, 1.0, -6.0])), trace.array(np.array([1, 0]))
    for n in (1, 2, 3):
        with trace.step("one"):
            call(v, k)
        assert trace.traffic == Traffic(n * read, n * written)
        assert "element" not in trace.to_frame()["operation"].to_numpy()
    (signature,) = trace.signatures
    assert signature.traffic == Traffic(read, written)
    v[0]
    np.hstack(v)  # the element that was taken out stays
    assert trace.traffic == Traffic(3 * read + 8 + 24, 3 * written + 8 + 24)


@pytest.mark.parametrize(
    "store",
    [
        lambda a, values: a.put([0, 1], values),
        lambda a, values: np.put(a, [0, 1], values),
        lambda a, values: np.place(a, a < 3, values),
        lambda a, values: np.putmask(a, a < 3, values),
        lambda a, values: np.put_along_axis(a, np.array([0, 1]), values, 0),
        lambda a, values: np.fill_diagonal(a.reshape(1, 2), values[:1]),
        lambda a, values: np.insert(a, 1, values),
        lambda a, values: a.flat.__setitem__(slice(0, 2), values),
        lambda a, values: a.__setitem__(slice(0, 2), values),
    ],
)
def test_a_list_is_stored_under_the_type_of_its_target(store):
    trace, whole = instrumented.Trace(), np.array([1, 2])
    x, plain = trace.array(np.array([1.5])), whole.copy()
    a = trace.array(whole)
    # beside 1.5 the list is one of float64, which has no 2**60 + 1
    made, want = store(a, [2**60 + 1, x[0]]), store(plain, [2**60 + 1, np.float64(1.5)])
    assert whole.tolist() == plain.tolist()
    assert made is None or made.escape().tolist() == want.tolist()
    with pytest.raises(OverflowError):
        store(trace.array(np.array([1, 2], np.uint8)), [300, 1])


def test_what_numpy_does_not_compare_is_refused_in_its_words():
    trace = instrumented.Trace()
    records = trace.array(np.array([(1, 2.0)], "i4,f8"))
    for compare in (operator.eq, operator.ne):
        with pytest.raises(TypeError, match="Cannot compare structured or void to non-void arrays"):
            compare(records, 1)
    assert trace.traffic == Traffic()
