"""Values that leave the trace: refused, or one row each; never silence."""

from __future__ import annotations

import _thread
import copy
import operator
import pickle
from contextlib import suppress
from functools import partial
from typing import Any

import numba
import numpy as np
import pytest

import instrumented
from instrumented import EscapeError, InstrumentError, Traffic

SETTINGS = [
    lambda x, i: np.broadcast_to(x[:1], (i, 3)),
    lambda x, i: np.split(x, i),
    lambda x, i: np.array_split(x, [i]),
    lambda x, i: np.tile(x, i),
    lambda x, i: np.tile(x, (i, 1)),
    lambda x, i: np.arange(i, like=x),
    lambda x, i: np.eye(i, like=x),
    lambda x, i: np.full((i, 2), 1.0, like=x),
    lambda x, i: np.zeros(i, like=x),
    lambda x, i: np.sum(x, axis=i),
    lambda x, i: np.add.reduce(x, axis=i),
    lambda x, i: np.pad(x, i),
    lambda x, i: np.pad(x, ((0, i), (0, 0))),
    lambda x, i: np.reshape(x, (i, -1)),
    lambda x, i: x.reshape(i, 12),
    lambda x, i: x[:i],
    lambda x, i: x[i],  # the view's address
    lambda x, i: np.roll(x, i),
    lambda x, i: np.moveaxis(x, i, 0),
    lambda x, i: np.zeros_like(x, shape=(i,)),
    lambda x, i: np.min_scalar_type(i),
    lambda x, i: np.can_cast(i, np.int8),
    lambda x, i: [10, 20][i],
    lambda x, i: range(i),
    lambda x, i: np.zeros(i),
    lambda x, i: {1: 2}[i],
]


@pytest.mark.parametrize("use", SETTINGS)
def test_a_traced_value_as_a_setting_is_an_escape(use):
    plain, one = np.arange(12.0).reshape(4, 3), np.array([1])
    for strict in (False, True):
        trace = instrumented.Trace(strict=strict)
        x, number = trace.array(plain.copy()), trace.array(one)[0]
        before = trace.traffic
        with pytest.raises(EscapeError, match=r"call \.escape"):
            use(x, number)
        assert trace.traffic == before
        assert trace.escapes.empty

    trace = instrumented.Trace(escapes="record")
    got = use(trace.array(plain.copy()), trace.array(one)[0])
    expected = use(plain, one[0])
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(got if type(got) is np.ndarray else got.escape(), expected)
    row = trace.escapes_by_line.iloc[0]
    assert (row["calls"], row["bytes_read"]) == (1, 8)
    assert row["file"] == __file__


@pytest.mark.parametrize(
    ("use", "nbytes"),
    [
        # NumPy asks an index whether it is a number first, and `zeros` takes the shape before
        # it hands the call on; 2 int64, 4 truth values, or one of both
        (lambda p, x, i: p[i], 16),
        (lambda p, x, i: p[i,], 16),
        (lambda p, x, i: p[x > 1], 4),
        (lambda p, x, i: p[i[0] > 1], 1),
        (lambda p, x, i: p.__setitem__(i, 1), 16),
        (lambda p, x, i: p.__setitem__(x > 1, 1), 4),
        (lambda p, x, i: np.zeros(i[0], like=x), 8),
        (lambda p, x, i: np.zeros((i[0], 2), like=x), 8),
        (lambda p, x, i: np.empty(i[0], like=x), 8),
        (lambda p, x, i: np.size(x, i[0] - 2), 8),
    ],
)
def test_a_value_leaves_once_whatever_numpy_asks_it(use, nbytes):
    trace = instrumented.Trace(escapes="record")
    plain, indices = np.arange(4.0), np.array([2, 1])
    used = use(plain, trace.array(np.arange(4.0)), trace.array(indices))
    rows = trace.escapes_by_line
    assert rows[["calls", "bytes_read"]].to_numpy().tolist() == [[1, nbytes]]
    expected = use(np.arange(4.0), np.arange(4.0), indices)
    assert np.shape(used) == np.shape(expected)
    refusing = instrumented.Trace()
    with pytest.raises(EscapeError, match=r"call \.escape"):
        use(plain, refusing.array(np.arange(4.0)), refusing.array(indices))


@pytest.mark.parametrize("value", [np.array([1]), np.array(True), np.array(1.0)])
def test_what_is_no_index_is_refused_as_by_numpy_and_stays(value):
    trace = instrumented.Trace(escapes="record")
    for index in (trace.array(value), trace.array(value.reshape(1).astype(bool))[0]):
        with pytest.raises(TypeError, match="integer"):
            operator.index(index)
    assert trace.escapes.empty


WAYS_OUT = [
    float, int, complex, bool, np.asarray, np.array, pickle.dumps, str, repr,
    lambda x: x.item(), lambda x: x.tolist(), lambda x: x.tobytes(), lambda x: f"{x:.3f}",
]  # fmt: skip


@pytest.mark.parametrize("out", WAYS_OUT)
@pytest.mark.parametrize("scalar", [True, False])
def test_in_record_mode_values_leave_on_the_record(out, scalar):
    plain = np.array(2.5)
    trace = instrumented.Trace(escapes="record")
    x = trace.array(plain)
    if scalar:
        plain, x = np.float64(2.5), x + 0.0
    before = trace.traffic
    try:
        expected = out(plain)
    except TypeError:
        with pytest.raises(TypeError):
            out(x)
        return
    assert out(x) == expected
    assert trace.traffic.bytes_read - before.bytes_read == 8
    assert trace.escapes["calls"].tolist() == [1]
    (site,) = trace.escapes_by_line.to_dict("records")
    assert site["file"] == __file__
    assert site["line"] > 0


def test_a_way_out_on_no_line_of_the_users_has_none():
    trace = instrumented.Trace(escapes="record")
    x, done = trace.array(np.ones(())), _thread.allocate_lock()
    done.acquire()
    # a thread in which C alone calls: list, map, call, float
    calls = map(operator.call, [partial(float, x), done.release])
    _thread.start_new_thread(list, (calls,))
    assert done.acquire(timeout=60)
    (site,) = trace.escapes_by_line.to_dict("records")
    assert (site["how"], site["file"], site["line"]) == ("float()", "", 0)


def test_functions_without_a_rule_run_on_recorded_escapes():
    trace = instrumented.Trace(escapes="record")
    x = trace.array(np.arange(4.0))
    made = np.unwrap(x)
    # 32 bytes leave; NumPy makes 32 that enter as written
    assert trace.traffic == Traffic(32, 32)
    assert trace.escapes_by_line["how"].tolist() == ["numpy.unwrap"]
    np.testing.assert_array_equal(made.escape(), np.unwrap(np.arange(4.0)))
    assert np.array2string(x) == "[0. 1. 2. 3.]"


def test_a_function_that_fills_edges_sees_no_values():
    seen = []
    with pytest.raises(instrumented.UncountedOperationError, match="a function"):
        np.pad(instrumented.Trace(strict=True).array(np.ones(2)), 1, lambda *row: seen.append(row))
    assert not seen
    trace = instrumented.Trace(escapes="record")
    np.pad(trace.array(np.ones(2)), 1, lambda *row: seen.append(row))
    assert seen
    # 16 bytes leave; what is made of them, 4 float64, enters as written
    assert trace.traffic == Traffic(16, 32)
    assert trace.escapes_by_line["how"].tolist() == ["numpy.pad"]


@pytest.mark.parametrize(
    "meet",
    [
        lambda x, them: x == them,
        lambda x, them: them < x,
        lambda x, them: x + list(them),
        lambda x, them: x[0] == them,
        lambda x, them: np.isin(x, them),
        lambda x, them: np.searchsorted(them, x),
        lambda x, them: np.add.at(x, [0], them[:1]),
        lambda x, them: x.__setitem__(slice(None), them),
    ],
)
@pytest.mark.parametrize("escapes", ["refuse", "record"])
def test_objects_are_not_called_with_values(meet, escapes):
    seen = []

    class Curious:
        def see(self, other):
            seen.append(other)
            return True

        __eq__ = __lt__ = __gt__ = __radd__ = see
        __hash__ = None

    them = np.array([Curious(), Curious()], dtype=object)
    trace = instrumented.Trace(escapes=escapes)
    with pytest.raises(InstrumentError, match="dtype object"):
        meet(trace.array(np.ones(2)), them)
    assert not any(isinstance(value, float) for value in seen)


@pytest.mark.parametrize("target", ["text", 1.0, [0.0]])
def test_what_is_no_target_is_refused_as_by_numpy(target):
    with pytest.raises(TypeError):
        np.sum(instrumented.Trace(strict=True).array(np.ones(2)), out=target)


@pytest.mark.parametrize(
    ("write", "received"),
    [
        (lambda p, x: np.add(x, 1.0, out=p), 32),
        (lambda p, x: np.copyto(p, x), 32),
        (lambda p, x: operator_iadd(p, x), 32),
        (lambda p, x: np.put(p, [0, 2], x[:2]), 16),
        (lambda p, x: np.putmask(p, np.array([True, False, False, True]), x), 16),
        (lambda p, x: np.add.at(p, np.array([1]), x[:1]), 8),
        (lambda p, x: np.sum(x, out=p[:1].reshape(())), 8),
        (lambda p, x: np.concatenate([x[:2], x[:2]], out=p), 32),
        (lambda p, x: np.cumsum(x, out=p), 32),
    ],
)
def test_a_plain_array_that_receives_values_is_an_escape(write, received):
    trace = instrumented.Trace()
    plain = np.zeros(4)
    write(plain, trace.array(np.arange(4.0)))
    assert trace.escapes[["calls", "bytes_read"]].to_numpy().tolist() == [[1, received]]
    assert trace.escapes_by_line["how"].str.contains("into a plain array").all()
    with pytest.raises(instrumented.BareArrayError):
        write(plain, instrumented.Trace(strict=True).array(np.arange(4.0)))


def operator_iadd(p, x):
    p += x


def test_storing_into_a_plain_array_is_refused_or_recorded():
    plain = np.zeros(3)
    x = instrumented.Trace().array(np.ones(3))
    with pytest.raises(EscapeError, match=r"call \.escape"):
        plain[:] = x
    with pytest.raises(ValueError, match="setting an array element") as error:  # NumPy's own
        plain[0] = x[0]
    assert isinstance(error.value.__cause__, EscapeError)
    trace = instrumented.Trace(escapes="record")
    plain[:] = trace.array(np.ones(3))
    assert plain.tolist() == [1.0, 1.0, 1.0]
    assert trace.escapes["bytes_read"].tolist() == [24]


def test_memory_is_shared_unless_a_copy_is_asked_for():
    plain = np.zeros(3)
    trace = instrumented.Trace()
    x, y = trace.array(plain), trace.array(plain, copy=True)
    out, copied = x.escape(), x.escape(copy=True)
    x += 1.0
    assert plain.tolist() == out.tolist() == [1.0, 1.0, 1.0]
    assert copied.tolist() == y.escape().tolist() == [0.0, 0.0, 0.0]
    assert trace.escape(x, copy=True).base is None


@pytest.mark.filterwarnings("ignore:Setting the:DeprecationWarning")  # from NumPy 2.5 on
def test_nobody_outside_gives_a_traced_array_another_shape_or_type():
    trace = instrumented.Trace(escapes="record")
    entered, drawn = np.ones(16, np.float32), np.ones(16, np.float32)
    arrays = trace.array(entered), trace.made(drawn)
    for x, outside in zip(arrays, (entered, drawn), strict=True):
        sums = [x.sum(axis=0)]
        plain: Any
        for plain in (outside, x.escape(), np.asarray(x)):
            plain.shape = (4, 4)
            plain.dtype = np.float16
            sums.append(x.sum(axis=0))
        assert x.shape == (16,)
        assert x.dtype == np.float32
        assert [s.escape() for s in sums] == [16.0] * 4
    # read: of both arrays 4 sums of 16 numbers of 4 bytes, the 4 that left, twice all that left;
    # written: the array that was made, and the sums
    assert trace.traffic == Traffic(2 * (4 * 64 + 4 * 4 + 2 * 64), 64 + 2 * 4 * 4)


def test_copies_of_traced_arrays_stay_in_the_trace():
    trace = instrumented.Trace()
    x = trace.array(np.ones(3))
    for made in (copy.copy(x), copy.deepcopy(x), copy.deepcopy([x])[0]):
        made += 1.0
    assert x.escape().tolist() == [1.0, 1.0, 1.0]
    assert trace.to_frame().query("operation == 'copy'")["calls"].item() == 3


def test_lists_with_traced_values_are_put_together_in_the_trace(traced):
    trace, x = traced((4,), dtype=np.float64)
    s = x[0]
    before = trace.traffic
    np.add(x, [s, s, s, s])
    # the list: 4 reads of 8 bytes, 32 written; the sum reads 32 + 32 and writes 32
    assert trace.traffic.bytes_read - before.bytes_read == 32 + 64
    assert trace.traffic.bytes_written - before.bytes_written == 32 + 32


def test_shapes_that_depend_on_data_are_marked():
    trace = instrumented.Trace()
    x = trace.array(np.array([3.0, 1.0, 2.0]))
    with trace.scope(layer="layer1", phase="forward"):
        x[x > 2]
        np.nonzero(x)
        np.unique(x)
        np.repeat(x, trace.array(np.array([1, 0, 2])))
        np.repeat(x, 2)
        np.compress(x > 2, x)
        np.where(x > 2)
        np.where(x > 2, x, 0.0)
        x[x > 2] = 0.0
        x[trace.array(np.array([0, 1]))]
        np.add.reduceat(x, [0, 1, 2])
        np.add.reduceat(x, trace.array(np.array([0, 2])))  # one addition; of [2, 0] two
    rows = trace.data_dependent
    assert rows.columns.tolist() == ["layer", "phase", "operation", "calls"]
    assert dict(zip(rows["operation"], rows["calls"], strict=True)) == {
        "gather": 1, "nonzero": 1, "unique": 1, "repeat": 1, "compress": 1, "where": 1,
        "scatter": 1, "add.reduceat": 1,
    }  # fmt: skip


def test_no_public_name_holds_plain_values(traced):
    _, x = traced((3, 4))
    for value in (x, x.sum(), x.flat):
        for name in dir(value):
            if not name.startswith("_"):
                found = None
                with suppress(AttributeError, EscapeError):
                    found = getattr(value, name)
                assert not isinstance(found, (np.ndarray, np.generic, np.flatiter)), name


def test_no_pickle_holds_values_that_nobody_let_out(traced):
    trace, x = traced((3, 4), trace=instrumented.Trace(strict=True, record=True))
    scalar = x.sum()
    for value in (x, scalar, x.flat):
        assert value.__getstate__() is None
        for take in (pickle.dumps, lambda value: value.__reduce__()):
            with pytest.raises((EscapeError, TypeError)):
                take(value)
    with pytest.raises(TypeError, match="cannot pickle"):
        copy.copy(x.flat)
    kept = pickle.dumps(trace)
    assert x.escape().tobytes() not in kept
    again = pickle.loads(kept)
    assert again.events == trace.events[:-1]  # without the escape
    y = again.array(np.ones(3))
    assert (y + y).shape == (3,)  # it goes on, with buffers of its own
    assert [access.buffer for access in again.events[-1].reads] == [len(trace.buffers)] * 2


def test_a_function_without_a_rule_writes_nothing():
    trace = instrumented.Trace()
    x = trace.array(np.ones(3))
    target = trace.array(np.zeros(3))
    with pytest.raises(instrumented.UncountedOperationError):
        np.unwrap(x)
    with pytest.raises(instrumented.UncountedOperationError):
        np.einsum(x, [0], x, [0], [], out=target)
    assert target.escape().tolist() == [0.0, 0.0, 0.0]


def test_foreign_ufuncs_that_borrow_a_name_are_refused():
    @numba.vectorize(["float64(float64, float64)"])
    def add(a, b):
        return a + b

    x = instrumented.Trace().array(np.ones(3))
    with pytest.raises(instrumented.UncountedOperationError, match="no traffic rule"):
        add(x, x)


def test_subclasses_of_arrays_are_refused():
    x = instrumented.Trace().array(np.ones((2, 2)))
    with pytest.raises(instrumented.UncountedOperationError, match="matrix"):
        x.view(np.matrix)
    with pytest.raises(instrumented.UncountedOperationError, match="MaskedArray"):
        np.add(x, np.ma.array([1.0, 2.0], mask=[0, 1]))


def test_an_array_made_like_a_traced_one_reads_its_list():
    trace = instrumented.Trace()
    x = trace.array(np.ones(3))
    np.asarray([1.0, 2.0], like=x)
    assert trace.traffic == Traffic(16, 16)
    with pytest.raises(instrumented.BareArrayError):
        np.asarray([1.0, 2.0], like=instrumented.Trace(strict=True).array(np.ones(3)))


def test_escapes_is_one_of_two():
    with pytest.raises(InstrumentError, match='"refuse" or "record"'):
        instrumented.Trace(escapes="ignore")
