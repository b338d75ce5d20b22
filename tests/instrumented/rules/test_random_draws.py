"""Random draws through the trace: NumPy's own values, written as they are made."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import instrumented
from instrumented import Traffic
from instrumented.rules.random_draws import PARAMETERS


def both(call, *arrays):
    """Return the plain answer, the traced one and the trace; both drawn with the same seed."""
    trace = instrumented.Trace()
    rng = trace.generator(np.random.default_rng(7))
    got = call(rng, *(trace.array(array.copy()) for array in arrays))
    return call(np.random.default_rng(7), *(array.copy() for array in arrays)), got, trace


X = np.arange(12.0).reshape(4, 3)  # 96 bytes


def shuffled(rng, x):
    rng.shuffle(x)
    return x


@pytest.mark.parametrize(
    ("draw", "arrays", "read", "written"),
    [
        (lambda rng: rng.normal(size=(2, 3)), (), 0, 48),
        (lambda rng: rng.random(5, dtype=np.float32), (), 0, 20),
        (lambda rng: rng.integers(0, 9, 4), (), 0, 32),
        (lambda rng, x: rng.normal(x, 1.0), (X,), 96, 96),
        (lambda rng, x: rng.choice(x, 2), (X,), 48, 48),  # two rows of 24 bytes
        (lambda rng, x, p: rng.choice(x, 2, p=p), (X, np.full(4, 0.25)), 48 + 32, 48),
        (lambda rng: rng.choice(10, 3), (), 0, 24),
        (lambda rng: rng.permutation(4), (), 0, 32),
        (lambda rng, x: rng.permutation(x), (X,), 96, 96),
        (lambda rng, x: rng.permuted(x, axis=0), (X,), 96, 96),
        (shuffled, (X,), 96, 96),
    ],
)
def test_draws_are_numpys_and_counted(draw, arrays, read, written):
    plain, traced, trace = both(draw, *arrays)
    assert trace.traffic == Traffic(read, written)
    np.testing.assert_array_equal(traced.escape(), plain, strict=True)


def test_a_number_drawn_is_a_scalar():
    plain, traced, _ = both(lambda rng: rng.normal())
    assert isinstance(traced, instrumented.TracedScalar)
    assert traced.escape() == plain


def test_every_method_that_draws_is_declared_as_numpy_has_it():
    generator = np.random.default_rng()
    others = {"bit_generator", "bytes", "spawn"}
    assert {name for name in dir(generator) if name[0] != "_"} - others == PARAMETERS.keys()
    for name, parameters in PARAMETERS.items():
        assert list(inspect.signature(getattr(generator, name)).parameters) == list(
            parameters.roles
        ), name


def test_counts_that_are_traced_are_escapes():
    trace = instrumented.Trace()
    rng = trace.generator(np.random.default_rng(0))
    n = trace.array(np.array([3]))[0]
    for draw in (
        lambda: rng.normal(size=n),
        lambda: rng.permutation(n),
        lambda: rng.choice(n),
        lambda: rng.bytes(n),
    ):
        with pytest.raises(instrumented.EscapeError):
            draw()


def test_what_is_no_generator_is_refused():
    with pytest.raises(instrumented.InstrumentError, match="default_rng"):
        instrumented.Trace().generator(np.random)
    with pytest.raises(AttributeError, match="no method 'draw'"):
        instrumented.Trace().generator(np.random.default_rng()).draw(3)
    untraced = np.random.default_rng()
    assert instrumented.Untraced().generator(untraced) is untraced


def test_a_plain_array_that_is_shuffled_is_an_operand():
    trace = instrumented.Trace()
    plain, expected = X.copy(), X.copy()
    trace.generator(np.random.default_rng(7)).shuffle(plain)
    np.random.default_rng(7).shuffle(expected)
    np.testing.assert_array_equal(plain, expected)
    # 96 bytes are read and written; the plain array has received 96
    assert trace.traffic == Traffic(96 + 96, 96)
    assert trace.escapes["bytes_read"].tolist() == [96]
    rows = [[1], [2], [3]]
    trace.generator(np.random.default_rng(7)).shuffle(rows)  # of the caller's own
    assert trace.traffic == Traffic(96 + 96, 96)
    with pytest.raises(instrumented.BareArrayError):
        instrumented.Trace(strict=True).generator(np.random.default_rng(7)).shuffle(plain)
    np.testing.assert_array_equal(plain, expected)


def test_children_draw_into_the_same_trace():
    trace = instrumented.Trace()
    (child,) = trace.generator(np.random.default_rng(0)).spawn(1)
    child.random(2)
    assert trace.traffic == Traffic(0, 16)
    assert child.bit_generator is not None


def test_random_bytes_are_pythons_own_and_from_the_same_stream():
    plain, own, trace = both(lambda rng: (rng.bytes(5), rng.bytes(0)))
    assert own == plain
    assert trace.traffic == Traffic()


def test_how_many_there_are_to_choose_from_leaves():
    trace = instrumented.Trace(escapes="record")
    rng = trace.generator(np.random.default_rng(0))
    want = np.random.default_rng(0).choice(9, 3)
    assert rng.choice(trace.array(np.array(9)), 3).escape().tolist() == want.tolist()
    # 8 bytes of the number leave, 3 positions of 8 bytes are drawn, and leave too
    assert trace.traffic == instrumented.Traffic(8 + 24, 24)
