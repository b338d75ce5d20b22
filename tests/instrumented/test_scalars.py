"""Scalars are values, as NumPy's are: never views, never changed, NumPy's own arithmetic."""

from __future__ import annotations

import math
import operator
import re
from typing import Any

import numpy as np
import pytest

import instrumented
from instrumented import TracedArray, TracedScalar, Traffic, Work


def same(traced, plain):
    """Equal bit for bit, and an array or a scalar as NumPy made it."""
    if isinstance(plain, tuple):
        assert len(traced) == len(plain)
        return all(same(t, p) for t, p in zip(traced, plain, strict=True))
    kind = TracedArray if isinstance(plain, np.ndarray) else TracedScalar
    assert type(traced) is kind, f"{type(traced).__name__} for {type(plain).__name__}"
    value = traced._array
    assert value.dtype == plain.dtype
    assert value.shape == plain.shape
    return value.tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x[0],
        lambda x: x[-1],
        lambda x: x.sum(),
        lambda x: x.mean(),
        lambda x: x @ x,
        lambda x: np.max(x),
        lambda x: np.linalg.norm(x),
        lambda x: np.sqrt(x[0]),
        lambda x: x[0] * 2,
        lambda x: 2.0 - x[1],
        lambda x: x[0] + x[1],
        lambda x: x.sum() ** 3,
        lambda x: 2.0 ** x[0],
        lambda x: x[0] // x[1],
        lambda x: x[0] % x[1],
        lambda x: divmod(x[0], x[1]),
        lambda x: -x[0],
        lambda x: abs(x[0]),
        lambda x: x[0] > x[1],
        lambda x: x.argmax(),
        lambda x: x[0].astype(np.float32),
        lambda x: x[0].copy(),
        lambda x: x.T[0],
        lambda x: x[0].T,
        lambda x: x[0].real,
        lambda x: x[0].sum(),
        lambda x: x[0].reshape(1),
        lambda x: x[0, ...],
        lambda x: x[0, ...] + x[1, ...],
        lambda x: x[0][None],
        lambda x: x[0][()],
        lambda x: np.copy(x[0]),
        lambda x: np.where(x[0] > x[1], x[0], x[1]),
        lambda x: x[0] * x,
        lambda x: x * x[0],
        lambda x: round(x[0], 2),
        lambda x: x.conj(),
        lambda x: np.atleast_1d(x[0]),
        lambda x: np.full_like(x, x[0]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpy_decides_what_is_a_scalar(make, dtype):
    plain = np.array([0.7, 1.9, 0.3], dtype)
    assert same(make(instrumented.Trace().array(plain)), make(plain))


def test_scalars_are_bound_anew_and_arrays_stay():
    x: Any = instrumented.Trace().array(np.array([1.0, 2.0, 3.0]))
    s = x[0]
    s += x[1]
    total = x.sum()
    kept = total
    total += 1
    x[0], x[1] = x[1], x[0]
    assert (s.escape(), kept.escape(), total.escape()) == (3.0, 6.0, 7.0)
    assert x.escape().tolist() == [2.0, 1.0, 3.0]


def test_an_integer_scalar_takes_a_fraction():
    s = instrumented.Trace().array(np.array([1, 2]))[0]
    s += 0.5
    assert s.escape() == 1.5


def test_arrays_without_axes_are_arrays():
    x: Any = instrumented.Trace().array(np.array(1.0))
    kept = x
    x += 1.0
    assert kept is x
    assert x.escape() == 2.0
    with pytest.raises(TypeError):
        hash(x)


def test_scalars_cannot_be_stored_into():
    s = instrumented.Trace().array(np.ones(3))[0]
    with pytest.raises(TypeError):
        s[...] = 2.0
    with pytest.raises((IndexError, TypeError)):
        s[0]
    with pytest.raises(TypeError):
        len(s)


def test_an_element_is_copied_out(traced):
    trace, x = traced((5,))
    s = x[1]
    assert trace.traffic == Traffic(4, 4)
    s * s  # reads 4 + 4, writes 4, one multiplication
    assert (trace.traffic, trace.work) == (Traffic(12, 8), Work(multiply=1))
    x[0] = s  # reads 4, writes 4
    assert trace.traffic == Traffic(16, 12)


def test_an_array_made_of_a_scalar_shows_its_bytes_and_cannot_change_it(traced):
    trace, x = traced((5,))
    s = x.sum()
    before = trace.traffic
    row = s.reshape(1)
    assert trace.traffic == before
    row += 1.0
    assert row.escape()[0] == s.escape() + 1.0


def test_shuffling_keeps_every_element():
    plain = np.arange(20.0)
    x: Any = instrumented.Trace().array(plain.copy())
    with pytest.warns(UserWarning, match="not a subclass of 'Sequence'"):
        np.random.default_rng(1).shuffle(x)
    np.random.default_rng(1).shuffle(plain)
    assert x.escape().tolist() == plain.tolist()


BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod,
    operator.pow, np.maximum, np.add, np.multiply, operator.lt, operator.eq,
]  # fmt: skip
UNARY = [
    operator.neg, abs, np.sqrt, np.exp, np.tanh, np.sum, np.mean, lambda v: v.max(),
    lambda v: v[0] if v.ndim else v, lambda v: v[-1] if v.ndim else v[()],
    lambda v: v[..., None] if v.ndim < 3 else v, lambda v: v * 2, lambda v: 3 - v, lambda v: v**2,
    lambda v: v**3, lambda v: 1 / v, np.cumsum, lambda v: v.astype(np.float32),
    lambda v: v.reshape(-1), lambda v: v.argmax(), np.square, lambda v: v.T, lambda v: v.copy(),
]  # fmt: skip


def swap(v):
    if v.ndim == 1 and v.shape[0] > 1:
        v[0], v[1] = v[1], v[0]
    return v


def grow(v):
    kept = v
    v += 1
    return kept


def run(rng, values):
    """Forty random operations on arrays and scalars, the same for the same ``rng``."""
    values = list(values)
    for _ in range(40):  # both programs must take the same turns, so refusals must agree too
        first, second = (values[rng.integers(len(values))] for _ in range(2))
        kind = rng.integers(4)
        try:
            if kind == 0:
                value = UNARY[rng.integers(len(UNARY))](first)
            elif kind == 1 and first.dtype == np.float64:
                value = (swap, grow)[rng.integers(2)](first)
            else:
                value = BINARY[rng.integers(len(BINARY))](first, second)
        except (ValueError, TypeError):  # shapes or types that do not go together
            continue
        if value.size < 500:
            values.append(value)
    return values


@np.errstate(all="ignore")
@pytest.mark.parametrize("block", range(8))
def test_random_programs_with_scalars_are_equal_bit_for_bit(block):
    for seed in range(50 * block, 50 * block + 50):
        start = [np.random.default_rng(seed).random(shape) for shape in [(3,), (2, 3), (4,), ()]]
        expected = run(np.random.default_rng(seed), [np.array(a) for a in start])
        trace = instrumented.Trace(strict=True)
        got = run(np.random.default_rng(seed), [trace.array(np.array(a)) for a in start])
        assert len(got) == len(expected)
        for have, want in zip(got, expected, strict=True):
            assert same(have, want), seed


def test_hashing_is_an_escape():
    s = instrumented.Trace().array(np.array([2.5]))[0]
    with pytest.raises(instrumented.EscapeError, match="hashing"):
        hash(s)
    trace = instrumented.Trace(escapes="record")
    s = trace.array(np.array([2.5]))[0]
    assert {2.5: "here"}[s] == "here"
    assert math.sqrt(trace.array(np.array([4.0]))[0]) == 2.0


@pytest.mark.parametrize(
    "call",
    [
        lambda t: "x" + t,
        lambda t: t + "x",
        lambda t: t + t,
        lambda t: t * 2,
        lambda t: 2 * t,
        lambda t: t == "ab",
        lambda t: t < "b",
    ],
)
def test_text_is_put_together_outside(call):
    """A text of 2 letters of 4 bytes leaves, or is refused by name."""
    plain = np.array(["ab", "c"])
    trace = instrumented.Trace(escapes="record")
    want, got = call(plain[0]), call(trace.array(plain)[0])
    assert (type(got), got) == (type(want), want)
    assert set(trace.escapes_by_line["how"]) == {"arithmetic on text"}
    with pytest.raises(instrumented.EscapeError, match="text"):
        call(instrumented.Trace().array(plain)[0])


def test_an_array_made_of_a_scalar_is_an_array():
    """And a free view of its bytes; NumPy's scalars have no product, order or membership."""
    trace = instrumented.Trace()
    s: Any = trace.array(np.array([3.0, 4.0]))[1]
    before = trace.traffic
    for made in (np.reshape(s, -1), np.atleast_1d(s)):
        assert isinstance(made, TracedArray)
    assert trace.traffic == before
    assert s.flatten().flags.owndata
    for call in (lambda: s @ s, lambda: 1.0 in s, lambda: iter(s)):
        with pytest.raises(TypeError):
            call()
    assert not hasattr(s, "dot")


@pytest.mark.parametrize("value", [[1.0], np.ones(2), (1.0, 2.0)])
def test_none_is_a_type_and_fill_takes_one_value(value):
    trace = instrumented.Trace()
    x = trace.array(np.arange(4, dtype=np.int32))
    assert x.view(None).dtype == np.float64
    assert x.view().dtype == np.int32
    with pytest.raises((ValueError, TypeError)):
        x.fill(trace.array(value) if isinstance(value, np.ndarray) else value)
    assert trace.traffic == Traffic()


def test_a_scalar_as_pythons_own_object_has_left():
    trace = instrumented.Trace(escapes="record")
    made = trace.array(np.array([3, 4]))[1].astype(object)
    assert (type(made), made) == (int, 4)
    assert trace.escapes_by_line["bytes_read"].tolist() == [8]


def test_a_scalar_without_axes_stays_one():
    trace = instrumented.Trace()
    s: Any = trace.array(np.array([3.0, 4.0]))[1]
    before = trace.traffic
    for made in (np.reshape(s, ()), np.astype(s, np.uint8), np.astype(s, np.float64)):
        assert isinstance(made, TracedScalar)
    # 8 bytes read thrice; 8, 1 and 8 written
    assert trace.traffic.bytes_read - before.bytes_read == 24
    assert trace.traffic.bytes_written - before.bytes_written == 17


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.is_integer(),
        lambda s: s.hex(),
        lambda s: s.as_integer_ratio(),
        lambda s: s.bit_count(),
        lambda s: s.numerator,
        lambda s: s.denominator,
        lambda s: list(s.flat),
        lambda s: s.getfield(np.int16),
        lambda s: s.byteswap(),
        lambda s: s.data.tobytes(),
        lambda s: s.dumps(),
        lambda s: math.trunc(s),
        lambda s: round(s),
    ],
)
@pytest.mark.parametrize("kind", [np.float64, np.int64, np.complex128])
def test_what_else_numpys_numbers_have_lets_their_value_out(call, kind):
    plain = np.array([2.0], kind)
    trace = instrumented.Trace(escapes="record")
    error = expected = None
    try:
        expected = call(plain[0])
    except (AttributeError, TypeError) as raised:  # not all kinds have all of them
        error = raised
    if error is not None:
        for one in (trace, instrumented.Trace()):
            with pytest.raises(type(error), match=re.escape(str(error))):
                call(one.array(plain)[0])
        assert trace.escapes.empty
        return
    assert call(trace.array(plain)[0]) == expected
    assert trace.escapes["bytes_read"].tolist() == [plain.itemsize]
    with pytest.raises(instrumented.EscapeError, match=r"call \.escape"):
        call(instrumented.Trace().array(plain)[0])


def test_what_cannot_change_a_number_does_as_little_as_with_numpys():
    trace = instrumented.Trace()
    s: Any = trace.array(np.array([2.5]))[0]
    assert (s.fill(1.0), s.put(0, 1.0), s.base, s.device) == (None, None, None, "cpu")
    with pytest.raises(np.exceptions.AxisError):
        s.sort()
    with pytest.raises(TypeError, match="complex128 doesn't define __round__"):
        round(trace.array(np.array([1j]))[0], 1)
    assert s.escape() == 2.5


@pytest.mark.parametrize("above", [2.0, 3.0])
def test_a_truth_value_selects_a_scalar_or_nothing(above):
    plain = np.array([2.5])
    trace = instrumented.Trace()
    s = trace.array(plain)[0]
    mask = s > above
    before = trace.traffic
    made = s[mask]
    assert same(made, plain[0][plain[0] > above])
    # the 8 bytes that are selected, or none, and the truth value; as much is written
    nbytes = 8 if above < 2.5 else 0
    assert trace.traffic.bytes_read - before.bytes_read == nbytes + 1
    assert trace.traffic.bytes_written - before.bytes_written == nbytes
    assert trace.data_dependent["operation"].tolist() == ["gather"]


@pytest.mark.parametrize("other", [None, "a", b"a"])
@pytest.mark.parametrize("compare", [operator.eq, operator.ne])
def test_nothing_and_a_text_are_compared_as_by_numpy(compare, other):
    plain = np.arange(3.0)
    trace = instrumented.Trace(strict=True)
    x = trace.array(plain)
    # 3 float64 read, 3 truth values written, 3 comparisons
    assert same(compare(x, other), compare(plain, other))
    assert (trace.traffic, trace.work) == (Traffic(24, 3), Work(add=3))
    s = x[0]
    before = trace.traffic
    assert compare(s, None) is compare(plain[0], None)
    assert trace.traffic == before  # its type decides


class TakesNoUfuncs:
    __array_ufunc__ = None

    def __radd__(self, other):
        return type(other)

    def __eq__(self, other):
        return type(other)

    __hash__ = None


def test_operators_are_left_to_who_takes_no_ufuncs():
    x: Any = instrumented.Trace(strict=True).array(np.ones(2))
    for value in (x, x[0]):
        assert value + TakesNoUfuncs() is type(value)
        assert (value == TakesNoUfuncs()) is type(value)
    with pytest.raises(TypeError):
        x += TakesNoUfuncs()


def test_operators_of_scalars_refuse_as_numpys_do():
    trace = instrumented.Trace()
    z, n, x = (trace.array(np.array([v])) for v in (1 + 2j, 3, 2.0))
    for one in (np.complex128(1 + 2j), z[0]):
        with pytest.raises(TypeError, match=r"for %=: 'numpy.complex128' and 'int'"):
            one %= 2
        with pytest.raises(TypeError, match=r"for //=: 'numpy.complex128' and 'int'"):
            one //= 2
    for base in (n[0], x[0], x):
        with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \*\* or pow\(\)"):
            pow(base, 2, 5)
    left = n[0]
    left %= 2
    assert left.escape() == 1
