"""What the screen and the tables say of a script counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from instrumented.script.running import run_script
from instrumented.script.screen import screen
from instrumented.script.tables import Tables

SCRIPTS = Path(__file__).parent / "scripts"
STEPS = str(SCRIPTS / "steps.py")


@pytest.fixture(scope="module")
def tables():
    return Tables(run_script(STEPS, []))


def row(frame, **keys):
    for name, value in keys.items():
        frame = frame[frame[name] == value]
    (only,) = frame.to_dict("records")
    return only


def test_lines(tables):
    # line 12 twice: x 4·3 and w 3·2 float32 read (48 + 24), h 4·2 written (32), 2·4·3·2 flops
    product = row(tables.counts, line=12)
    assert product["operation"] == "matmul"
    assert (product["bytes_read"], product["bytes_written"], product["flops"]) == (144, 64, 96)
    # line 13 twice: h read and the result written, 8 comparisons
    relu = row(tables.counts, line=13)
    assert (relu["bytes_read"], relu["bytes_written"], relu["flops"]) == (64, 64, 16)
    # line 7: 12 ones written
    assert row(tables.counts, line=7)["bytes_written"] == 48


def test_scopes_add_up_to_the_same_totals(tables):
    whole = tables.moved
    for scope in ("file", "function", "line"):
        found = tables.by_scope(scope)
        assert found["bytes_read"].sum() == whole.bytes_read
        assert found["bytes_written"].sum() == whole.bytes_written
        assert found["flops"].sum() == whole.flops
    forward = row(tables.by_scope("function"), function="forward")
    assert forward["bytes_read"] + forward["bytes_written"] == 336  # lines 12 and 13


def test_a_comprehension_belongs_to_the_line_around_it(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "x = np.ones((2, 3)); y = [r + 1 for r in x]; z = sum(r * 2 for r in x)\n"
        "def f():\n"
        "  [[q + 1 for q in r] for r in x]; return x + sum(np.exp(r) for r in [s for s in x])\n"
        "f()\n"
    )
    found = Tables(run_script(str(file), [])).by_scope("line")
    assert list(zip(found["function"], found["line"], strict=True)) == [("f", 4), ("<module>", 2)]


def test_every_way_out_is_a_row(tables):
    # line 18: h.sum() > 1 leaves as a truth value (1 byte); line 20: an element as a float (4)
    found = tables.escapes.set_index("line")
    assert found.loc[18, ["calls", "bytes_read"]].tolist() == [1, 1]
    assert found.loc[20, "how"] == "float()"
    assert found.loc[20, "bytes_read"] == 4


def test_a_call_that_raises_does_not_pass_for_one_without_a_rule(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "x = np.zeros((2, 2))\n"
        "try: np.linalg.inv(x)\n"
        "except np.linalg.LinAlgError: pass\n"
        "try: x + np.ones(3)\n"
        "except ValueError: pass\n"
    )
    found = Tables(run_script(str(file), [])).escapes
    inverse, added = (found[found["line"] == line] for line in (3, 5))
    # 2·2 float64 left for the inverse that there is none of; x (32 B) and 3 ones (24 B) for a sum
    assert inverse["how"].tolist() == ["linalg.inv, which raised LinAlgError"]
    assert inverse["bytes_read"].tolist() == [32]
    assert set(added["how"]) == {"__add__, which raised ValueError"}
    assert added["bytes_read"].sum() == 56


def test_an_operator_that_raises_leaves_once_and_not_at_all_for_types(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "x = np.ones(5)\n"
        "for f in (\n"
        "    lambda: x + None,\n"
        "    lambda: x == [1, 2],\n"
        "    lambda: x == 'a',\n"
        "    lambda: -(x > 0),\n"
        "    lambda: x + 'a',\n"
        "    lambda: 'a' * x,\n"
        "):\n"
        "    try: f()\n"
        "    except (TypeError, ValueError): pass\n"
    )
    found = Tables(run_script(str(file), [])).escapes.sort_values("line")
    # 5 float64; line 6 answers; 5 truth values of line 7; 8 and 9 have no loop
    assert found["line"].tolist() == [4, 5, 7]
    assert found["calls"].tolist() == [1, 1, 1]
    assert found["bytes_read"].tolist() == [40, 40, 5]


def test_a_ufunc_of_no_module_takes_plain_values(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "half = np.frompyfunc(lambda x: x / 2, 1, 1)\n"  # such are scipy.special's
        "x = np.ones(5)\n"
        "y = half(x).astype(float) + x\n"
        "assert y.tolist() == [1.5] * 5\n"
    )
    found = Tables(run_script(str(file), [])).escapes
    left = found[found["line"] == 4]
    assert left["calls"].tolist() == [1]
    assert left["bytes_read"].tolist() == [40]


READ_IN_C = [
    ("log.warning('%.2f', s)", "formatting", 8),
    ("log.warning('%(a).2f', {'a': s})", "formatting", 8),
    ("log.warning('%s %d', x, k)", "formatting", 48),  # 5 float64 and an int64
    ("log.info('%.2f', s)", None, 0),  # nobody wants it: no message is made
    ("form % s", "formatting", 8),
    ("day * s", "as_integer_ratio()", 8),
    ("s * day", "mul with timedelta, which has no rule", 8),
    ("day // k", "rfloordiv with timedelta, which has no rule", 8),
    ("s + Fraction(1, 2)", "add with Fraction, which has no rule", 8),
    ("s - [1.0, 2.0]", "sub with list, which has no rule", 8),
    ("Own(1) + s", "__add__()", 8),
    ("s + Metres(1)", "__add__()", 8),  # of a subclass, which Python asks first
    ("s == None", None, 0),  # types alone decide
]


@pytest.mark.parametrize(("line", "how", "nbytes"), READ_IN_C)
def test_a_number_that_is_read_in_c_leaves_on_its_line(tmp_path, line, how, nbytes):
    file = tmp_path / "one.py"
    file.write_text(
        "import logging, numpy as np; from datetime import timedelta as T\n"
        "from fractions import Fraction\n"
        "x, day, form, log = np.ones(5), T(1), '%.1f', logging.getLogger('mine')\n"
        "s, k = x[0], np.arange(5)[2]\n"
        "log.propagate, log.handlers = False, [logging.StreamHandler()]\n"
        "class Own(float):\n    def __add__(self, o): return super().__add__(o)\n"
        "class Metres(np.float64):\n    def __radd__(self, o): return super().__add__(o)\n"
        f"{line}\n"
    )
    finished = run_script(str(file), [])
    assert finished.exit_code == 0
    found = Tables(finished).escapes
    assert set(found["how"]) == ({how} if how else set())
    assert found["bytes_read"].sum() == nbytes


def test_like_and_a_check_of_all_values(tmp_path):
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "x = np.ones(5)\n"
        "z = np.zeros(3, like=x)\n"  # of x only the type is asked
        "assert np.asarray_chkfinite(x) is x\n"  # 40 B looked at, none written
        "y = np.asarray_chkfinite(x, np.float32)\n"  # 40 B looked at, 40 read and 20 written
    )
    tables = Tables(run_script(str(file), []))
    assert tables.escapes["line"].tolist() == [4, 5]
    assert tables.escapes["bytes_read"].tolist() == [40, 40]
    rows = tables.counts[tables.counts["operation"] != "escape"].set_index("line")
    assert rows.loc[3, ["bytes_read", "bytes_written"]].tolist() == [0, 24]
    assert 4 not in rows.index
    assert rows.loc[5, ["bytes_read", "bytes_written"]].tolist() == [40, 20]


def operations(tmp_path, line):
    """Run a line; return (operation, calls, flops, bytes read, bytes written) of all it books."""
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "from collections import deque\n"
        "x, y, p, k = np.ones(500), np.ones(500), np.ones((4, 3)), np.arange(4) % 3\n"
        f"{line}\n"
    )
    found = Tables(run_script(str(file), []))
    assert found.escapes.empty
    counts = found.counts[found.counts["line"] == 4]
    columns = ["operation", "calls", "flops", "bytes_read", "bytes_written"]
    return sorted(counts[columns].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # 2·500 float64 read, and written
        ("np.array([x, y])", [("array", 1, 0, 8000, 8000)]),
        ("np.array((x, y), copy=True, ndmin=3)", [("array", 1, 0, 8000, 8000)]),
        ("np.array(deque([x, y]))", [("array", 1, 0, 8000, 8000)]),
        ("np.copy([x, y])", [("copy", 1, 0, 8000, 8000)]),
        ("np.asarray([x, y])", [("asarray", 1, 0, 8000, 8000)]),
        # 500 float64 read, 500 float32 written
        ("np.array([x], dtype='f4')", [("array", 1, 0, 4000, 2000)]),
        ("np.array(x)", [("array", 1, 0, 4000, 4000)]),
        # 500 elements of 8 bytes taken out, then put together
        (
            "np.array([v for v in x])",
            [("array", 1, 0, 4000, 4000), ("element", 500, 0, 4000, 4000)],
        ),
        ("np.array([x[0], y[1]])", [("array", 1, 0, 16, 16), ("element", 2, 0, 16, 16)]),
        ("np.array([1.0, 2.0])", [("array", 1, 0, 0, 16)]),
        # the array of the list, then 1000 additions on it
        ("np.add([x, y], 1)", [("add", 1, 1000, 8000, 8000), ("array", 1, 0, 8000, 8000)]),
        ("np.add((x, y), 1)", [("add", 1, 1000, 8000, 8000), ("array", 1, 0, 8000, 8000)]),
        # 500 sums of two
        (
            "np.add.reduce((x, y), (0,))",
            [("add.reduce", 1, 500, 8000, 4000), ("array", 1, 0, 8000, 8000)],
        ),
    ],
)
def test_a_list_of_traced_values_is_put_together_in_one_kernel(tmp_path, line, expected):
    assert operations(tmp_path, line) == expected


@pytest.mark.parametrize("rows", ["range(4)", "[0, 1, 2, 3]", "deque(range(4))"])
def test_a_range_in_an_index_counts_as_the_list_of_it(tmp_path, rows):
    # 4 elements of 8 bytes, through rows and k of 4·8: 32 + 64 read and 32 written; 4 differences;
    # the differences (32) and both indices (64) read, 32 stored
    expected = [("gather", 1, 0, 96, 32), ("scatter", 1, 0, 96, 32), ("subtract", 1, 4, 32, 32)]
    assert operations(tmp_path, f"p[{rows}, k] -= 1") == expected
    # both indices read, 4 elements stored
    assert operations(tmp_path, f"p[{rows}, k] = 0") == [("scatter", 1, 0, 64, 32)]
    # 4 rows of 3 (96) and the index (32); 12 sums; sums and index read again
    expected = [("add", 1, 12, 96, 96), ("gather", 1, 0, 128, 96), ("scatter", 1, 0, 128, 96)]
    assert operations(tmp_path, f"p[{rows}] += 1") == expected


def test_single_numbers(tables):
    # the comparison (4 read, 1 written), its answer leaving (1), the element (4, 4), leaving (4)
    assert tables.single_numbers == (4, 18)
    assert tables.steered == 2


def test_screen(tables):
    shown = screen(tables, "line")
    assert shown.startswith("steps.py moved ")
    assert "h = x @ w" in shown
    assert "line 20: float(), once, 4 B" in shown
    assert "Counts: eager." in shown.splitlines()[-1]
    assert len(shown.splitlines()) < 40
    assert max(map(len, shown.splitlines())) < 120
    assert max(map(len, shown.splitlines()[1:])) <= 100


def test_files_elsewhere_are_told_from_the_scripts_folder(tmp_path, monkeypatch):
    folder = tmp_path / "a_package" / "with_folders" / "of_long_names"
    (tmp_path / "examples").mkdir()
    folder.mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    (folder / "far_from_here.py").write_text("def f(x):\n    print(x)\n    return x * 2\n")
    file = tmp_path / "examples" / "one.py"
    file.write_text(
        "import numpy as np, far_from_here\nx = far_from_here.f(np.ones(4))\nassert x[0]\n"
    )
    found = Tables(run_script(str(file), []))
    del sys.modules["far_from_here"]
    shown = screen(found, "line").splitlines()
    assert shown[0].endswith("(…/of_long_names/far_from_here.py:2: printing, once)")
    # 4 float64 read and 4 written; leaving is 4 read, and 1 byte of a truth value
    assert "  …/of_long_names/far_from_here.py:3  return x * 2 " in "\n".join(shown)
    assert "    …/of_long_names/far_from_here.py:2: printing, once, 32 B" in shown
    assert "    one.py:3: bool(), once, 8 B" in shown
    far = row(found.counts, operation="multiply")["file"]
    assert far == "../a_package/with_folders/of_long_names/far_from_here.py"


def test_lines_of_one_other_file_are_told_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "does_all.py").write_text("import numpy as np\nx = np.ones(4)\nprint(x)\n")
    (tmp_path / "one.py").write_text("import does_all\n")
    shown = screen(Tables(run_script("one.py", [])), "line")
    del sys.modules["does_all"]
    # 4 float64 written, and read as they leave
    assert shown.startswith(
        "one.py moved 64 B for 0 flop; 1 value left the trace (does_all.py:3: printing, once)"
    )
    assert "  does_all.py:2  x = np.ones(4) " in shown
