"""``x.flat`` does what NumPy's iterator does, and counts what it moves."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import EscapeError, Trace, Traffic, analyse

PLAIN = np.arange(12.0).reshape(3, 4)


def test_a_slice_is_a_copy():
    trace = Trace(strict=True)
    x = trace.array(PLAIN.copy())
    part = x.flat[1:3]
    part[0] = 9.0
    assert x.escape()[0, 1] == 1.0


def test_it_counts_on_from_where_it_stands():
    trace = Trace(strict=True)
    x = trace.array(PLAIN.copy())
    flat = x.flat
    assert next(flat).escape() == 0.0
    assert next(flat).escape() == 1.0
    assert (flat.index, flat.coords, len(flat)) == (2, (0, 2), 12)
    assert iter(flat) is flat
    assert flat.base is x
    assert [v.escape() for v in flat] == list(range(2, 12))
    with pytest.raises(StopIteration):
        next(flat)
    x.flat[3] = 7.0
    assert x.escape()[0, 3] == 7.0


def stored(index, value):
    def call(x):
        x.flat[index] = value

    return call


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize(
    ("call", "read", "written"),
    [
        (lambda x: next(x.flat), 8, 8),
        (lambda x: x.flat[5], 8, 8),
        (lambda x: x.flat[-1], 8, 8),
        (lambda x: x.flat[1:4], 24, 24),
        (lambda x: x.T.flat[1:4], 24, 24),
        (lambda x: x.flat[...], 96, 96),
        (lambda x: x.flat.copy(), 96, 96),
        (lambda x: x.T.flat.copy(), 96, 96),
        (stored(1, 2.0), 0, 8),
        (stored(slice(1, 4), 2.0), 0, 24),
        (lambda x: stored(slice(1, 4), x[0, :3])(x), 24, 24),
        (lambda x: stored(slice(1, 4), 2.0)(x.T), 0, 24),
        (lambda x: np.sum(x.flat), 96, 8),
        (lambda x: np.sum(x.T.flat), 96 + 96, 96 + 8),  # copied in that order first
        (lambda x: x.flat == 3.0, 96, 12),
        (lambda x: x[0] + x[1:2].flat, 32 + 32, 32),
        (lambda x: np.concatenate([x.flat, x.flat]), 96 + 96, 192),
    ],
)
def test_bytes(call, read, written, record):
    """Of 12 float64, 96 bytes; twice, since the second call of a kind is counted another way."""
    trace = Trace(strict=True, record=record)
    x, plain = trace.array(PLAIN.copy()), PLAIN.copy()
    for k in (1, 2):
        got, want = call(x), call(plain)
        assert trace.traffic == Traffic(k * read, k * written)
        if want is not None:
            np.testing.assert_array_equal(got._array, want, strict=True)
        np.testing.assert_array_equal(x._array, plain)
    if record:
        assert analyse(trace).traffic is not None


def test_positions_are_read_and_masks_noted():
    trace = Trace()
    x = trace.array(PLAIN.copy())
    # two int64 positions and two float64; then a mask of 12 bytes and six elements
    assert x.flat[trace.array(np.array([1, 11]))].escape().tolist() == [1.0, 11.0]
    assert trace.traffic == Traffic(32 + 16, 16)
    assert trace.data_dependent.empty
    mask = trace.array(np.arange(12) % 2 == 0)
    x.flat[mask] = 0.0
    assert trace.traffic == Traffic(32 + 16 + 12, 16 + 48)
    assert trace.data_dependent["operation"].tolist() == ["scatter"]


def test_what_numpy_refuses():
    trace = Trace()
    x = trace.array(PLAIN.copy())
    for call in (
        lambda: x.flat + 1.0,
        lambda: np.put(x.flat, [1], 2.0),
        lambda: np.add(x[0], 1.0, out=x.flat),
        lambda: hash(x.flat),
        lambda: x.flat.__delitem__(0),
    ):
        with pytest.raises(TypeError):
            call()
    for index in (12, "a"):
        with pytest.raises(IndexError):
            x.flat[index]
    with pytest.raises(EscapeError):
        np.asarray(x.flat)
    assert trace.traffic == Traffic()
