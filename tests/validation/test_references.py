"""The fast part of the validation: committed figures of others against the instrument as it is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib import NumpyVersion

from validation import counts, torch_flops

NEWER = NumpyVersion(np.__version__)
CHANGED = {
    "round": NEWER < "2.4.0",  # whole numbers came back as they were: nothing moved
    "linalg.eig": NEWER >= "2.5.0",  # complex, whatever the values
    "linalg.eigvals": NEWER >= "2.5.0",
}
"""Functions that this NumPy runs otherwise than that of the committed figures, 2.4."""


@pytest.mark.parametrize("row", torch_flops.committed(), ids=lambda row: row.step)
def test_matrix_flops_equal_pytorchs(row):
    sizes = tuple(map(int, row.layer_sizes.split("-")))
    assert torch_flops.here(row.step, sizes) == row.flops_torch == row.flops_here


def test_counts_of_small_programs_are_the_committed_ones():
    found, known = counts.counts(), counts.committed()
    assert found.keys() == known.keys()
    differ = {key.split()[0] for key in known if found[key] != known[key]}
    assert differ == {name for name, changed in CHANGED.items() if changed}
