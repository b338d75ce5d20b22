"""Every function and ufunc that NumPy lets one override has exactly one fate."""

from __future__ import annotations

import inspect

import numpy as np
import numpy.fft
import numpy.lib.recfunctions
import numpy.polynomial
import pytest
from numpy.testing.overrides import (
    get_overridable_numpy_array_functions,
    get_overridable_numpy_ufuncs,
)

import instrumented
from instrumented.rules import behaviour, ufunc_work
from instrumented.rules.registry import RULES, name_of, traffic_rule

CLASSES = {
    "free": behaviour.FREE,
    "view or copy": behaviour.VIEWING,
    "creation": behaviour.CREATING,
    "allocation": behaviour.ALLOCATING,
    "ruled": frozenset(RULES),
    "refused": behaviour.REFUSED_FUNCTIONS,
    "escaping": behaviour.ESCAPING_FUNCTIONS,
}


def test_classes_of_functions_are_disjoint():
    names = list(CLASSES)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            both = CLASSES[first] & CLASSES[second]
            assert not both, f"{first} and {second}: {sorted(map(name_of, both))}"


def test_classes_of_functions_cover_numpys_list():
    overridable = get_overridable_numpy_array_functions()
    covered = frozenset().union(*CLASSES.values())
    assert sorted(map(name_of, covered - overridable)) == []
    # NumPy lists functions with like= twice, as the public one and as its inner dispatcher
    names = set(map(name_of, covered))
    assert [
        name_of(function)
        for function in overridable - covered
        if not function.__module__.startswith(behaviour.REFUSED_MODULES)
        and name_of(function) not in names
    ] == []


def test_every_parameter_of_a_counted_function_is_known():
    counted = frozenset(RULES) | behaviour.VIEWING | behaviour.CREATING
    tables = (
        behaviour.DATA_PARAMETERS,
        behaviour.SEQUENCE_PARAMETERS,
        behaviour.SETTING_PARAMETERS,
    )
    names = {name for function in counted for name in inspect.signature(function).parameters}
    assert set().union(*tables) == names
    assert sum(map(len, tables)) == len(names)


def test_modules_refused_as_a_whole_raise_and_name_the_function():
    x = instrumented.Trace().array(np.ones(4))
    with pytest.raises(instrumented.UncountedOperationError, match=r"numpy\.fft\.rfft"):
        numpy.fft.rfft(x)


def test_tables_of_ufuncs_are_disjoint_and_cover_numpys_list():
    tables = [
        set(ufunc_work.ELEMENT_WORK),
        set(ufunc_work.CONTRACTION_UFUNCS),
        set(ufunc_work.REFUSED_UFUNCS),
    ]
    names = {ufunc.__name__ for ufunc in get_overridable_numpy_ufuncs()}
    assert sum(map(len, tables)) == len(set().union(*tables))
    assert set().union(*tables) == names


@pytest.mark.parametrize("function", sorted(behaviour.REFUSED_FUNCTIONS, key=name_of), ids=name_of)
def test_refused_functions_raise_and_name_themselves(function):
    trace = instrumented.Trace()
    x = trace.array(np.ones((2, 2)))
    with pytest.raises(instrumented.UncountedOperationError) as refusal:
        x.__array_function__(function, (type(x),), (x,), {})
    assert name_of(function) in str(refusal.value)
    assert trace.traffic == instrumented.Traffic()


@pytest.mark.parametrize("function", sorted(behaviour.ESCAPING_FUNCTIONS, key=name_of), ids=name_of)
def test_escaping_functions_raise_and_name_the_way_out(function):
    x = instrumented.Trace().array(np.ones((2, 2)))
    with pytest.raises(instrumented.EscapeError, match="escape"):
        x.__array_function__(function, (type(x),), (x,), {})


@pytest.mark.parametrize(
    "ufunc",
    [u for u in get_overridable_numpy_ufuncs() if u.__name__ in ufunc_work.REFUSED_UFUNCS],
    ids=lambda u: u.__name__,
)
def test_refused_ufuncs_raise_and_name_themselves(ufunc):
    x = instrumented.Trace().array(np.array(["a", "b"]))
    with pytest.raises(instrumented.UncountedOperationError, match=ufunc.__name__):
        ufunc(*[x] * ufunc.nin)


def test_a_second_rule_for_a_function_raises():
    with pytest.raises(ValueError, match="two traffic rules"):
        traffic_rule(np.sort)(lambda call: None)


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", sorted(ufunc_work.ELEMENT_WORK))
def test_counted_ufuncs_give_numpys_values(name):
    ufunc = np._core.umath.clip if name == "clip" else getattr(np, name)
    for dtypes in (("f8",) * 3, ("i8",) * 3, ("?",) * 3, ("M8[s]",) * 3, ("f8", "i8", "f8")):
        inputs = [np.array([1, 0, 1]).astype(d) for d in dtypes[: ufunc.nin]]
        try:
            expected = ufunc(*inputs)
        except TypeError:
            continue
        trace = instrumented.Trace()
        got = ufunc(*[trace.array(array) for array in inputs])
        several = isinstance(expected, tuple)
        for want, have in zip(
            expected if several else (expected,), got if several else (got,), strict=True
        ):
            np.testing.assert_array_equal(have.escape(), want, strict=True)
        return
    pytest.fail(f"no dtype worked for {name}")
