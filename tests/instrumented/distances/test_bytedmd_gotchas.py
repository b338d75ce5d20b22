"""Where the scalar grain is not what one might think, each pinned."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from instrumented.distances.scalar_grain import bytedmd, bytedmd_trace
from instrumented.errors import EscapeError, InstrumentError, UncountedOperationError

SQUARE = np.array([[1.0, 2.0], [3.0, 4.0]])


def trace(program, *arguments):
    return bytedmd_trace(program, arguments).tolist()


def test_constants_are_free_immediates():
    assert trace(lambda a: 10 - a * 10, 5) == [1, 1]


def test_moving_is_free():
    assert trace(lambda a: a.T.copy().reshape(-1)[::-1], SQUARE) == []
    assert trace(lambda a: np.concatenate([a, a]), SQUARE) == []
    assert trace(lambda a: [[a[j][i] for j in range(2)] for i in range(2)], SQUARE.tolist()) == []


def test_a_copy_is_the_same_block():
    # The copy would lie on top; moved for free, a[0] is still below a[1].
    assert trace(lambda a: a.copy()[:1] + 1, np.ones(2)) == [1]
    assert trace(lambda a: copy.deepcopy(a) + a, np.ones(1)) == [1, 1]


def test_branching_reads_what_it_looks_at():
    def relu(a):
        return a * 2 if a > 0 else a

    assert trace(relu, 5) == [1, 1, 1]  # a, the comparison, a
    assert trace(relu, -5) == [1, 1]
    assert trace(lambda a: not a, 0) == [1]


def test_short_circuit_reads_one_side():
    # a is looked at and returned; b never read, so it never lies on the stack.
    assert trace(lambda a, b: a and b, 0, 5) == [1]
    assert trace(lambda a, b: a or b, 0, 5) == [1]


def test_indexing_by_a_value_reads_it():
    assert trace(lambda n: list(range(n)), 3) == [1]
    assert trace(lambda values, i: values[i], [10, 20, 30], 1) == [2]
    assert trace(lambda a: {a: 1}, 3) == [1]


def test_comparisons_of_arrays_leave_a_plain_mask():
    # Each comparison is read once to become a plain bool; the mask itself is an immediate.
    assert trace(lambda a: a > 0, np.ones(3)) == [3, 1, 2, 1, 1, 1]
    assert len(trace(lambda a: a * (a > 0), np.ones(3))) == 9


def test_maximum_hands_on_one_of_its_operands():
    assert trace(lambda a: np.maximum(a, 0.0), np.ones(1)) == [1, 1]
    assert trace(lambda a: np.where([True], a, 0.0), np.ones(1)) == []


def test_scalar_left_of_an_array_is_read_once():
    # Python asks the scalar first: it multiplies as one operation after the array's elements.
    assert trace(lambda a, s: a * s, np.ones(2), 3.0) == [2, 3, 3, 2]
    assert trace(lambda a, s: s * a, np.ones(2), 3.0) == [2, 2, 3]


def test_one_array_given_twice_is_one_array():
    one = np.ones(2)
    assert trace(lambda a, b: a + b, one, one) == [2, 2, 2, 2]
    assert trace(lambda a, b: a + b, one, one.copy()) == [2, 4, 2, 3]


def test_memory_order_is_the_order_of_the_loops():
    assert trace(lambda a: -a, SQUARE) == [4, 4, 4, 4]
    assert trace(lambda a: -a, np.asfortranarray(SQUARE)) == [4, 3, 4, 4]


def test_each_comparison_is_a_value_of_its_own():
    # A mean of NumPy holds a float64, whose comparisons give the one object numpy.True_. The
    # published tracer then takes all of them for one value (it names values by address) and
    # reads [2, 1, 1, 1, 1, 2, 2]; here each outcome is new, looked at on top, and gone.
    def program(a):
        mean = np.mean(a)
        return mean >= 0 and mean >= 0 and mean

    assert trace(program, np.ones(2)) == [2, 1, 1, 1, 1, 1, 1]


def test_results_in_a_dictionary_stay_to_the_end():
    def program(container):
        def run(a, b):
            first = a * 2
            second = b * 2
            return container(first, second + b)

        return run

    in_tuple = trace(program(lambda *pair: pair), 1, 2)
    assert trace(program(lambda p, q: {"p": p, "q": q}), 1, 2) == in_tuple


def test_functions_of_one_number_are_one_instruction():
    for name in ("sqrt", "exp", "log", "log1p", "tanh", "sin", "rint", "conjugate"):
        assert trace(lambda a, name=name: getattr(np, name)(a), np.ones(2)) == [2, 2]
    assert trace(np.arctan2, np.ones(1), np.ones(1)) == [1, 2]
    assert trace(np.floor, np.ones(2)) == [2, 2]


def test_a_constant_inside_an_array_has_no_functions_of_numpy():
    # maximum handed on the plain 0.0: the object loop of sqrt finds a float.
    with pytest.raises(UncountedOperationError, match=r"np\.sqrt.*plain constant.*\*\* 0\.5"):
        trace(lambda a: np.sqrt(np.maximum(a, 0.0)), -np.ones(1))
    assert trace(lambda a: (a * (a > 0)) ** 0.5, -np.ones(1)) == [1, 1, 1, 1]


def test_values_are_the_ones_that_numpy_gives():
    kept = {}

    def program(x, w):
        h = np.maximum(x @ w, 0.0)
        kept["h"] = [[v._number if hasattr(v, "_number") else v for v in row] for row in h]
        return np.log(1 + np.exp(np.sqrt((h**2).mean())))

    x, w = np.random.default_rng(0).normal(size=(2, 3, 3))
    bytedmd(program, (x, w))
    np.testing.assert_allclose(np.array(kept["h"], float), np.maximum(x @ w, 0.0))


def test_arguments_are_left_alone():
    array = SQUARE.copy()

    def program(a):
        a += 1
        a[0] = 7
        return a

    # The two sums overwritten by 7 are never read, so they are never on the stack.
    assert trace(program, array) == [4, 3, 2, 2]
    assert (array == SQUARE).all()


def test_nan_to_num_of_objects_does_nothing():
    assert trace(np.nan_to_num, SQUARE) == []


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (np.isnan, "np.isnan"),
        (lambda a: np.logaddexp(a, a), "np.logaddexp"),
        (lambda a: np.heaviside(a, a), "np.heaviside"),
        (np.linalg.inv, "np.linalg.inv"),
        (lambda a: np.linalg.solve(a, a), "np.linalg.solve"),
        (np.linalg.svd, "np.linalg.svd"),
        (np.fft.fft, "np.fft.fft"),
        (np.histogram, "np.histogram"),
        (lambda a: np.interp(a, a, a), "np.interp"),
        (lambda a: a[a], "indices must be of integer"),
        (lambda a: np.add(a, a, out=np.zeros((2, 2))), "np.add"),
        (lambda a: a.view(float), "Cannot change data-type"),
    ],
)
def test_what_has_no_scalar_lowering_is_refused_by_name(program, name):
    with pytest.raises(UncountedOperationError, match="cannot lower") as caught:
        bytedmd(program, (SQUARE,))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("program", "name"),
    [
        (lambda a: float(a[0, 0]), r"float\(\)"),
        (lambda a: int(a[0, 0]), r"int\(\)"),
        (lambda a: complex(a[0, 0]), r"complex\(\)"),
        (lambda a: str(a[0, 0]), r"str\(\)"),
        (lambda a: f"{a[0, 0]:.2f}", r"format\(\)"),
        (lambda a: math.sqrt(a[0, 0]), r"float\(\)"),
        (lambda a: a.astype(float), r"float\(\)"),
        (lambda a: np.zeros(2).__setitem__(0, a[0, 0]), r"float\(\)"),
        (lambda a: np.asarray(a, dtype=np.float32), r"float\(\)"),
        (lambda a: np.sum(a, dtype=float), r"np\.sum.*float\(\)"),
        (lambda a: copy.copy(a).dumps(), r"reduce\(\)"),
    ],
)
def test_leaving_the_trace_is_refused(program, name):
    with pytest.raises(EscapeError, match=name):
        bytedmd(program, (SQUARE,))


@pytest.mark.parametrize(
    "argument",
    [
        *("text", np.str_("text"), {"a": 1}, np.array(["text"]), np.ma.masked_array([1.0])),
        *(object(), {1, 2}),
    ],
    ids=lambda argument: type(argument).__name__,
)
def test_arguments_it_cannot_preload_are_refused(argument):
    with pytest.raises(InstrumentError, match="cannot preload an argument of type"):
        bytedmd(lambda a: a, (argument,))


def test_a_number_of_numpy_is_a_number():
    # s on top at 1; it dies, the sum lies at 1 and a under it
    assert trace(lambda s, a: (s + 1) * a, np.float64(2.0), 3) == [1, 1, 2]


def test_none_passes_through():
    assert trace(lambda a, b: a + 1 if b is None else a, 1, None) == [1]


def test_a_size_below_a_byte_is_refused():
    with pytest.raises(InstrumentError, match="bytes_per_element is 0"):
        bytedmd(lambda a: a, (1,), 0)


def test_mistakes_of_the_program_stay_its_own():
    with pytest.raises(ZeroDivisionError):
        bytedmd(lambda a: a / 0, (1,))
    with pytest.raises(ValueError, match="broadcast"):
        bytedmd(lambda a, b: a + b, (np.ones(2), np.ones(3)))
