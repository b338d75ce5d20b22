"""Counts that only rare arguments tell apart, in plain integers, worked by hand.

Rows and operands as in `test_hand_counted.py`: a program, bytes read, bytes written, flops.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from instrumented import Trace
from instrumented.books.events import Kind
from instrumented.rules.traffic_rules import RULES, streaming, traffic_rule

UMATH = sys.modules["numpy._core.umath"]

ELEMENTWISE = [
    # the ufunc behind np.clip: a comparison with each bound
    (lambda X: UMATH.clip(X, 0, 4), 96, 96, 24),
    # two numbers put before none: one difference; 3 lines of them: 3
    (lambda S: np.diff(S[:0], prepend=[1.0, 2]), 16, 8, 1),
    (lambda E, I4: np.diff(E.T[:2], prepend=I4, axis=1), 32, 16, 2),
    # 3 lines of 4: 9 pairs added, times half a step (2·9), 2·3 adds; the 3 steps serve all lines
    (lambda X, R: np.trapezoid(X, R), 96 + 32, 24, (9 + 6 + 3, 18)),
    (lambda X, Y: np.trapezoid(X, Y), 96 + 96, 24, (9 + 6 + 9, 18)),
    # the element of a mask is a byte taken out, and a byte read
    (lambda X, B: np.sum(X, where=B[0]), 1 + 96 + 1, 1 + 8, 11),
    # memory without content is in the trace: what is made of it is counted
    (lambda IN: np.empty_like(IN) * 0, 96, 96, (0, 12)),
]

PRODUCTS = [
    # 4 columns of 3 multiply-adds
    (lambda X, Y: np.linalg.vecdot(X, Y, axis=0), 192, 32, (12, 12)),
]


@pytest.mark.parametrize("programs", [ELEMENTWISE, PRODUCTS])
def test_counts(by_hand, programs):
    for program in programs:
        by_hand(*program)


@pytest.mark.parametrize("given", [{"foo": 1}, {"axis": 1}])
def test_a_method_takes_no_argument_that_it_lacks_or_has_already(given):
    x = Trace().array(np.ones((2, 2)))
    with pytest.raises(TypeError, match="unknown or a second argument"):
        x.sum(0, **given)


def test_names_that_numpy_lacks_are_skipped_and_two_names_of_one_function_are_one_rule(monkeypatch):
    monkeypatch.setattr(np, "twice", np.unwrap, raising=False)
    before = dict(RULES)
    traffic_rule("not_of_numpy(p: array)", "unwrap(p: array)", "twice(p: array)")(
        streaming(Kind.COPY)
    )
    assert RULES.keys() - before.keys() == {np.unwrap}
    del RULES[np.unwrap]
