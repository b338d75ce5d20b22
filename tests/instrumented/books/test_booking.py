"""Places, fusion scopes, steps and shortcuts of a booking, and the types of its tables."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace


def test_a_scope_that_names_the_place_around_it_is_that_place() -> None:
    trace = Trace()
    x = trace.array(np.ones(4))
    with trace.scope(layer="layer1"):
        pass
    with trace.scope(makes="temporary"):
        x + 1
    with trace.scope():
        x + 1
    x + 1
    (entry,) = trace.ledger.entries
    assert (entry.operation.place.layer, entry.calls) == ("unscoped", 3)


def test_fusion_scopes_nest() -> None:
    trace = Trace(record=True)
    x = trace.array(np.ones(4))
    with trace.fuse("outer"):
        with trace.fuse("inner"):
            x + 1
        x + 1
        with trace.fuse("inner"):
            x + 1
    x + 1
    outer = ("outer", 1)
    assert [event.fusion for event in trace.events] == [
        (outer, ("inner", 2)),
        (outer,),
        (outer, ("inner", 3)),
        (),
    ]


def test_a_step_that_raises_before_it_did_anything_is_none() -> None:
    trace = Trace(record=True)
    with pytest.raises(ZeroDivisionError), trace.step("train"):
        raise ZeroDivisionError
    assert (trace.events, trace.signatures) == ([], [])


def test_calls_and_flops_stand_on_the_role_of_the_result() -> None:
    trace = Trace()
    w = trace.array(np.ones((3, 3)), role="weight")
    x = trace.array(np.ones((2, 3)))
    with trace.scope(makes="activation"):
        h = x @ w  # 2 x 3 x 3 multiply-adds, 36 flops
    h += 1.0  # in a place that makes temporaries: 6 flops of an activation
    np.zeros_like(w)  # reads nothing, makes a temporary
    w.escape()  # makes nothing: the weight's
    found = trace.by_role().groupby("role")[["calls", "flops"]].sum()
    assert found.T.to_dict("list") == {
        "activation": [2, 42],
        "data": [0, 0],
        "temporary": [1, 0],
        "weight": [1, 0],
    }


def test_tables_without_rows_have_the_types_of_others() -> None:
    full, empty = Trace(), Trace()
    full.array(np.ones(4)) + 1
    for by_step in (False, True):
        found = empty.to_frame(by_step=by_step)
        counts = found.columns[found.columns.get_loc("calls") :]
        assert len(counts) == 7
        assert (found[counts].dtypes == full.to_frame(by_step=by_step)[counts].dtypes).all()


def test_records_that_a_mask_selects_have_no_arithmetic() -> None:
    trace = Trace(record=True)
    records = trace.array(np.zeros(3, [("a", "i4"), ("b", "f8")]))
    records[records["a"] == 0]
    assert [(event.operation, event.dtype) for event in trace.events] == [
        ("equal", "int32"),
        ("gather", "bool"),  # of the mask, the one operand of a type that there are numbers of
    ]
