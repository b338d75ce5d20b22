"""Every function and ufunc that NumPy lets one override has exactly one fate."""

from __future__ import annotations

import inspect
import re

import numpy as np
import numpy.lib.recfunctions
import numpy.polynomial
import pytest
from numpy.testing.overrides import (
    get_overridable_numpy_array_functions,
    get_overridable_numpy_ufuncs,
)

import instrumented
from instrumented.rules import ufunc_work
from instrumented.rules.traffic_rules import (
    RULES,
    Fate,
    Role,
    functions_named,
    name_of,
    streaming,
    traffic_rule,
)

NEWEST = "2.4."
"""The version of NumPy whose signatures the declarations follow to the letter."""

FORMER = {"style", "fix_imports", "newshape", "interpolation", "bias", "ddof"}
"""Parameters that NumPy 2.1 to 2.3 have and later versions have not."""

LATER = {"check_bounds", "descending"}
"""Parameters that NumPy has from 2.5 on."""

IN_KWARGS = {"stat_length"}
"""Parameters that NumPy takes as ``**kwargs``, and that have another role than the others."""

REFUSED_NAMES = """
    apply_along_axis apply_over_axes busday_count busday_offset is_busday datetime_as_string
    frombuffer fromfile fromfunction fromiter fromstring genfromtxt loadtxt
    i0 piecewise polydiv real_if_close unwrap
""".split()
"""No rule: refused with an error that names the function, never guessed."""

REFUSED_MODULES = ("numpy.lib.recfunctions", "numpy.polynomial")
"""Packages of which every function is refused; NumPy lists them once somebody imports them."""

REFUSED = functions_named(REFUSED_NAMES)
OVERRIDABLE = get_overridable_numpy_array_functions()


def parameters_of(function):
    """Names and kinds of a signature: positional, *name, keyword only, **name.

    None of a function in C whose signature this version of NumPy does not tell.
    """
    found = []
    try:
        signature = inspect.signature(function)
    except ValueError:
        return None
    for parameter in signature.parameters.values():
        kind = parameter.kind
        if kind is parameter.POSITIONAL_ONLY:
            kind = parameter.POSITIONAL_OR_KEYWORD
        found.append((parameter.name, kind))
    return found


def declared(parameters):
    """The same of a declaration."""
    found = []
    for name in parameters.roles:
        if name == parameters.variadic:
            kind = inspect.Parameter.VAR_POSITIONAL
        elif name == parameters.rest:
            kind = inspect.Parameter.VAR_KEYWORD
        elif name in parameters.positional:
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
        found.append((name, kind))
    return found


def test_functions_are_counted_or_refused():
    assert not REFUSED & RULES.keys()
    covered = REFUSED | RULES.keys()
    # NumPy lists functions with like= as the public one, as its inner dispatcher, or as both
    names = set(map(name_of, covered))
    made_like = {name_of(f) for f in RULES if "like" in RULES[f].parameters.roles}
    readers = {
        f"numpy.{name}" for name in REFUSED_NAMES if name.startswith(("from", "gen", "load"))
    }
    of_scripts = {"numpy.lib.stride_tricks.as_strided"}  # NumPy itself hands over no call of it
    assert names - set(map(name_of, OVERRIDABLE)) <= made_like | readers | of_scripts
    assert [
        name_of(function)
        for function in OVERRIDABLE - covered
        if not function.__module__.startswith(REFUSED_MODULES) and name_of(function) not in names
    ] == []


@pytest.mark.parametrize("function", sorted(RULES, key=name_of), ids=name_of)
def test_a_rule_declares_the_parameters_of_numpys_signature(function):
    """Every parameter that this NumPy has, positional ones in its order; later ones add some."""
    theirs, ours = parameters_of(function), declared(RULES[function].parameters)
    if theirs is None:
        assert not np.__version__.startswith(NEWEST), "the newest NumPy says every signature"
        return
    missing = [name for name, _ in theirs if name not in dict(ours)]
    assert missing == [], "declare their roles"
    in_order = [name for name, kind in theirs if kind is not inspect.Parameter.KEYWORD_ONLY]
    assert [name for name, _ in ours if name in in_order] == in_order
    if np.__version__.startswith(NEWEST):
        assert [pair for pair in ours if pair[0] in dict(theirs)] == theirs
        further = {name for name, _ in ours} - {name for name, _ in theirs}
        assert further <= FORMER | LATER | IN_KWARGS


@pytest.mark.parametrize("function", sorted(RULES, key=name_of), ids=name_of)
def test_no_parameter_that_takes_arrays_is_a_setting(function):
    """NumPy itself says which arguments may be arrays: those its dispatcher asks for overrides."""
    if parameters_of(function) is None:
        return
    asked = dispatched_arguments(function)
    roles = RULES[function].parameters.roles
    settings = {name for name in asked if roles[name] == Role.SETTING}
    assert settings <= SETTINGS_NUMPY_ASKS.get(RULES[function].name, set())


SETTINGS_NUMPY_ASKS = {
    "array_split": {"indices_or_sections"}, "split": {"indices_or_sections"},
    "dsplit": {"indices_or_sections"}, "hsplit": {"indices_or_sections"},
    "vsplit": {"indices_or_sections"}, "tile": {"reps"}, "astype": {"dtype"},
}  # fmt: skip
"""Counts and types, whose values become shapes: an escape if they are traced."""


class Probe:
    """Stands for an argument and says whether NumPy asked it for an override."""

    def __init__(self, name, asked):
        self.name, self.asked = name, asked

    def __array_function__(self, function, types, args, kwargs):
        self.asked.add(self.name)
        return


def dispatched_arguments(function):
    """Names of the arguments that alone bring NumPy to look for an override."""
    asked, roles = set(), RULES[function].parameters.roles
    for name, parameter in inspect.signature(function).parameters.items():
        kinds = inspect.Parameter
        probe = Probe(name, asked)
        others = {
            other: [np.ones((2, 2))] if roles[other] == Role.ARRAYS else 1
            for other, spec in inspect.signature(function).parameters.items()
            if other != name
            and spec.default is kinds.empty
            and spec.kind not in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD)
        }
        if parameter.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD) or name == "like":
            continue
        by_position, by_name = [], {}
        for other, spec in inspect.signature(function).parameters.items():
            value = probe if other == name else others.get(other, kinds.empty)
            if value is kinds.empty:
                continue
            if spec.kind is kinds.POSITIONAL_ONLY:
                by_position.append(value)
            else:
                by_name[other] = value
        try:
            function(*by_position, **by_name)
        except Exception:  # noqa: S112, BLE001 - it never got as far as the override
            continue
    return asked


def test_modules_refused_as_a_whole_raise_and_name_the_function():
    x = instrumented.Trace().array(np.ones(4))
    with pytest.raises(instrumented.UncountedOperationError, match=r"recfunctions"):
        numpy.lib.recfunctions.drop_fields(x, "a")


def test_tables_of_ufuncs_are_disjoint_and_cover_numpys_list():
    tables = [
        set(ufunc_work.ELEMENT_WORK),
        set(ufunc_work.CONTRACTION_UFUNCS),
        set(ufunc_work.REFUSED_UFUNCS),
    ]
    names = {ufunc.__name__ for ufunc in get_overridable_numpy_ufuncs()}
    assert sum(map(len, tables)) == len(set().union(*tables))
    # NumPy before 2.3 has fewer
    assert names <= set().union(*tables)
    assert set().union(*tables) - names <= {"matvec", "vecmat", "_slice"}


@pytest.mark.parametrize("function", sorted(REFUSED, key=name_of), ids=name_of)
def test_refused_functions_raise_and_name_themselves(function):
    trace = instrumented.Trace()
    x = trace.array(np.ones((2, 2)))
    with pytest.raises(instrumented.UncountedOperationError) as refusal:
        x.__array_function__(function, (type(x),), (x,), {})
    assert name_of(function) in str(refusal.value)
    assert trace.traffic == instrumented.Traffic()


ESCAPING = [function for function, rule in RULES.items() if rule.fate is Fate.ESCAPING]


@pytest.mark.parametrize("function", sorted(ESCAPING, key=name_of), ids=name_of)
def test_escaping_functions_raise_and_name_the_way_out(function):
    x = instrumented.Trace().array(np.ones((2, 2)))
    with pytest.raises(instrumented.EscapeError, match="escape"):
        x.__array_function__(function, (type(x),), (x,), {})


@pytest.mark.parametrize(
    "ufunc",
    sorted(
        (u for u in get_overridable_numpy_ufuncs() if u.__name__ in ufunc_work.REFUSED_UFUNCS),
        key=lambda u: u.__name__,  # a set's order differs between workers
    ),
    ids=lambda u: u.__name__,
)
def test_refused_ufuncs_raise_and_name_themselves(ufunc):
    x = instrumented.Trace().array(np.array(["a", "b"]))
    with pytest.raises(instrumented.UncountedOperationError, match=ufunc.__name__):
        ufunc(*[x] * ufunc.nin)


def test_a_second_rule_for_a_function_raises():
    with pytest.raises(ValueError, match="two traffic rules"):
        traffic_rule(np.sort)(RULES[np.sort])


@pytest.mark.parametrize(
    ("declaration", "says"),
    [
        ("unwrap(p: array, discont)", "p, discont, axis, period: (p, discont=None, axis=-1, *, p"),
        ("unwrap(p: array, discont, axis, *, period, dtype)", "are p, discont, axis, period"),
        ("unwrap(p: array, discont, axis, period)", "numpy.unwrap with other parameters"),
        ("unwrap(p: array, axis, discont, *, period)", "numpy.unwrap with other parameters"),
        ("unwrap(p: arry, discont, axis, *, period)", "p: there is no role 'arry'; use one of"),
    ],
)
def test_a_rule_from_outside_that_declares_other_parameters_is_refused(declaration, says):
    with pytest.raises(instrumented.InstrumentError, match=re.escape(says)):
        traffic_rule(declaration)(streaming(instrumented.Kind.COPY))
    assert np.unwrap not in RULES


def test_the_packages_own_rules_are_held_by_its_tests_and_no_others_are_there():
    assert [rule.name for rule in RULES.values() if rule.foreign] == []


@pytest.fixture
def polydiv():
    """Registers a rule of this module for numpy.polydiv, with the parameters given."""

    def register(parameters):
        traffic_rule(f"polydiv({parameters})")(streaming(instrumented.Kind.ELEMENTWISE))

    yield register
    del RULES[np.polydiv]


OPERANDS = [
    np.array([1.0, 2.0]),
    np.array([1, 2]),
    np.array(2.0),
    [1.0, 2.0],
    (1, np.float32(2)),
    [[1], [2j, 3.0]],
    [np.array([1])],
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("given", OPERANDS)
def test_a_rule_from_outside_that_misses_an_operand_is_refused(polydiv, given, strict):
    polydiv("u: array, v")
    trace = instrumented.Trace(strict=strict)
    x = trace.array(np.arange(4.0))
    for call in (lambda: np.polydiv(x, given), lambda: np.polydiv(u=x, v=given)):
        with pytest.raises(instrumented.UncountedOperationError) as raised:
            call()
        assert str(raised.value) == (
            "numpy.polydiv was given an array or floats for v, to which its traffic rule gives no "
            'role; declare one: "v: array" is counted, "v: setting" is not'
        )
    assert trace.traffic == instrumented.Traffic()


def test_a_role_settles_what_a_rule_from_outside_counts(polydiv):
    polydiv("u: array, v: array")
    trace = instrumented.Trace()
    np.polydiv(trace.array(np.arange(4.0)), np.array([1.0, 2.0]))
    # 4 and 2 float64 in; a quotient of 3 and a remainder of 1 out
    assert trace.traffic == instrumented.Traffic(32 + 16, 24 + 8)


def test_a_setting_said_aloud_and_numbers_are_not_counted(polydiv):
    polydiv("u: array, v: setting")
    trace = instrumented.Trace()
    x = trace.array(np.arange(4.0))
    np.polydiv(x, [1.0, 2.0])
    assert trace.traffic == instrumented.Traffic(32, 24 + 8)
    del RULES[np.polydiv]
    polydiv("u: array, v")
    np.polydiv(x, 2.0)
    # by a number: a quotient of 4, a remainder of 1
    assert trace.traffic == instrumented.Traffic(64, 32 + 32 + 8)


def test_where_escapes_are_recorded_such_a_call_runs_on_values_let_out(polydiv):
    polydiv("u: array, v")
    trace = instrumented.Trace(escapes="record")
    x = trace.array(np.arange(4.0))
    quotient, _ = np.polydiv(x, np.array([1.0, 2.0]))
    # x is let out, 32 bytes; what comes back is written
    assert trace.escapes_by_line[["how", "bytes_read"]].to_numpy().tolist() == [
        ["numpy.polydiv", 32]
    ]
    np.testing.assert_array_equal(quotient.escape(), np.polydiv(np.arange(4.0), [1.0, 2.0])[0])


@np.errstate(all="ignore")
@pytest.mark.parametrize("name", sorted(ufunc_work.ELEMENT_WORK))
def test_counted_ufuncs_give_numpys_values(name):
    ufunc = getattr(np, name)
    if not isinstance(ufunc, np.ufunc):  # clip, and from NumPy 2.5 on real and imag
        ufunc = getattr(vars(np)["_core"].umath, name)
    alike = [(name,) * 3 for name in ("f8", "i8", "?", "M8[s]", "c16")]
    for dtypes in (*alike, ("f8", "i8", "f8")):
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
