"""Scopes, steps, signatures, escapes and tables of a trace."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import instrumented
from instrumented import EscapeError, InstrumentError, Traffic, Work


def test_scopes_nest_and_inherit():
    trace = instrumented.Trace()
    x: Any = trace.array(np.ones(4, np.float32))
    with trace.scope(layer="layer1", phase="forward", makes="activation"):
        y = x + 1.0
        with trace.scope(phase="normalize"):
            z = y * 2.0
        assert (y.role, z.role) == ("activation", "activation")
    x - 1.0
    places = trace.to_frame()[["layer", "phase", "operation"]].to_numpy().tolist()
    assert places == [
        ["layer1", "forward", "add"],
        ["layer1", "normalize", "multiply"],
        ["unscoped", "unscoped", "subtract"],
    ]


def test_a_scope_can_be_entered_again_and_recovers_from_errors():
    trace = instrumented.Trace()
    x = trace.array(np.ones(4))
    scope = trace.scope(layer="layer1")
    with pytest.raises(ZeroDivisionError), scope:
        raise ZeroDivisionError
    x + 1
    with scope:
        x + 1
    assert trace.to_frame()["layer"].tolist() == ["unscoped", "layer1"]


def test_tables_add_up_to_the_same_totals():
    trace = instrumented.Trace()
    w = trace.array(np.ones((3, 3)), role="weight")
    x: Any = trace.array(np.ones((2, 3)))
    for layer in ("layer1", "layer2"):
        with trace.scope(layer=layer, phase="forward", makes="activation"), trace.step("train"):
            x = np.maximum(x @ w, 0.0)
    x.escape()
    by_operation, by_role = trace.to_frame(), trace.by_role()
    by_step = trace.to_frame(by_step=True)
    for frame in (by_operation, by_role, by_step):
        assert frame["bytes_read"].sum() == trace.traffic.bytes_read
        assert frame["bytes_written"].sum() == trace.traffic.bytes_written
        assert frame["flops"].sum() == trace.work.flops
        assert frame["calls"].sum() == 5
    assert by_step["step"].unique().tolist() == [-1, 0, 1]
    # matmul 2x3 by 3x3 in float64: reads 48 + 72, writes 48; maximum: reads 48, writes 48
    assert trace.traffic == Traffic(2 * (48 + 72 + 48) + 48, 2 * (48 + 48))
    roles = by_role.groupby("role")[["bytes_read", "bytes_written"]].sum()
    assert roles.loc["weight"].tolist() == [2 * 72, 0]
    assert roles.loc["data"].tolist() == [48, 0]
    assert roles.loc["activation"].tolist() == [48 + 2 * 48 + 48, 2 * 96]


def test_signatures_tell_steps_apart_by_shape_and_add_up():
    trace = instrumented.Trace()
    w = trace.array(np.ones((3, 2), np.float32), role="weight")
    for rows in (4, 4, 4, 1):
        x = trace.array(np.ones((rows, 3), np.float32))
        with trace.step("train"):
            x @ w
    first, last = trace.signatures
    assert (first.steps, last.steps) == (3, 1)
    assert first.digest != last.digest
    # 4x3 by 3x2: reads 48 + 24, writes 32, 48 flops; 1x3 by 3x2: reads 12 + 24, writes 8
    assert (first.traffic, first.work) == (Traffic(72, 32), Work(24, 24))
    assert last.traffic == Traffic(36, 8)
    assert first.traffic * 3 + last.traffic == trace.traffic


def test_signatures_tell_layouts_and_scopes_apart():
    trace = instrumented.Trace()
    square = trace.array(np.ones((3, 3)))
    for operand in (square, square.T, square):
        with trace.step("train"):
            operand + 1.0
    with trace.scope(phase="elsewhere"), trace.step("train"):
        square + 1.0
    assert [s.steps for s in trace.signatures] == [2, 1, 1]


def test_steps_do_not_nest():
    trace = instrumented.Trace()
    with trace.step("train"), pytest.raises(InstrumentError, match="do not nest"):
        trace.step("train").__enter__()


def test_counts_do_not_depend_on_values():
    counts = []
    for seed in (0, 1):
        trace = instrumented.Trace()
        x = trace.array(np.random.default_rng(seed).normal(size=(5, 5)))
        np.maximum(x @ x, 0.0).sum(axis=0).max()
        counts.append(trace.to_frame())
    assert counts[0].equals(counts[1])


@pytest.mark.parametrize(
    "escape",
    [
        float, int, complex, bool, list, np.asarray, np.array, pickle.dumps,
        lambda x: x.item(), lambda x: x.tolist(), lambda x: x.tobytes(), lambda x: 1.0 in x,
        lambda x: [10, 20][x], lambda x: np.array([x, x]), lambda x: f"{x:.3f}",
    ],
)  # fmt: skip
def test_nothing_leaves_unseen(escape):
    trace = instrumented.Trace()
    x = trace.array(np.ones(()))
    with pytest.raises((EscapeError, TypeError)):
        escape(x)
    assert trace.traffic == Traffic()


def test_printing_shows_no_value():
    x = instrumented.Trace().array(np.full(3, 7.25))
    assert repr(x) == str(x) == "TracedArray(shape=(3,), dtype=float64, role='data')"


def test_an_escape_is_recorded():
    trace = instrumented.Trace()
    with trace.scope(layer="layer1", phase="evaluate"):
        total = trace.array(np.ones(3)).sum()
        value = total.escape()
    assert value == 3.0
    assert isinstance(value, np.float64)
    assert trace.escapes.to_numpy().tolist() == [["layer1", "evaluate", 1, 8]]


def test_traced_arrays_share_memory_with_what_entered():
    plain = np.ones(3)
    x = instrumented.Trace().array(plain)
    x += 1.0
    assert plain.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("array", "role", "message"),
    [
        ([1, 2], "data", "needs a numpy.ndarray, not list"),
        (np.array([object()]), "data", "dtype object"),
        (np.ones(3), "wieght", "unknown role 'wieght'"),
    ],
)
def test_what_cannot_enter_is_refused(array, role, message):
    with pytest.raises(InstrumentError, match=message):
        instrumented.Trace().array(array, role=role)


@pytest.mark.parametrize("function", [np.matmul, np.dot, np.add.outer, np.multiply])
def test_what_objects_make_is_refused_be_it_one_object_or_an_array(function):
    objects, trace = np.array([2, 3], object), instrumented.Trace()
    with pytest.raises(InstrumentError, match="dtype object"):
        function(trace.array(np.ones(2)), objects)
    with pytest.raises(InstrumentError, match="dtype object"):
        np.sum(trace.array(np.ones(2)), dtype=object)
    assert trace.traffic == Traffic()


def test_what_cannot_be_made_is_refused():
    trace = instrumented.Trace()
    for array, role in (([1, 2], "data"), (np.array([None]), "data"), (np.ones(3), "wieght")):
        with pytest.raises(InstrumentError):
            trace.made(array, role=role)
    with pytest.raises(InstrumentError, match="dtype object"):
        trace.array(np.ones(3)).astype(object)
    with pytest.raises(InstrumentError, match="only traced arrays"):
        trace.escape(np.ones(3))
    assert trace.traffic == Traffic()


@pytest.mark.parametrize(
    ("enter", "message"),
    [
        (lambda trace: trace.step(3), "a step is named by a text, not by 3"),
        (lambda trace: trace.fuse(None), "a fusion scope is named by a text, not by None"),
        (lambda trace: trace.scope(layer=1), "a layer is named by a text, not by 1"),
        (lambda trace: trace.scope(phase=b"f"), "a phase is named by a text"),
        (lambda trace: trace.scope(layer=""), "a layer has an empty name"),
    ],
)
def test_what_has_no_name_is_refused(enter, message):
    with pytest.raises(InstrumentError, match=message):
        enter(instrumented.Trace())


def test_a_step_that_raises_is_none():
    trace = instrumented.Trace(record=True)
    x = trace.array(np.ones(3))

    def broken_step():
        with trace.step("train"):
            x + 1.0
            x + 1.0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_step()
    with trace.step("train"):
        x * 2.0
    assert [(s.name, s.steps, len(s.program)) for s in trace.signatures] == [("train", 1, 1)]
    assert [event.step for event in trace.events] == [-1, -1, 0]
    assert trace.to_frame(by_step=True)["step"].tolist() == [-1, 0]


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, y: x + y,
        lambda x, y: np.concatenate([x, y]),
        lambda x, y: np.clip(x, 0.0, 1.0, out=y),
        lambda x, y: instrumented.Trace().escape(y),
    ],
)
def test_arrays_of_two_traces_do_not_mix(mix):
    arrays: list[Any] = [instrumented.Trace().array(np.ones(3)) for _ in range(2)]
    x, y = arrays
    with pytest.raises(InstrumentError, match="two traces"):
        mix(x, y)
    assert y._array.tolist() == [1.0, 1.0, 1.0]


def test_foreign_operands_are_refused():
    x = instrumented.Trace().array(np.ones(3))
    with pytest.raises(TypeError):
        x + "text"
    with pytest.raises(TypeError):
        x + object()


def test_events_name_buffers_views_and_fusion():
    trace = instrumented.Trace(record=True)
    w = trace.array(np.zeros((4, 2), np.float32), role="weight", name="W")
    with trace.step("train"), trace.fuse("adam"):
        half = w[2:]
        half += 1.0
        wide = half.T * 2.0
    first, second = trace.events
    assert first.step == second.step == 0
    assert first.fusion == second.fusion == (("adam", 1),)
    read, written = first.reads[0], first.writes[0]
    assert trace.buffers[read.buffer].name == "W"
    assert read.buffer == written.buffer == second.reads[0].buffer
    assert (read.offset, read.shape, read.strides, read.nbytes) == (16, (2, 2), (8, 4), 16)
    assert second.reads[0].strides == (4, 8)
    assert trace.buffers[second.writes[0].buffer].preloaded is False
    assert wide.shape == (2, 2)


def test_elements_stored_and_read_again_are_events_again():
    trace = instrumented.Trace(record=True)
    x = trace.array(np.zeros(3))
    for i in (0, 1):
        x[i] = 1.0
        x[i + 1] + 0.5
    assert [event.operation for event in trace.events] == ["store", "element", "add"] * 2


@pytest.mark.parametrize(
    ("operate", "dtype"),
    [
        (lambda x, mask, i: mask * x, "float32"),
        (lambda x, mask, i: x > 1.0, "float32"),
        (lambda x, mask, i: mask.sum(), "int64"),
        (lambda x, mask, i: mask & mask, "bool"),
        (lambda x, mask, i: i / i, "float64"),
        (lambda x, mask, i: i + i, "int64"),
        (lambda x, mask, i: np.where(mask, x, 0.0), "float32"),
        (lambda x, mask, i: x.sum(dtype=np.float64), "float64"),
        (lambda x, mask, i: x.argmax(), "float32"),
        (lambda x, mask, i: x @ x, "float32"),
        (lambda x, mask, i: np.zeros_like(x), "float32"),
        (lambda x, mask, i: np.abs(x * 1j), "complex64"),
        (lambda x, mask, i: np.fft.fft(i), "float64"),  # counted on real parts
        (lambda x, mask, i: i.view("datetime64[s]").copy(), "datetime64[s]"),
    ],
)
def test_an_event_has_the_type_of_its_arithmetic(operate, dtype):
    trace = instrumented.Trace(record=True)
    x = trace.array(np.ones(3, np.float32))
    operate(x, trace.array(np.ones(3, bool)), trace.array(np.ones(3, np.int64)))
    assert trace.events[-1].dtype == dtype


def test_windows_lie_in_the_buffer_of_their_array():
    trace = instrumented.Trace(record=True)
    x = trace.array(np.zeros(8, np.float32), name="x")
    np.lib.stride_tricks.sliding_window_view(x, 3)[1:] * 2
    (read,) = trace.events[-1].reads
    # windows 1 to 5 of 3 elements: bytes 4 to 32 of x
    assert (trace.buffers[read.buffer].name, read.offset, read.nbytes) == ("x", 4, 28)


def test_two_entries_of_one_memory_are_one_buffer():
    trace = instrumented.Trace(record=True)
    plain = np.zeros(8)
    left, right = trace.array(plain[:4]), trace.array(plain[4:])
    left + right
    a, b = trace.events[0].reads
    assert (a.buffer, a.offset) == (b.buffer, b.offset - 32)


def test_events_need_a_recording_trace():
    with pytest.raises(InstrumentError, match="record=True"):
        _ = instrumented.Trace().events


def test_recording_counts_the_same():
    counts = []
    for record in (False, True):
        trace = instrumented.Trace(record=record)
        x = trace.array(np.ones((3, 3)))
        for _ in range(3):
            x = x @ x + 1.0
            x /= 2.0
        counts.append(trace.to_frame())
        if record:
            moved = sum(a.nbytes for e in trace.events for a in e.reads)
            assert moved == trace.traffic.bytes_read
    assert counts[0].equals(counts[1])


def test_untraced_has_the_same_methods_and_does_nothing():
    plain = np.ones(3)
    untraced = instrumented.Untraced()
    assert untraced.array(plain) is untraced.made(plain) is untraced.escape(plain) is plain
    assert untraced.escape(np.float32(2.0)) == 2.0
    with untraced.scope(layer="layer1"), untraced.step("train"), untraced.fuse("adam"):
        pass


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # NumPy 2.5
def test_arrays_are_sorted_and_shaped_in_place(traced):
    trace, x = traced((4, 8), dtype=np.float64)
    plain = x.escape(copy=True)
    before = trace.traffic, trace.work
    x.sort(axis=1)
    # 256 bytes read and written back; 4 lines of 8 · log2 8 comparisons
    assert trace.traffic == before[0] + instrumented.Traffic(256, 256)
    assert trace.work == before[1] + instrumented.Work(add=96)
    x.partition(2, axis=0)
    plain.sort(axis=1)
    plain.partition(2, axis=0)
    x.shape = plain.shape = 2, -1
    assert x.shape == (2, 16)
    assert np.array_equal(x.escape(), plain)
    with pytest.raises(ValueError, match="reshape"):
        x.shape = 5, 5
    with pytest.raises(instrumented.EscapeError, match="shape"):
        x.shape = trace.array(np.array([4, 8]))


def test_flat_real_and_imag_are_assigned_as_in_numpy(traced):
    trace, z = traced((2, 3), dtype=np.complex128)
    plain = z.escape(copy=True)
    values = np.arange(2.0)
    for array, given in ((plain, values), (z, trace.array(values))):
        array.flat = given
        array.imag = 3
        array.real[0] = 7
        array.real = array.real + 1
    assert np.array_equal(z.escape(), plain)
    x = traced((2,), trace=trace)[1]
    with pytest.raises(TypeError, match="imaginary"):
        x.imag = 1


def test_a_shuffle_that_would_lose_rows_is_refused(traced):
    trace, x = traced((5, 2), dtype=np.float64)
    before = x.escape(copy=True)
    with (
        pytest.warns(UserWarning, match="shuffl"),
        pytest.raises(instrumented.InstrumentError, match="generator"),
    ):
        np.random.default_rng(0).shuffle(x)
    assert np.array_equal(x.escape(), before)
    trace.generator(np.random.default_rng(0)).shuffle(x)
    np.random.default_rng(0).shuffle(before)
    assert np.array_equal(x.escape(), before)
    x[0] = x[1]  # a line of Python may
    x[1:] = x[:-1]
    assert np.array_equal(x[0].escape(), x[2].escape())


def test_an_array_without_axes_leaves_as_a_number():
    assert type(instrumented.Trace().array(np.array(2.0)).escape()) is np.float64
