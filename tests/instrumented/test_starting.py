"""``python -m instrumented`` loads what it needs, whatever the files at hand are called."""

import subprocess
import sys

SCRIPT = "import random, sys\nimport numpy as np\nprint(random.MINE, sys.path[0])\nnp.ones(3) + 1\n"


def test_files_called_as_modules_of_pythons_own_are_the_scripts_alone(tmp_path):
    for name in ("random", "calendar"):  # NumPy and pandas load these
        (tmp_path / f"{name}.py").write_text("MINE = 'mine'\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    expected, found = (
        subprocess.run(
            [sys.executable, *before, "script.py"], cwd=tmp_path, capture_output=True, text=True
        )
        for before in ([], ["-m", "instrumented", "run"])
    )
    assert expected.stdout.startswith("mine ")
    assert (found.stdout, found.returncode) == (expected.stdout, 0), found.stderr
    assert "script.py moved" in found.stderr
