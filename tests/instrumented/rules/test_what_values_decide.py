"""What values decide is counted anew on every call, and told as such."""

from __future__ import annotations

import operator

import numpy as np
import pytest

from instrumented import EscapeError, Trace, Traffic


def test_a_text_taken_out_is_as_long_as_its_letters():
    trace = Trace()
    x = trace.array(np.array(["a", "abc", "ab"]))
    for _ in range(2):
        assert [x[k].itemsize for k in range(3)] == [4, 12, 8]
    # an element of 3 letters of 4 bytes is read each time; 1, 3 and 2 letters are written
    assert trace.traffic == Traffic(2 * 3 * 12, 2 * (4 + 12 + 8))
    assert trace.data_dependent["calls"].sum() == 6


@pytest.mark.parametrize("record", [False, True])
def test_texts_that_numpy_runs_through_are_not_taken_out(record):
    trace = Trace(record=record)
    x, k = trace.array(np.array(["a", "abc"])), trace.array(np.array([1, 0, 1]))
    for n in (1, 2):
        np.choose(k, x)
        # 3 positions of 8 bytes and 2 texts of 12 are read, 3 texts written
        assert trace.traffic == Traffic(24 + 24, 36) * n
    assert trace.data_dependent.empty
    assert trace.to_frame()["operation"].tolist() == ["choose"]


def test_the_largest_text_is_counted_by_its_own_letters():
    trace = Trace()
    for texts in (["a", "abc"], ["a", "a"], ["b", "ab"]):
        trace.array(np.array(texts, "U3")).take(1)
    # the position is a constant; 12 bytes are read, and 3, 1 and 2 letters written
    assert trace.traffic == Traffic(3 * 12, 12 + 4 + 8)
    assert not trace.data_dependent.empty


@pytest.mark.parametrize("add", [np.add, operator.add])
def test_a_text_put_together_is_counted_by_its_own_letters(add):
    trace = Trace()
    for text in ("ab", "a", "ab"):
        x = trace.array(np.array(text, "U5"))
        assert add(x, x).itemsize == 2 * 4 * len(text)
    # two operands of 5 letters are read; 4, 2 and 4 letters of 4 bytes are written
    assert trace.traffic == Traffic(3 * 40, 16 + 8 + 16)


@pytest.mark.parametrize("store", [np.putmask, np.place])
def test_a_mask_of_one_element_selects_or_not(store):
    trace = Trace()
    x, masks = trace.array(np.zeros(1)), trace.array(np.array([True, False]))
    for k in (0, 1, 0):
        store(x, masks[k], 2.0)
    # three masks of a byte are taken out and read; 8 bytes are stored twice
    assert trace.traffic == Traffic(3 * 1 + 3 * 1, 3 * 1 + 2 * 8)
    assert not trace.data_dependent.empty


def test_a_mask_of_one_element_keeps_the_target_of_a_clip():
    trace = Trace()
    x, y, mask = (trace.array(made) for made in (np.ones(4), np.ones(4), np.array([True])))
    s = mask[0]
    before = trace.traffic
    np.clip(x, 0, 1, out=y, where=s)
    # x, the mask of a byte and the target are read
    assert trace.traffic.bytes_read - before.bytes_read == 32 + 1 + 32


@pytest.mark.parametrize("function", [np.quantile, np.nanquantile])
def test_a_quantile_that_is_nan_has_the_type_of_the_input(function, recwarn):
    trace, half, written = Trace(), np.float64(0.5), 0
    for values in ([1, 2], [np.nan, np.nan], [1, 2]):
        plain = np.array(values, np.float32)
        want, got = function(plain, half), function(trace.array(plain), half)
        assert got.dtype == want.dtype
        written += want.nbytes
    # 8 bytes are read each time; 8, 4 and 8 are written, or 4, where NumPy makes all of them narrow
    assert trace.traffic == Traffic(3 * 8, written)
    assert not trace.data_dependent.empty


def test_residuals_of_a_fit_hang_on_its_rank(recwarn):
    trace, y = Trace(), np.array([1.0, 2, 3, 5])
    sizes = [
        sum(made.nbytes for made in np.polyfit(trace.array(x), trace.array(y), 2, full=True))
        for x in (np.arange(4.0), np.ones(4), np.arange(4.0))
    ]
    # of equal places the rank is 1: one float64 less
    assert sizes[0] == sizes[1] + 8 == sizes[2]
    assert trace.traffic == Traffic(3 * (32 + 32), sum(sizes))
    assert not trace.data_dependent.empty


@pytest.mark.parametrize(
    ("call", "how", "nbytes"),
    [
        (lambda x, n: np.histogram2d(x, x, [n, 1]), "numpy.histogram2d: bins", 8),
        (lambda x, n: np.histogram2d(x, x, (2, n)), "numpy.histogram2d: bins", 8),
        (lambda x, n: np.histogram2d(x, x, [n, [0, 2]]), "numpy.histogram2d: bins", 8),
        (lambda x, n: np.histogramdd(x.reshape(4, 1), [n]), "numpy.histogramdd: bins", 8),
        (lambda x, n: np.histogramdd([x, x, x], [1, n, n]), "numpy.histogramdd: bins", 16),
        (lambda x, n: np.pad(x, 2, mode="mean", stat_length=n), "numpy.pad: stat_length", 8),
        (lambda x, n: np.pad(x, 2, "mean", stat_length=((n, 1),)), "numpy.pad: stat_length", 8),
    ],
)
def test_a_traced_count_in_a_list_is_an_escape(call, how, nbytes):
    def operands(trace):
        return trace.array(np.arange(4.0)), trace.array(np.array([3]))[0]

    trace = Trace(escapes="record")
    call(*operands(trace))
    rows = trace.escapes_by_line
    assert (set(rows["how"]), rows["bytes_read"].sum()) == ({how}, nbytes)
    refusing = Trace(strict=True)
    x, n = operands(refusing)
    before = refusing.traffic
    with pytest.raises(EscapeError, match=how):
        call(x, n)
    assert refusing.traffic == before


def test_three_numbers_for_two_axes_are_edges():
    trace = Trace()
    x = trace.array(np.arange(4.0))
    two = x[2]
    counts, *_ = np.histogram2d(x, x, [0, two, 3])
    # an element; the list made of it, 8 bytes, to 3 edges of 8; x twice and the edges to 4 counts
    assert trace.traffic == Traffic(8 + 8 + 2 * 32 + 24, 8 + 24 + 4 * 8)
    assert counts.shape == (2, 2)


@pytest.mark.parametrize(
    ("store", "read"),
    [
        (lambda m: m.__setitem__(m, False), 4),
        (lambda m: m.__setitem__((m,), False), 4),
        (lambda m: m.flat.__setitem__(m, False), 4),
        (lambda m: np.putmask(m, m, False), 4),
        (lambda m: np.place(m, m, [False]), 4 + 1),  # and the list
        (lambda m: np.logical_and.at(m, m, False), 4 + 3),  # and the 3 elements
    ],
)
def test_a_mask_that_is_stored_through_itself_says_before_how_much(store, read):
    for first, second in ((3, 3), (3, 1)):  # a known call too
        trace = Trace()
        for true in (first, second):
            m = trace.array(np.arange(4) < true)
            before = trace.traffic
            store(m)
            m_read = read - 3 + true if read == 7 else read
            assert trace.traffic.bytes_read - before.bytes_read == m_read
            assert trace.traffic.bytes_written - before.bytes_written == true
            assert not m.escape().any()
