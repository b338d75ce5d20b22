"""Pictures are drawn on a canvas of their own, whatever the environment says of matplotlib."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import hashlib, os
from ffenergy.report.pictures import drawing
from matplotlib import rc_context
from matplotlib.figure import Figure
with rc_context(drawing.LOOK):
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1], [0, 1])
    drawn = drawing.saved(figure)
print(os.environ.get("MPLBACKEND"), *(hashlib.sha256(drawn[kind]).hexdigest() for kind in drawn))
"""


def drawn(folder: Path, **names: str) -> list[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MPL")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | names,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow
def test_no_backend_and_no_style_of_the_environment_changes_a_picture(tmp_path: Path) -> None:
    plain = drawn(tmp_path)
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\nsavefig.bbox: tight\n")
    odd = drawn(tmp_path, MPLBACKEND="nonsense")
    assert odd[0] == "nonsense"  # other programs may know it
    assert odd[1:] == plain[1:]
