"""Named arrays as one file: NumPy's own bytes, and nothing that would be unpickled."""

from __future__ import annotations

import io

import numpy as np
import pytest

from ffenergy.files.contents import as_npz, from_npz


def test_an_archive_is_numpys_and_comes_back() -> None:
    arrays = {"layer1/W": np.arange(6, dtype=np.float32).reshape(2, 3), "name": np.array("\u03b8")}
    theirs = io.BytesIO()
    np.savez(theirs, **arrays)
    assert as_npz(arrays) == theirs.getvalue()
    back = from_npz(as_npz(arrays))
    assert list(back) == list(arrays)
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())


def test_python_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        as_npz({"objects": np.array([{}], dtype=object)})
