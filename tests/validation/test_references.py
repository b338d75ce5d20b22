"""The fast part of the validation: committed figures of others against the instrument as it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib import NumpyVersion

import instrumented
from validation import counts, torch_flops, xla


def test_every_difference_from_xla_has_its_rule():
    found = xla.summary(xla.committed())
    assert set(found) <= set(xla.RULES)
    assert sum(found.values()) > 600
    assert found[xla.EQUAL] > 300


NEWER = NumpyVersion(np.__version__)
CHANGED = {
    "round": NEWER < "2.4.0",  # whole numbers came back as they were: nothing moved
    "linalg.eig": NEWER >= "2.5.0",  # complex, whatever the values
    "linalg.eigvals": NEWER >= "2.5.0",
}
"""Functions that this NumPy runs otherwise than that of the committed figures, 2.4."""


def test_bytes_and_flops_are_still_those_held_against_xla():
    known = {(f.operation, f.shape, f.dtype): f for f in xla.committed()}
    seen = set()
    for case in xla.cases(np):
        figure = known.get((case.name, case.shape, case.dtype))
        if figure is None:
            continue
        seen.add((case.name, case.shape, case.dtype))
        if CHANGED.get(case.name) and case.dtype.startswith("int"):
            continue
        trace = instrumented.Trace()
        with np.errstate(all="ignore"):
            case.call(np, *(trace.array(operand) for operand in case.operands))
        assert trace.traffic.bytes_moved == figure.bytes_here, case
        assert trace.work.flops == figure.flops_here, case
    assert seen == set(known)


def test_a_wrong_count_of_bytes_has_no_rule():
    case = next(case for case in xla.cases(np) if case.name == "add")
    wrong = xla.Figure("add", case.shape, case.dtype, 7200, 7204, 600, 600, "")
    assert xla.judged(wrong, case).verdict == "unexplained"


@pytest.mark.parametrize("row", torch_flops.committed(), ids=lambda row: row.step)
def test_matrix_flops_equal_pytorchs(row):
    sizes = tuple(map(int, row.layer_sizes.split("-")))
    assert torch_flops.here(row.step, sizes) == row.flops_torch == row.flops_here


def test_counts_of_small_programs_are_the_committed_ones():
    found, known = counts.counts(), counts.committed()
    assert found.keys() == known.keys()
    differ = {key.split()[0] for key in known if found[key] != known[key]}
    assert differ == {name for name, changed in CHANGED.items() if changed}
