"""All programs that are worked by hand, through every memory: what is counted is what is priced."""

from __future__ import annotations

import inspect
import itertools
import warnings

import pytest

from instrumented import Trace
from instrumented.analysis.step import analyse_live, analyses
from instrumented.lowering.kinds import Grain, MemoryKind
from tests.instrumented.rules import (
    test_hand_counted,
    test_hand_counted_functions,
    test_hand_counted_moves,
    test_rare_arguments,
)
from tests.instrumented.rules.conftest import operands

MODULES = [
    test_hand_counted,
    test_hand_counted_functions,
    test_hand_counted_moves,
    test_rare_arguments,
]
MEMORIES = (MemoryKind.SCRATCHPAD, MemoryKind.CACHE)


def programs(module):
    """Return the programs of a module's tables."""
    tables = [table for table in vars(module).values() if isinstance(table, list)]
    return [row[0] for table in tables for row in table if isinstance(row, tuple)]


def recorded(program):
    """Return a trace of three steps of a program, on arrays that it finds there."""
    trace, plain = Trace(record=True), operands()
    given = [trace.array(plain[name]) for name in inspect.signature(program).parameters]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # means of nothing, imaginary parts left out
        for _ in range(3):
            with trace.step("again"):
                program(*given)
    return trace


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split("_", 1)[1])
def test_every_byte_that_is_counted_is_priced(module):
    priced = 0
    for program in filter(callable, programs(module)):
        trace = recorded(program)
        events = [event for event in trace.events if event.step == 1]
        counted = [
            sum(one.nbytes for event in events for one in getattr(event, side))
            for side in ("reads", "writes")
        ]
        if not any(counted):
            continue
        for fused, grain in itertools.product((False, True), Grain):
            if fused and grain == Grain.PACKED:
                continue  # a BLAS fuses nothing
            found = analyses(trace, grain=grain, memories=MEMORIES, fused=fused, step=1)
            if grain == Grain.OPERATION and not fused:
                for one in found.values():
                    moved = [int(one.sums[f"bytes_{name}"].sum()) for name in ("read", "written")]
                    assert moved == counted, inspect.getsource(program)
        analyse_live(trace, step=1)
        priced += 1
    assert priced > 20
