"""The second call of a kind is counted and answered as the first was; stores are NumPy's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from instrumented import EscapeError, InstrumentError, Kind, Trace, Traffic
from instrumented.books.traced import booking_of
from instrumented.rules.traffic_rules import RULES, Moved, traffic_rule
from tests.instrumented.rules.conftest import check_same


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, o: np.dot(x, x, o),
        lambda x, o: np.sum(x, 0, None, o[0]),
        lambda x, o: x.cumsum(0, None, o),
        lambda x, o: x.mean(0, None, o[0]),
        lambda x, o: x.clip(0, 1, o),
        lambda x, o: np.dot(x, x, out=o),
        lambda x, o: np.add.reduce(x, axis=0, out=o[0]),
    ],
)
def test_out_is_given_as_often_as_one_likes(trace, call):
    x, o = trace.array(np.ones((2, 2))), trace.array(np.zeros((2, 2)))
    expected, result = np.ones((2, 2)), np.zeros((2, 2))
    want = call(expected, result)
    for k in range(1, 4):
        answer = call(x, o)
        assert np.array_equal(answer.escape(), want)
        assert np.array_equal(o.escape(), result)
        calls = trace.to_frame()
        assert calls[calls["flops"] > 0]["calls"].sum() == k


def test_a_largest_in_place_is_asked_for_as_numpy_wants_it(trace):
    x = trace.array(np.array([-1.0, 2.0]))
    for _ in range(3):
        np.maximum(x, 0, out=x)  # by position NumPy 2.4 warns, and a warning is an error here
    assert x.escape().tolist() == [0, 2]


def test_a_truth_value_of_pythons_is_numpys_every_time(trace):
    x = trace.array(np.ones(3))
    for _ in range(3):
        assert type(np.array_equal(x, x).escape()) is np.bool_


def test_a_product_in_place_takes_no_vector(trace):
    x = trace.array(np.arange(4.0).reshape(2, 2))
    for _ in range(2):
        with pytest.raises(ValueError, match="inplace matrix multiplication"):
            x @= trace.array(np.array([1.0, 2.0]))
    x @= trace.array(np.eye(2))
    assert np.array_equal(x.escape(), np.arange(4.0).reshape(2, 2))


def test_a_whole_number_repeats_a_sequence(trace):
    """Which leaves the trace as a Python number; a half repeats nothing, and multiplies no list."""
    seven = trace.array(np.array([3, 4])).sum()
    with pytest.raises(EscapeError, match="index"):
        [0, 1] * seven
    half = trace.array(np.array([0.25, 0.25])).sum()
    for call in (lambda: [1, 2] * half, lambda: half * (1, 2)):
        with pytest.raises(TypeError, match="can't multiply sequence"):
            call()


@pytest.mark.parametrize("value", [[5.0], np.array([5.0])])
@pytest.mark.filterwarnings("error")  # NumPy before 2.4 warns of an array
def test_one_element_takes_no_sequence(trace, value):
    x = trace.array(np.zeros(3))
    with pytest.raises((ValueError, DeprecationWarning), match=r"sequence|ndim > 0"):
        x[0] = value if isinstance(value, list) else trace.array(value)
    assert x.escape().tolist() == [0, 0, 0]


def test_a_list_is_an_exponent(trace):
    x = trace.array(np.array([2.0, 3.0, 4.0]))
    assert (x ** [1, 2, 3]).escape().tolist() == [2, 9, 64]
    x **= [0, 1, 2]
    assert x.escape().tolist() == [1, 3, 16]


def test_fill_takes_no_sequence(trace):
    x = trace.array(np.zeros(3))
    with pytest.raises(ValueError, match="sequence"):
        x.fill([1, 2, 3])


def test_histograms_of_other_numbers_of_bins_are_other_sizes(trace):
    """Counts (int64) and edges of k bins: 8 k + 8 (k + 1) bytes; k = 10, then 20."""
    x = trace.array(np.arange(8.0))
    np.histogram(x, 10)
    np.histogram(x, 20)
    assert trace.traffic.bytes_written == (80 + 88) + (160 + 168)
    before = trace.traffic.bytes_written
    y = trace.array(np.arange(8.0))
    np.histogram2d(x, y, 3)  # 9 counts (float64), twice 4 edges
    np.histogram2d(x, y, 6)  # 36 counts, twice 7 edges
    assert trace.traffic.bytes_written - before == 8 * (9 + 8) + 8 * (36 + 14)


def test_sizes_that_values_decide_are_looked_at_again(trace):
    """Of 4 float64 without those at 4 true places, then at 1: no bytes and 24."""
    x = trace.array(np.arange(4.0))
    for mask in ([True] * 4, [True, False, False, False]):
        chosen = trace.array(np.array(mask))
        before = trace.traffic.bytes_written
        np.delete(x, chosen)
        assert trace.traffic.bytes_written - before == 8 * (4 - sum(mask))
    before = trace.traffic.bytes_written
    one = trace.array(np.array([1.0, 1.0, 1.0]))
    np.polymul(one, trace.array(np.array([1.0, 1.0])))  # four coefficients
    np.polymul(trace.array(np.array([0.0, 0.0, 1.0])), trace.array(np.array([1.0, 1.0])))  # two
    assert trace.traffic.bytes_written - before == 32 + 16
    np.add.at(x, trace.array(np.array([True, False, False, True])), 1.0)
    assert {"delete", "polymul", "add.at"} <= set(trace.data_dependent["operation"])


def test_a_fill_value_is_read_once(trace):
    x = trace.array(np.arange(4.0))
    np.full_like(x, x)  # the model is x too, and is not read
    assert trace.traffic.bytes_read == 32


def test_a_field_of_a_record_is_that_field(trace):
    records = trace.array(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
    assert records[0]["b"].escape() == 2.0
    assert records[0]["a"].escape() == 1
    assert trace.array(np.array(["hello"]))[0][0].escape() == "h"


def test_texts_and_dates_are_not_told_by_their_type_alone(trace):
    names = trace.array(np.array(["ab", "cd"]))  # 4 bytes a letter
    days = trace.array(np.array(["2020-01-01"], "M8[D]"))
    assert (names + np.str_("x")).dtype == "U3"
    assert (days - np.datetime64("2020", "D")).dtype == "m8[D]"
    before = trace.traffic
    assert (names + np.str_("xyz")).dtype == "U5"
    assert (days - np.datetime64("2020", "s")).dtype == "m8[s]"
    # 2 texts of 2 letters in, of 5 out; 8 bytes in and out
    assert trace.traffic.bytes_read - before.bytes_read == 16 + 8
    assert trace.traffic.bytes_written - before.bytes_written == 40 + 8


def test_a_large_number_is_no_int64_though_a_small_one_was(trace):
    plain = np.array([1, 2, 3])
    x = trace.array(plain)
    for number in (1, 2**63, 1):
        made = np.outer(x, number)
        assert made.dtype == np.outer(plain, number).dtype
        assert np.full(2, number, like=x).dtype == np.full(2, number).dtype
        made + made
    # 2**63 is an uint64, which times an int64 is a float64: so is what is added after
    sums = [entry for entry in trace.ledger.entries if entry.operation.name == "add"]
    assert [(entry.dtype, entry.calls) for entry in sums] == [("int64", 2), ("float64", 1)]
    for call in (lambda: np.outer(x, 2**70), lambda: np.full(2, 2**70, like=x)):
        with pytest.raises(InstrumentError, match="object"):
            call()


def test_a_sign_and_a_number_on_the_left_are_counted_again(trace):
    """Each reads and writes one float64, or one float32: the type of the number is the same."""
    for dtype, size in (("f8", 8), ("f4", 4)):
        s = trace.array(np.arange(3, dtype=dtype)).sum()
        for _ in range(3):
            before = trace.traffic
            made = [-s, 0.75 * s, abs(s)]
            assert [one.escape() for one in made] == [-3, 2.25, 3]
            assert {one.dtype for one in made} == {np.dtype(dtype)}
            escapes = 3 * size
            assert trace.traffic.bytes_read - before.bytes_read == 3 * size + escapes
            assert trace.traffic.bytes_written - before.bytes_written == 3 * size


def test_arrays_of_numbers_in_lists_are_made_again(trace):
    """Traced numbers are read, Python's are in the instruction; the array is written."""
    s, k = trace.array(np.ones(2)).sum(), trace.array(np.array([1, 2])).sum()
    for _ in range(3):
        for items, read, want in (
            ([s, 1, True], 8, [2.0, 1.0, 1.0]),
            ([[k, k], (4, k)], 24, [[3, 3], [4, 3]]),
            ([k, 2.5], 8, [3.0, 2.5]),
            ([k, 2**62], 8, [3, 2**62]),
            ([k, 2**63], 8, [3, 2**63]),
        ):
            expected = np.array(want)
            before = trace.traffic
            made = np.array(items, like=s)
            assert trace.traffic.bytes_read - before.bytes_read == read
            assert trace.traffic.bytes_written - before.bytes_written == expected.nbytes
            assert made.escape().tolist() == expected.tolist()


def test_what_an_array_is_made_of_is_looked_at_every_time(trace):
    """Numbers of 64 bits make floats, others whole numbers; plain arrays in lists have sizes."""
    x = trace.array(np.ones(3, "f4"))
    k = trace.array(np.arange(3)).sum()
    for last in (2**63, 1, 2**63):
        made = np.array([k, last], like=x)
        assert booking_of(made).layout(made).dtype == made.dtype
        assert made.dtype == np.array([np.int64(3), last]).dtype
    for dtype, size in (("f4", 4), ("f8", 8)):
        before = trace.traffic.bytes_written
        np.array([[x, np.ones(3, dtype)]], like=x)
        assert trace.traffic.bytes_written - before == 6 * size


AGAIN = [
    # several results
    lambda v: np.divmod(v.x, v.y),
    lambda v: divmod(v.x, 2.0),
    lambda v: (np.modf(v.x), np.frexp(v.y)),
    lambda v: np.linalg.qr(v.a),
    lambda v: np.linalg.svd(v.a, full_matrices=False),
    lambda v: (np.linalg.eigh(v.a), np.linalg.slogdet(v.a)),
    # under a mask
    lambda v: np.multiply(v.x, v.y, out=v.o, where=v.m),
    lambda v: np.add.reduce(v.x, axis=0, where=v.m),
    lambda v: np.add.reduce(v.x, where=v.m[0], out=v.o[0]),
    # real or complex, rank, NaN
    lambda v: (np.linalg.eig(v.a), np.linalg.eigvals(v.a)),
    lambda v: np.linalg.lstsq(v.a, v.x, rcond=0.5),
    lambda v: np.emath.sqrt(v.y),
    lambda v: np.roots(v.k),
    # as many as there are
    lambda v: (np.nonzero(v.m), v.m.nonzero(), np.where(v.m), np.argwhere(v.m)),
    lambda v: (np.unique(v.k), np.unique(v.k, return_counts=True), np.bincount(v.k)),
    lambda v: (np.repeat(v.x, v.k, axis=0), v.k.repeat(v.k), np.repeat(v.k, 2)),
    lambda v: (np.compress(v.m[0], v.x, axis=1), np.extract(v.m, v.x)),
    lambda v: (np.delete(v.k, v.m[0, :3]), np.insert(v.k, v.m[0, :3], 1), np.trim_zeros(v.k)),
    lambda v: (np.union1d(v.k, v.k[:1]), np.polymul(v.k, v.k), np.ix_(v.m[0], v.k > 1)),
    lambda v: np.putmask(v.o, v.m, 1.0),
    lambda v: np.place(v.o, v.m, [2.0]),
    # through an index
    lambda v: (v.x[v.k, v.k], v.x[v.k, 1], v.x[:, v.k], v.x[0:2, v.k], v.x[v.k, None, 1:]),
    lambda v: (v.x[v.m], v.x[v.m[0, :3], 1:], v.x[:, v.m[0]], v.x[v.m[0][:3]]),
    lambda v: v.o.__setitem__(v.m, 0.0),
    lambda v: v.o.__setitem__((v.k, v.k), v.x[0, :3]),
    lambda v: [v.o.__setitem__((part, v.k), 1.0) for part in (0, slice(0, 1), slice(2), ...)],
    lambda v: (v.o.__setitem__((slice(None), v.m[0]), 1.0), v.o.__setitem__(v.m[0, :3], 1.0)),
    lambda v: np.add.at(v.o, v.k, 1.0),
    lambda v: np.add.at(v.o, 1, v.x[0]),
    lambda v: np.add.at(v.o, v.m, 1.0),
    lambda v: np.add.reduceat(v.x, v.r),
    lambda v: (v.x.real, v.z.real, v.z.imag),
]


def _operands(variant):
    """Operands of the same layouts; their values decide other sizes and types."""
    row = np.arange(12.0).reshape(3, 4)
    symmetric, rotation = [[2, 1, 0], [1, 3, 1], [0, 1, 4]], [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    return {
        "x": row + variant, "y": row - variant, "o": np.zeros((3, 4)), "m": row > 4 * variant,
        "a": np.array([symmetric, rotation, np.ones((3, 3))][variant], np.float64),
        "k": np.array([[2, 0, 2], [0, 1, 2], [0, 0, 0]][variant]),
        "r": np.array([[0, 1], [0, 2], [2, 0]][variant]), "z": np.array([1 + 2j, variant]),
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("call", AGAIN)
def test_a_known_call_is_counted_as_a_first_one(call, record):
    """Three times through values that decide other sizes, against a trace of its own each time."""
    trace = Trace(record=record)
    for variant in (0, 1, 2, 1, 0, 2, 2, 1, 0):
        fresh = Trace()
        counts = []
        for one in (trace, fresh):
            plain = SimpleNamespace(**_operands(variant))
            operands = SimpleNamespace(
                **{name: one.array(v) for name, v in _operands(variant).items()}
            )
            before = one.traffic, one.work
            got = call(operands)
            counts.append(
                [
                    one.traffic.bytes_read - before[0].bytes_read,
                    one.traffic.bytes_written - before[0].bytes_written,
                    one.work.flops - before[1].flops,
                ]
            )
            check_same(got, call(plain))
            check_same(operands.o, plain.o)
        assert counts[0] == counts[1], variant
        told = set(trace.data_dependent["operation"])
        assert told >= set(fresh.data_dependent["operation"])
    if record:
        moved = [
            sum(one.nbytes for event in trace.events for one in getattr(event, side))
            for side in ("reads", "writes")
        ]
        assert [trace.traffic.bytes_read, trace.traffic.bytes_written] == moved


def test_a_rule_from_outside_is_asked_every_time_where_values_decide(trace):
    """It may look at the values themselves: here 8 bytes for each that is above 1."""

    def moved(call):
        return Moved(Kind.COPY, [(call.operands[0], 8 * int((call.operands[0] > 1).sum()))], [])

    declared = "unwrap(p: array, discont, axis, *, period)"
    traffic_rule(declared, by_values=lambda call: True)(moved)
    try:
        for values in ([1.0, 2.0, 3.0], [1.0, 1.0, 2.0], [0.0, 0.0, 0.0]):
            np.unwrap(trace.array(np.array(values)))
    finally:
        del RULES[np.unwrap]
    assert trace.traffic.bytes_read == 8 * (2 + 1 + 0)


def test_counts_of_bins_leave_every_time():
    trace = Trace(escapes="record")
    x, n = trace.array(np.arange(6.0)), trace.array(np.array([3, 5]))
    for k, written in ((0, 24 + 32), (1, 40 + 48)):  # as many counts, one edge more
        bins, before = n[k], trace.traffic.bytes_written
        np.histogram(x, bins)
        assert trace.traffic.bytes_written - before == written
    assert trace.escapes["bytes_read"].tolist() == [8 + 8]


def test_a_number_of_another_trace_is_refused_where_one_of_its_own_is_known(traced):
    (trace, x), (_, other) = traced((4,)), traced((4,))
    for _ in range(2):
        x[0] = x[1]
    with pytest.raises(InstrumentError, match="two traces"):
        x[0] = other[1]
    # twice an element taken out and stored
    assert trace.traffic == Traffic(16, 16)


def test_an_index_of_another_trace_is_refused_beside_others(traced):
    (trace, x), (other, _) = traced((3, 4)), traced((1,))
    own, foreign = (one.array(np.array([0, 2])) for one in (trace, other))
    assert x[own, 1].shape == (2,)  # 2 of 4 bytes are read, 2 positions of 8; 2 of 4 written
    for use in (lambda: x[foreign, 1], lambda: x.__setitem__((foreign, own), 0)):
        with pytest.raises(InstrumentError, match="two traces"):
            use()
    assert trace.traffic == Traffic(8 + 16, 8)


def test_a_mask_of_another_trace_is_refused_where_one_of_its_own_is_known(traced):
    (trace, x), (other, _) = traced((2, 2)), traced((2, 2))
    own, foreign = (one.array(np.eye(2, dtype=bool)) for one in (trace, other))
    out = np.zeros_like(x)
    for _ in range(2):
        np.multiply(x, x, out=out, where=own)
    with pytest.raises(InstrumentError, match="two traces"):
        np.multiply(x, x, out=out, where=foreign)


def test_stores_through_lists_of_other_lengths_are_counted_anew(traced):
    trace, x = traced((8,))
    for _ in range(2):
        x[[0, 1]] = 0
        x[[0, 1, 2]] = 0
    # twice 2 and 3 positions of 8 bytes are read, 2 and 3 of 4 bytes written
    assert trace.traffic == Traffic(2 * (16 + 24), 2 * (8 + 12))
