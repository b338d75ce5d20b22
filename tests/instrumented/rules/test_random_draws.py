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


SINGLE = [  # a method, its arguments (texts name operands), and those by name
    ("beta", (1, 2), {}),
    ("binomial", (5, 0.5), {}),
    ("chisquare", (2,), {}),
    ("choice", (9,), {}),
    ("choice", (9,), {"p": "p"}),
    ("choice", ("n",), {}),
    ("choice", ("x",), {}),
    ("exponential", (), {}),
    ("exponential", ("s",), {}),
    ("f", (2, 3), {}),
    ("gamma", (2,), {}),
    ("gamma", ("s", "z"), {}),
    ("geometric", (0.5,), {}),
    ("geometric", ("s",), {}),
    ("gumbel", (), {}),
    ("hypergeometric", (3, 3, "n"), {}),
    ("integers", (0, "k"), {"dtype": np.int16}),
    ("integers", (5,), {}),
    ("integers", ("n",), {}),
    ("laplace", (), {}),
    ("logistic", (), {}),
    ("lognormal", (), {}),
    ("logseries", ("s",), {}),
    ("negative_binomial", ("n", 0.5), {}),
    ("noncentral_chisquare", (2, "s"), {}),
    ("noncentral_f", (2, 3, "s"), {}),
    ("normal", (), {}),
    ("normal", ("s",), {}),
    ("normal", (), {"size": ()}),
    ("normal", ("x",), {}),
    ("normal", ("z", 2), {}),
    ("pareto", ("s",), {}),
    ("poisson", ("z",), {}),
    ("power", ("s",), {}),
    ("random", (), {}),
    ("random", (None,), {}),
    ("random", (), {"dtype": np.float32}),
    ("random", (), {"out": "z"}),
    ("rayleigh", (), {}),
    ("standard_cauchy", (), {}),
    ("standard_exponential", (), {}),
    ("standard_gamma", ("z",), {}),
    ("standard_normal", (), {}),
    ("standard_t", (3,), {}),
    ("triangular", (0, "s", 1), {}),
    ("uniform", (), {}),
    ("uniform", (0, "z"), {}),
    ("vonmises", (0, 1), {}),
    ("wald", (1, 1), {}),
    ("weibull", (2,), {}),
    ("zipf", ("k",), {}),
]


@pytest.mark.parametrize(("method", "args", "kwargs"), SINGLE)
def test_what_is_drawn_without_a_size_is_to_types_what_numpys_is(method, args, kwargs):
    """Python's numbers are weak: a float32 stays one; NumPy's float64 makes a float64 of it."""
    plain = {
        "x": np.linspace(0.1, 0.4, 4), "p": np.full(9, 1 / 9), "z": np.array(0.5),
        "s": np.float64(0.5), "n": np.int64(4), "k": np.array(4),
    }  # fmt: skip

    def draw(rng, operands):
        given = [operands.get(arg, arg) if isinstance(arg, str) else arg for arg in args]
        named = {n: operands.get(v, v) if isinstance(v, str) else v for n, v in kwargs.items()}
        return getattr(rng, method)(*given, **named)

    trace = instrumented.Trace(escapes="record")
    traced = {
        name: trace.array(v.copy()) if isinstance(v, np.ndarray) else trace.array(np.array([v]))[0]
        for name, v in plain.items()
    }
    source, rng = np.random.default_rng(7), np.random.default_rng(7)
    got, want = draw(trace.generator(source), traced), draw(rng, plain)
    f = np.ones(3, np.float32) if np.ndim(want) == 0 else np.ones((3, 1), np.float32)
    product = trace.array(f.copy()) * got
    np.testing.assert_array_equal(product.escape(), f * want, strict=True)
    assert source.bit_generator.state == rng.bit_generator.state
    assert isinstance(got, instrumented.TracedArray) == isinstance(want, np.ndarray)
    assert isinstance(got, type(want) | instrumented.TracedScalar | instrumented.TracedArray)
    assert type(got) is type(want) or type(want) not in (int, float)


def test_a_number_of_pythons_is_a_constant_and_one_of_numpys_is_too():
    trace = instrumented.Trace(strict=True)
    rng = trace.generator(np.random.default_rng(0))
    assert type(rng.random()) is float
    assert type(rng.integers(5)) is np.int64
    assert trace.traffic == Traffic()
    x = trace.array(np.ones(3, np.float32)) * rng.random()  # 12 bytes, and a constant
    assert (x.dtype, trace.traffic) == (np.float32, Traffic(12, 12))


def test_a_number_drawn_from_traced_values_stays_or_they_are_let_out():
    x, single = np.arange(4.0), np.array([0.5])
    trace = instrumented.Trace()
    rng = trace.generator(np.random.default_rng(7))
    # one element of 8 bytes is read and written
    chosen = rng.choice(trace.array(x))
    assert chosen.escape() == np.random.default_rng(7).choice(x)
    assert (trace.traffic, type(chosen)) == (Traffic(8 + 8, 8), instrumented.TracedScalar)
    untouched = rng.bit_generator.state
    for draw in (lambda p: rng.normal(p[0]), lambda p: rng.choice(1, p=p + 0.5)):
        with pytest.raises(instrumented.EscapeError, match="random"):
            draw(trace.array(single))
    assert rng.bit_generator.state == untouched  # nothing was drawn
    trace = instrumented.Trace(escapes="record")
    drawn = trace.generator(np.random.default_rng(7)).normal(trace.array(single)[0], scale=2)
    assert drawn == np.random.default_rng(7).normal(0.5, 2)
    # the element taken out, 8 bytes, leaves
    assert trace.escapes_by_line[["how", "bytes_read"]].values.tolist() == [["random.normal", 8]]


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
