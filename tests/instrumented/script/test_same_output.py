"""Scripts of many styles do, traced, exactly what they do alone."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from instrumented.script.running import Finished, folder_of, run_script
from instrumented.script.tables import Tables

SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def alone(name: str, monkeypatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", [name])
    with contextlib.redirect_stdout(out):
        runpy.run_path(str(SCRIPTS / name), run_name="__main__")
    return out.getvalue()


def traced(name: str) -> tuple[str, Finished]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        finished = run_script(str(SCRIPTS / name), [])
    return out.getvalue(), finished


@pytest.mark.filterwarnings("ignore")  # the scripts provoke some
@pytest.mark.parametrize(
    "name",
    [
        "asking", "borders", "chunker", "classes", "corners", "eqprop", "errors", "executing",
        "files", "flat", "frames", "functions", "handed", "km", "layouts", "libraries", "lists",
        "objects", "protocols", "reber", "replacing", "scalars", "strangers", "text", "views",
    ],
)  # fmt: skip
def test_output_is_equal(name, monkeypatch):
    expected = alone(f"{name}.py", monkeypatch)
    found, finished = traced(f"{name}.py")
    assert found == expected
    assert finished.exit_code == 0
    moved = Tables(finished).moved
    assert moved.flops > 40
    assert moved.bytes_moved > 1000


def installed(folder: Path, module: str, code: str) -> Path:
    """Write a module of a library; return where libraries are."""
    libraries = folder / "site-packages"
    libraries.mkdir()
    (libraries / module).write_text(code)
    return libraries


def test_what_a_library_keeps_of_a_call_stays_plain_and_all_else_is_put_right(tmp_path, capsys):
    installed(
        tmp_path,
        "keeps.py",
        "class Keeps:\n"
        "    def __init__(self, grid, other):\n"
        "        self.grid = grid\n"
        "    def kinds(self):\n"
        "        return [type(v).__name__ for one in self.grid for v in one.values()]\n"
        "def warns():\n"
        "    import warnings\n"
        "    warnings.warn('of the caller', stacklevel=2)\n",
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy as np, warnings\n"
        "sys.path.append('site-packages')\n"
        "import keeps\n"
        "grid, other = [{'a': np.ones(2)}, {'b': np.ones(3)}], [np.ones(4)]\n"
        "made = keeps.Keeps(grid, other)\n"
        "print(made.kinds(), grid[0]['a'] + grid[0]['a'], np.stack(other) @ np.ones(4))\n"
        "keeps.warns()\n"
    )
    with pytest.warns(UserWarning, match="of the caller") as told:
        finished = run_script(str(script), [])
    assert told[0].lineno == 7
    assert capsys.readouterr().out == "['ndarray', 'ndarray'] [2. 2.] [4.]\n"
    assert set(Tables(finished).counts["operation"]) > {"add", "stack", "matmul"}


def test_a_module_of_the_scripts_stands_for_a_loaded_one_of_its_name(tmp_path, capsys):
    """Also for a package; not for numpy, nor what Python loads first. Afterwards all is as ever."""
    import fractions

    for name in ("fractions", "numpy", "os", "click/__init__"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("def twice(x): return x + x\n")
    script = tmp_path / "asks.py"
    script.write_text(
        "import os, numpy as np, fractions, click\n"
        "print(fractions.twice(np.ones(2)), click.twice(1), os.sep, hasattr(os, 'twice'))\n"
    )
    finished = run_script(str(script), [])
    assert capsys.readouterr().out == "[2. 2.] 2 / False\n"
    assert sys.modules["fractions"] is fractions
    assert Tables(finished).escapes["how"].tolist() == ["printing"]  # no module of Python's reads


def test_a_package_that_checks_types_hands_traced_arrays_on(tmp_path, capsys):
    library = installed(
        tmp_path,
        "param.py",
        "class Instance:\n"
        "    def __init__(self, kind):\n"
        "        self.kind = kind\n"
        "    def __set__(self, owner, value):\n"
        "        if not isinstance(value, self.kind):\n"
        "            raise TypeError(value)\n"
        "        owner.held = value\n"
        "    def __get__(self, owner, kind):\n"
        "        return owner.held\n",
    )
    script = tmp_path / "asks.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(library)!r})\n"
        "import numpy as np, param\n"
        "class Layer:\n"
        "    weights = param.Instance(np.ndarray)\n"
        "    def __init__(self, weights): self.weights = weights\n"
        "print((Layer(np.ones(4)).weights * 2).sum())\n"
    )
    finished = run_script(str(script), [])
    assert capsys.readouterr().out == "8.0\n"
    counts = Tables(finished).counts.set_index("operation")
    assert counts.loc["escape", "bytes_read"] == 8  # the sum that is printed


def test_what_a_function_returns_to_a_library_is_plain(tmp_path, capsys):
    """Also what a lambda does, and parts of a tuple; not what Python's own library hands on."""
    library = installed(
        tmp_path,
        "asks.py",
        "def ask(function, *given):\n"
        "    return [type(part).__name__ for part in function(*given)]\n"
        "class Base:\n"
        "    def run(self): return type(self.step()).__name__\n",
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, contextlib, numpy as np\n"
        f"sys.path.append({str(library)!r})\n"
        "import asks\n"
        "def pair(x): return x.sum(), x * 2\n"
        "class Own(asks.Base):\n"
        "    def step(self):\n"
        "        return np.ones(3)\n"
        "@contextlib.contextmanager\n"
        "def given():\n"
        "    yield\n"
        "    return np.ones(5)\n"
        "with given(): pass\n"
        "print(asks.ask(pair, np.ones(2)), asks.ask(lambda: (np.ones(4),)), Own().run())\n"
    )
    finished = run_script(str(script), [])
    assert capsys.readouterr().out == "['float64', 'ndarray'] ['ndarray'] ndarray\n"
    found = Tables(finished).escapes.set_index(["how", "line"])["bytes_read"]
    # float64: the sum and 2 elements, 3 elements, 4 elements; 2 were an argument
    assert found["returning to a library"].to_dict() == {4: 24, 7: 24, 13: 32}
    assert found["asks.ask()"].to_dict() == {13: 16}
    assert len(found) == 4


def test_what_a_library_makes_an_object_of_the_scripts_of_is_plain(tmp_path, capsys):
    """Not what the script's own method gets, nor one that was made for its class."""
    library = installed(
        tmp_path,
        "models.py",
        "class Model:\n"
        "    def __init__(self, **fields):\n"
        "        self.kinds = [type(field).__name__ for field in fields.values()]\n"
        "    def __call__(self, given):\n"
        "        return [type(item).__name__ for item in [given, *vars(self).values()]]\n",
    )
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, dataclasses, numpy as np\n"
        f"sys.path.append({str(library)!r})\n"
        "import models\n"
        "class Left(models.Model): pass\n"
        "class Own(models.Model):\n"
        "    def __init__(self, w): self.w = w * 2\n"
        "@dataclasses.dataclass\n"
        "class Data: w: np.ndarray\n"
        "x = np.ones(3)\n"
        "print(Left(w=x, s=x.sum()).kinds)\n"
        "Own(x), Data(x)\n"
        "model = models.Model()\n"
        "model.w = model.kinds = x[1:]\n"
        "print(Left()(x), model(0), model.w is model.kinds)\n"
        "setattr(model, 'w', x[2:])\n"
        "model.kinds = kept = [x]\n"
        "models.Model.shared, models.given = x[:1], x[:1]\n"
        "found = [models.Model.__dict__['shared'], vars(models)['given']]\n"
        "print(model(0), model.kinds is kept, [type(item) is np.ndarray for item in found])\n"
    )
    finished = run_script(str(script), [])
    assert capsys.readouterr().out == (
        "['ndarray', 'float64']\n['ndarray', 'list'] ['int', 'ndarray', 'ndarray'] True\n"
        "['int', 'list', 'ndarray'] True [True, True]\n"
    )
    found = Tables(finished).escapes.set_index(["how", "line"])["bytes_read"]
    # 3 float64 and their sum; two of them, into two attributes; 3 to a method; one, one and one
    assert found.to_dict() == {
        ("__main__.Left()", 10): 24 + 8, ("storing into Model", 13): 16 + 16,
        ("__main__.Left()", 14): 24, ("storing into Model", 15): 8,
        ("storing into Model", 17): 8, ("storing into models", 17): 8,
    }  # fmt: skip


def in_a_process(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=SCRIPTS, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "script", ["processes.py", pytest.param("workers.py", marks=pytest.mark.slow)]
)
def test_worker_processes_get_plain_arrays(script):
    expected = in_a_process(script)
    found = in_a_process("-m", "instrumented", "run", script)
    assert (found.stdout, found.returncode) == (expected.stdout, 0)
    assert "other processes of the script did is not counted" in found.stderr


@pytest.mark.parametrize("script", ["fails.py", "missing.py", "text_fails.py"])
def test_an_error_shows_the_scripts_own_lines(script):
    expected = in_a_process(script)
    found = in_a_process("-m", "instrumented", "run", script)
    assert (found.stdout, found.returncode) == (expected.stdout, 1)
    assert found.stderr.startswith(expected.stderr)


def test_errors_that_came_of_others_are_marked_where_python_marks_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, threading, numpy as np\n"
        "def fails():\n    y = np.dot(np.ones(2), np.ones(3))   \n"  # blanks move no mark
        "def goes_on():\n    try:\n        fails()  \n"
        "    except ValueError as error:\n        raise KeyError('of it') from error  \n"
        "thread = threading.Thread(target=goes_on, name='T'); thread.start(); thread.join()\n"
        "sys.stdout = None\n"
        "goes_on()  \n"
    )
    expected = in_a_process(str(script))
    found = in_a_process("-m", "instrumented", "run", str(script))
    assert expected.stderr.count("direct cause") == 2
    assert (found.stdout, found.returncode) == (expected.stdout, 1)
    assert found.stderr.startswith(expected.stderr)


@pytest.mark.parametrize(
    ("module", "code"),
    [
        ("doctest", "def f():\n    x = 1\n      y = 2\n"),  # fails in the standard library
        ("broken", "def f():\n    x = 1\n      y = 2\n"),
        ("broken", "import numpy as np\nprint(__spec__.name, __package__)\nnp.ones(3)[7]\n"),
        ("broken.no", "print('imported')\n"),
    ],
)
def test_an_error_under_python_m_shows_what_python_shows(tmp_path, module, code):
    (tmp_path / "broken.py").write_text(code)
    command = ("-m", module, str(tmp_path / "broken.py"))
    expected, found = (
        subprocess.run(
            [sys.executable, *before, *command], cwd=tmp_path, capture_output=True, text=True
        )
        for before in ([], ["-m", "instrumented", "run"])
    )
    assert (found.stdout, found.returncode) == (expected.stdout, 1)
    assert found.stderr.startswith(expected.stderr)


def test_a_script_that_is_interrupted_dies_of_the_signal_when_all_else_is_done(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import atexit, os, signal, sys\n"
        "class Last:\n    def __del__(self): os.write(1, b'finalized\\n')\n"
        "last = Last()\n"
        "atexit.register(print, 'registered')\n"
        "if len(sys.argv) > 1: sys.exit(130)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "while True: pass\n"
    )
    for given, code in (([], -2), (["x"], 130)):
        expected = in_a_process(str(script), *given)
        found = in_a_process("-m", "instrumented", "run", str(script), *given)
        assert expected.stdout == "registered\nfinalized\n"
        assert (found.stdout, found.returncode) == (expected.stdout, code)
        assert expected.returncode == code
        assert found.stderr.startswith(expected.stderr)
        assert found.stderr.count("Traceback") == (not given)


def test_a_module_that_does_not_compile_fails_as_python_has_it(tmp_path):
    (tmp_path / "broken.py").write_text("def f():\n    x = 1\n      y = 2\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, importlib.util, runpy, traceback\n"
        f"print(np.ones(2)); broken = {str(tmp_path / 'broken.py')!r}\n"
        "def load():\n"
        "    spec = importlib.util.spec_from_file_location('broken', broken)\n"
        "    spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "for run in load, lambda: runpy.run_path(broken), lambda: eval('1 +'):\n"
        "    try: run()\n"
        "    except SyntaxError: traceback.print_exc()\n"
        "import broken\n"
    )
    expected = in_a_process(str(script))
    found = in_a_process("-m", "instrumented", "run", str(script))
    assert "IndentationError" in expected.stderr
    assert expected.stderr.count("Traceback") == 4
    assert (found.stdout, found.returncode) == (expected.stdout, 1)
    assert found.stderr.startswith(expected.stderr)


def test_what_is_called_as_python_ends_does_as_ever():
    expected = in_a_process("ending.py")
    found = in_a_process("-m", "instrumented", "run", "ending.py")
    assert expected.stdout == "end of the script\nregistered 2.0\nfinalized 3.0\n"
    assert (found.stdout, found.returncode) == (expected.stdout, 0)
    assert "Exception" not in found.stderr


def test_an_error_in_a_thread_shows_the_scripts_own_lines_and_pools_end():
    expected = in_a_process("thread_fails.py")
    found = in_a_process("-m", "instrumented", "run", "thread_fails.py")
    assert (found.stdout, found.returncode) == (expected.stdout, 0) == ("6\n", 0)
    assert "Exception in thread" in expected.stderr
    assert found.stderr.startswith(expected.stderr)


def test_warnings_and_caught_errors_show_the_scripts_own_lines():
    expected = in_a_process("errors.py")
    found = in_a_process("-m", "instrumented", "run", "errors.py")
    assert "RuntimeWarning: divide by zero encountered in divide\n  x / 0" in expected.stderr
    assert (found.stdout, found.returncode) == (expected.stdout, 0)
    assert found.stderr.startswith(expected.stderr)


def test_a_module_runs_as_with_python_m():
    expected = in_a_process("-m", "package", "--flag", "2")
    found = in_a_process("-m", "instrumented", "run", "-m", "package", "--flag", "2")
    assert (found.stdout, found.returncode) == (expected.stdout, 1)
    assert found.stderr.startswith("stopped with a message\n")
    assert "package/layers.py:" in found.stderr  # which the package imports before it runs
    assert "matmul" in found.stderr


@pytest.mark.parametrize(
    "module",
    [
        "no_such.module",
        "package.layers.none",
        "sys",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in ("no_such_module", "package.none", ".x")
        ),
    ],
)
def test_a_module_that_is_not_there_is_told_of_as_by_python(module):
    expected = in_a_process("-m", module)
    found = in_a_process("-m", "instrumented", "run", "-m", module)
    assert (found.stderr, found.returncode) == (expected.stderr, 1)


def test_a_module_that_was_installed_makes_no_other_the_users():
    here = str(SCRIPTS)
    assert folder_of("package.layers", here) == SCRIPTS
    assert folder_of("unittest", here) == SCRIPTS
    assert folder_of("pandas.io", here) == Path(pandas.__file__).parent
    assert folder_of("no_such_module", here) == SCRIPTS
