"""Machine code that is kept on disk, and when it must not be used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from instrumented import compiling

CALLER = """
import sys
from instrumented.compiling import compiled
from instrumented.lowering.part import NUMBER, part

@compiled
def whole():
    return part() + NUMBER

def compiled_now():
    found = whole()
    can_compile = int("numba.np.linalg" in sys.modules)  # numba gets it when it gets ready to
    return found, sum(whole.stats.cache_misses.values()), can_compile
"""
PART = """
from instrumented.compiling import inlined

NUMBER = {number}

@inlined
def part():
    return {part}
"""


def answered(folder: Path) -> tuple[int, int, int]:
    """Return what a process finds, how many functions it compiled, and whether it got ready to."""
    code = "from instrumented.distances.caller import compiled_now; print(*compiled_now())"
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment["PYTHONPATH"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],  # Python's own cache goes by seconds and sizes
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found, misses, can_compile = map(int, done.stdout.split())
    return found, misses, can_compile


def test_machine_code_is_kept_until_a_part_of_it_from_another_file_changes(tmp_path: Path) -> None:
    package = tmp_path / "instrumented"
    for name in ("", "distances", "lowering"):
        (package / name).mkdir(parents=True, exist_ok=True)
        (package / name / "__init__.py").write_text("")
    (package / "compiling.py").write_bytes(Path(compiling.__file__).read_bytes())
    (package / "distances" / "caller.py").write_text(CALLER)
    part = package / "lowering" / "part.py"
    part.write_text(PART.format(number=10, part=1))
    assert answered(tmp_path) == (11, 1, 1)
    assert answered(tmp_path) == (11, 0, 0)
    part.write_text(PART.format(number=10, part=2))
    assert answered(tmp_path) == (12, 1, 1)
    part.write_text(PART.format(number=20, part=2))
    assert answered(tmp_path) == (22, 1, 1)
    assert len(list((package / "distances" / "__pycache__").glob("*.nbc"))) == 1
