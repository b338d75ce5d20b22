"""The committed figures of XLA against the instrument as it is, and the rules of differences."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.lib import NumpyVersion

import instrumented
from instrumented.rules.traffic_rules import RULES
from instrumented.rules.ufunc_work import ELEMENT_WORK
from validation import xla, xla_program
from validation.xla import judged
from validation.xla_bytes import BYTE_RULES, EQUAL, UNEXPLAINED, Figure, byte_rule
from validation.xla_cases import STAY_OUT, Case, cases
from validation.xla_flops import FLOP_RULES, flop_rules, windowed

OLDER = NumpyVersion(np.__version__) < "2.4.0"
CHANGED = {
    ("round", "int32"),  # whole numbers came back as they were: nothing moved
    ("around", "int32"),
    ("linalg.cond", "complex64"),  # the condition in a norm was a complex number
}
"""Functions that NumPy before 2.4, that of the committed figures, ran otherwise."""


@cache
def held() -> list[tuple[Figure, Case]]:
    """The committed figures, each with its case; those that this NumPy lacks are left out."""
    known = {(one.operation, one.shape, one.dtype): one for one in xla.committed()}
    found = [(known.pop(key, None), case) for case in cases(np) if (key := key_of(case))]
    assert {name for name, *_ in known} <= {"matvec", "vecmat"} - set(dir(np))  # NumPy 2.2
    return [(figure, case) for figure, case in found if figure is not None]


def key_of(case: Case) -> tuple[str, str, str]:
    return case.name, case.shape, case.dtype


def test_every_difference_has_its_rule():
    figures, of = zip(*held(), strict=True)
    assert judged(list(figures), list(of)) == list(figures)
    found = Counter(one.bytes_rule for one in figures), Counter(one.flops_rule for one in figures)
    assert set(found[0]) == set(BYTE_RULES)
    assert set(found[1]) == set(FLOP_RULES)
    assert found[0][EQUAL] > 1500
    assert found[1][EQUAL] > 1400


def test_bytes_and_flops_are_still_those_held_against_xla():
    for figure, case in held():
        if OLDER and (figure.plain, case.dtype) in CHANGED:
            continue
        trace = instrumented.Trace()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            case.call(np, *(trace.array(operand) for operand in case.operands))
        assert trace.traffic.bytes_moved == figure.bytes_here, case
        assert trace.work.flops == figure.flops_here, case


def test_every_counted_function_is_held_or_stays_out_for_a_reason():
    names = {rule.name for rule in RULES.values()} | set(ELEMENT_WORK)
    counted = {re.sub(r"\._(\w+)_impl", r".\1", name) for name in names}  # as NumPy 2.1 has them
    operations = {case.name.partition(" ")[0].rstrip(",") for case in cases(np)}
    out = {name for names in STAY_OUT.values() for name in names.split()}
    assert counted <= operations | out
    assert not operations & out - {"isnat"}


@pytest.mark.parametrize("wrong", [-1, 1, 3, 17])
def test_any_other_count_of_bytes_has_no_rule(wrong):
    for figure, case in held():
        other = replace(figure, bytes_here=figure.bytes_here + wrong)
        assert byte_rule(other, case) == UNEXPLAINED, other


def test_kernels_that_move_other_bytes_than_xla_says_have_no_rule():
    for figure, case in held():
        other = replace(figure, bytes_xla=figure.bytes_xla + 4)
        assert byte_rule(other, case) == UNEXPLAINED, other


BOUNDED = {"products", "order statistics", "library", "other formula"}
"""Rules that bound the flops counted here; all others say how many they are."""


@pytest.mark.parametrize("factor", [0.5, 2, 30])
def test_flops_that_are_wrong_at_one_size_have_no_rule(factor):
    groups = defaultdict(list)
    for figure, _ in held():
        groups[figure.operation, figure.dtype].append(figure)
    for group in groups.values():
        first, *others = group
        wrong = replace(first, flops_here=int(first.flops_here * factor))
        is_known = wrong.flops_here in (first.flops_here, first.flops_xla)
        is_bounded = first.flops_rule in BOUNDED or "complex" in first.dtype
        if others and not is_known and (factor == 30 or not is_bounded):
            assert flop_rules([wrong, *others])[0] == UNEXPLAINED, wrong


PROGRAM = """\
HloModule jit_f, is_scheduled=true

%fused (param_0: f32[4,2], param_1: f32[]) -> f32[2] {
  %param_0 = f32[4,2]{1,0} parameter(0)
  %slice.1 = f32[1,2]{1,0} slice(%param_0), slice={[1:2], [0:2]}
  %param_1 = f32[] parameter(1)
  %bitcast.1 = f32[2]{0} bitcast(%slice.1)
  %broadcast.1 = f32[2]{0} broadcast(%param_1), dimensions={}
  ROOT %add.1 = f32[2]{0} add(%bitcast.1, %broadcast.1)
}

ENTRY %main (x: f32[4,2], y: f32[]) -> (f32[2], s32[]) {
  %x = f32[4,2]{1,0} parameter(0)
  %y = f32[] parameter(1)
  %copy.1 = f32[4,2]{0,1} copy(%x)
  %call.1 = (f32[4,2]{0,1}, s32[]) custom-call(%copy.1), custom_call_target="lapack"
  %part.1 = f32[4,2]{0,1} get-tuple-element(%call.1), index=0
  %part.2 = s32[] get-tuple-element(%call.1), index=1
  %fusion.1 = f32[2]{0} fusion(%part.1, %y), kind=kLoop, calls=%fused
  ROOT %tuple.1 = (f32[2]{0}, s32[]) tuple(%fusion.1, %part.2)
}
"""


def test_the_text_of_a_program_says_what_its_kernels_move():
    # a copy of 8 floats, 32 + 32; fused: a row of 8 bytes and y's 4 in, 8 out; a table of 2 × 8
    assert xla_program.read(PROGRAM) == xla_program.Program(
        moved=64 + 20 + 16, libraries=1, loops=0, table_of_results=16
    )


def test_running_sums_in_windows():
    # 7: each of 7 sums folds 7. 600: 38 windows of 16, then 3 of their sums, then those 3 before
    # each of 4: 608·15 + 608, 48·15 + 48, 4·2
    assert windowed(7) == 42
    assert windowed(600) == 9120 + 608 + 720 + 48 + 8
