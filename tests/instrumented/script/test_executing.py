"""Code that is made of text as the script runs, or compiled by others: what it does is counted."""

from __future__ import annotations

import builtins
import doctest
import os
import re
import runpy
import subprocess
import sys
import timeit
import zipimport
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from instrumented.script import executing
from instrumented.script.running import run_module, run_script
from instrumented.script.tables import Tables


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def counted(code: str) -> list[tuple[str, int, int, int, int]]:
    """Run a script; return (operation, line, flops, bytes read, bytes written) of what it books."""
    Path("one.py").write_text(code)
    finished = run_script("one.py", [])
    assert finished.exit_code == 0
    found = Tables(finished).counts
    columns = ["operation", "line", "flops", "bytes_read", "bytes_written"]
    return sorted(found[columns].itertuples(index=False, name=None))


ADDED = ("add", 2, 4, 32, 32)
TEXTS = {
    "exec('s.values + 1')": ADDED,
    "eval('s.values + 1')": ADDED,
    "eval('[q + 1 for q in [s.values]]')": ADDED,
    "exec(compile('s.values + 1', '<text>', 'exec'))": ADDED,
    "exec(compile(ast.parse('s.values + 1'), '<tree>', 'exec'))": ADDED,
    "[exec][0]('s.values + 1')": ADDED,
    "timeit.timeit('s.values + 1', globals=globals(), number=1)": ADDED,
    "eval('np.ndarray.sum(s.values)')": ("sum", 2, 3, 32, 8),
}


@pytest.mark.parametrize("line", TEXTS)
def test_an_array_of_a_library_comes_in_by_text_as_by_the_script_itself(line):
    # 4 float64, 32 bytes: read and written as one is added to each, or 8 written and 3 additions
    begin = "import ast, timeit, pandas as pd, numpy as np; s = pd.Series([1., 2., 3., 4.])"
    assert counted(f"{begin}\n{line}\n") == [TEXTS[line]]


def test_code_in_hand_has_no_marks_and_is_let_go():
    code = (
        "import gc, marshal, weakref\n"
        "code = compile('x.sum()', '<text>', 'eval')\n"
        "assert code.co_names == ('x', 'sum') and marshal.loads(marshal.dumps(code)) == code\n"
        "known = weakref.ref(code)\n"
        "assert eval(code, {'x': __import__('numpy').ones(4)}) == 4\n"
        "del code; gc.collect()\n"
        "assert known() is None\n"
    )
    # 4 ones, 32 bytes, written; their sum: 32 read, 8 written, 3 flops; compared with 4
    assert [row[0] for row in counted(code)] == ["equal", "escape", "ones", "sum"]


def test_text_that_cannot_find_the_marks_stays_as_it_is(monkeypatch):
    """In names without Python's builtins, or in a mapping that answers to any name."""
    marked = []
    monkeypatch.setattr(executing, "_marked", lambda *given: marked.append(given))
    code = (
        "class Asked(dict):\n    def __missing__(self, name): return 3\n"
        "assert eval('a + 1', {'__builtins__': {}, 'a': 2}) == 3\n"
        "assert eval('a + 1', {}, Asked()) == 4\n"
        "assert eval('a + 1', Asked(a=5)) == 6\n"
    )
    assert counted(code) == []
    assert marked == []
    counted("eval('1', {'__builtins__': __builtins__})")
    assert len(marked) == 1


def test_a_name_that_the_script_has_given_to_something_else_is_no_builtin():
    code = "def sum(values): return type(values)\nassert eval('sum(iter([1]))') is type(iter([]))\n"
    assert counted(code) == []
    assert counted(code + "def f(sum): return eval('sum(iter([1]))')\nf(lambda v: [*v])\n") == []


def test_text_that_is_too_deep_to_be_marked_runs_as_it_is():
    code = (
        "x = 1\n"
        "assert eval('-' * 400 + 'x') == 1\n"
        "import sys; sys.setrecursionlimit(150)\n"
        "assert eval('-' * 60 + 'x') == 1\n"
        "exec(compile('-' * 60 + 'x', 'deep.py', 'exec'))\n"
    )
    limit = sys.getrecursionlimit()
    try:
        assert counted(code) == []
    finally:
        sys.setrecursionlimit(limit)


def test_everything_is_pythons_own_afterwards():
    before = SourceFileLoader.path_stats, builtins.compile
    counted("import doctest, timeit, code\n")
    for module in (doctest, runpy, timeit, zipimport):
        assert vars(module).keys().isdisjoint({"compile", "exec"})
    assert (SourceFileLoader.path_stats, builtins.compile) == before


def test_modules_that_run_text_take_pythons_functions_for_their_own():
    """Or the stand-ins would not be asked."""
    for name in executing.RUN_TEXT:
        names = vars(__import__(name, fromlist=["-"]))
        assert names.keys().isdisjoint({"compile", "exec"}), name
    names = vars(sys.modules[executing.PYTEST])
    assert {"_read_pyc", "_saferepr"} <= names.keys()


@pytest.mark.parametrize("module", ["timeit", "doctest"])
def test_what_a_module_of_pythons_is_told_to_run_is_the_users(module, monkeypatch):
    Path("told.txt").write_text(">>> import numpy as np; _ = np.ndarray.sum(np.ones(4))\n")
    given = ["-n", "1", "-r", "1", "-s", "import numpy as np", "np.ndarray.sum(np.ones(4))"]
    finished = run_module(module, given if module == "timeit" else ["told.txt"])
    assert finished.exit_code == 0
    found = Tables(finished).counts.set_index("operation")
    assert found.loc["sum", "bytes_read"] == 32 * found.loc["sum", "calls"]


def test_test_files_that_pytest_compiles_are_marked_and_its_messages_stay(tmp_path):
    """Whatever it has kept of them; what it keeps has no marks."""
    Path("test_one.py").write_text(
        "import numpy as np, pytest\n"
        "def f(x): return x * 2\n"
        "def test_kind():\n"
        "    assert type(f(np.ones(2))) is np.ndarray and np.ndarray.sum(np.ones(2)) == 2\n"
        "def test_method(): assert (x := f(np.ones(2))).all() and x.sum() == 5, f'told {x}'\n"
        "def test_list(): assert [1, f(3)] == [1, 7]\n"
        "def test_near(): assert f(np.ones(2)) == pytest.approx(np.ones(2) * 3)\n"
    )
    kept = {"PYTHONPYCACHEPREFIX": str(tmp_path / "kept"), "PYTHONDONTWRITEBYTECODE": ""}
    said = []
    for before in ([], ["-m", "instrumented", "run"]) * 2:
        found = subprocess.run(
            [sys.executable, *before, "-m", "pytest", "-q", "test_one.py"],
            capture_output=True,
            text=True,
            env=os.environ | kept,
        )
        assert found.returncode == 1
        said.append(re.sub(r"0x\w+| in [\d.]+s", "", found.stdout))
    assert "3 failed, 1 passed" in said[0]
    assert said == said[:1] * 4
    (compiled,) = (tmp_path / "kept").rglob("test_one*")
    assert b"__instrumented" not in compiled.read_bytes()
