"""Calls of which a part, or a look at it, was booked as more than it is: counted by hand."""

from __future__ import annotations

import pytest

from instrumented.script.running import run_script
from instrumented.script.tables import Tables

SETUP = """
import codecs, copy, pickle
from contextlib import suppress
import numpy as np
rng = np.random.default_rng(0)
x, v, n, f = np.arange(12.0).reshape(3, 4), np.arange(4.0), np.arange(10), np.ones(8, "f4")
class Own(np.ndarray): pass
own = np.arange(4.0).view(Own)
w, k = v[2], n[3]
days, masked = n.astype("M8[D]"), np.ma.masked_greater(np.arange(4.0), 2)
"""
LINE = SETUP.count("\n") + 1
COLUMNS = ["operation", "calls", "flops", "bytes_read", "bytes_written"]


def tables_of(tmp_path, line):
    file = tmp_path / "one.py"
    file.write_text(f"{SETUP}{line}\n")
    return Tables(run_script(str(file), []))


def left_by(tmp_path, line):
    """Run a line; return calls and bytes of each way out."""
    rows = tables_of(tmp_path, line).escapes
    rows = rows[rows["line"] == LINE]
    return {how: (calls, nbytes) for _, _, how, calls, nbytes in rows.itertuples(index=False)}


def booked(tmp_path, line):
    """Run a line; return (operation, calls, flops, read, written) of it, and (way, bytes) out."""
    found = tables_of(tmp_path, line)
    counts, escapes = (frame[frame["line"] == LINE] for frame in (found.counts, found.escapes))
    left = dict(zip(escapes["how"], escapes["bytes_read"], strict=True))
    counted = counts[counts["operation"] != "escape"]
    return sorted(counted[COLUMNS].itertuples(index=False, name=None)), left


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # 4 float64 written, wherever `out` stands; nothing is drawn from
        ("rng.random(out=v)", [("random.random", 1, 0, 0, 32)]),
        ("rng.random(4, np.float64, v)", [("random.random", 1, 0, 0, 32)]),
        # the 4 shapes read, the result written
        ("rng.standard_gamma(out=v, shape=v)", [("random.standard_gamma", 1, 0, 32, 32)]),
        # 2 rows of 4 elements are chosen and read, of the probabilities all 3 (24)
        ("rng.choice(x, 2)", [("random.choice", 1, 0, 64, 64)]),
        ("np.random.choice(v, size=2, replace=False)", [("random.choice", 1, 0, 16, 16)]),
        ("rng.choice(a=x, p=v[1:] / 6, size=2)",
         [("divide", 1, 3, 24, 24), ("random.choice", 1, 0, 88, 64)]),
        ("rng.choice(v)", [("random.choice", 1, 0, 8, 8)]),
        ("rng.choice(4, 2, p=v / 6)", [("divide", 1, 4, 32, 32), ("random.choice", 1, 0, 32, 16)]),
        # generators of NumPy's own, out of a pickle, a copy or a module of NumPy's, draw the same
        ("pickle.loads(pickle.dumps(rng)).random(out=v)", [("random.random", 1, 0, 0, 32)]),
        ("copy.deepcopy(rng).shuffle(v)", [("random.shuffle", 1, 0, 32, 32)]),
        ("np.random.mtrand._rand.normal(v)", [("random.normal", 1, 0, 32, 32)]),
        ("np.random.ranf(3)", [("random.ranf", 1, 0, 0, 24)]),
        # an array of arrays is a list of them to what joins them: 4 + 4 elements
        ("o = np.empty(2, object); o[0] = o[1] = v; np.stack(o)", [("stack", 1, 0, 64, 64)]),
        # a text that Python's own library runs is the script's: three sums of 4 and 4
        ("import timeit; timeit.timeit('v + v', globals=globals(), number=3)",
         [("add", 3, 12, 192, 96)]),
        ("import timeit; timeit.timeit('a * 2', 'import numpy as np; a = np.ones(4)', number=2)",
         [("multiply", 2, 8, 64, 64), ("ones", 1, 0, 0, 32)]),
        # NumPy's functions by way of a library: 3 zeros, the array of a list and 2 sines, 2 indices
        ("from matplotlib import pylab; pylab.zeros(3), pylab.sin([1.0, 2.0]), pylab.mgrid[:2]",
         [("array", 1, 0, 0, 16), ("mgrid", 1, 0, 0, 16), ("sin", 1, 2, 16, 16),
          ("zeros", 1, 0, 0, 24)]),
        # 12 elements read and written
        ("rng.permuted(x, axis=1, out=x)", [("random.permuted", 1, 0, 96, 96)]),
        # what is put together is read, whatever else is in the brackets: 4 + 4 elements of 8 bytes
        ("np.c_[v, v]", [("c_", 1, 0, 64, 64)]),
        ("np.c_[v, [1, 2, 3, 4]]", [("c_", 1, 0, 64, 64)]),
        ("np.c_[v]", [("c_", 1, 0, 32, 32)]),
        # v and a traced number (40) read, 6 elements written
        ("np.r_[v, 1, v[0]]", [("element", 1, 0, 8, 8), ("r_", 1, 0, 40, 48)]),
        ("np.r_[0:5, v]", [("r_", 1, 0, 32, 72)]),
        ("np.r_[0:1:5j]", [("r_", 1, 0, 0, 40)]),
        # a view; its sum covers 5 of the 8 float32: 20 bytes; 8 additions
        ("np.lib.stride_tricks.as_strided(f, (3, 3), (4, 4)).sum()", [("sum", 1, 8, 20, 4)]),
        # a view of what is no traced array; 4 products of it; a copy is written
        ("np.asarray(own) * 2", [("multiply", 1, 4, 32, 32)]),
        ("np.array(own)", [("array", 1, 0, 0, 32)]),
        # what a column of pandas shows is no array that was made; a copy, of another type, is
        ("import pandas; np.asarray(pandas.Series([1.0, 2.0])) * 2", [("multiply", 1, 2, 16, 16)]),
        ("import pandas; np.asarray(pandas.Series([1.0]), 'f4')", [("asarray", 1, 0, 0, 4)]),
        # another type read and written, the same is the array itself; of a list it is made
        ("np.float32(v)", [("asarray", 1, 0, 32, 16)]),
        ("assert np.float64(v) is v", []),
        ("np.int8([1, 2])", [("asarray", 1, 0, 0, 2)]),
        # of what type it is, and how it lies, are no values
        ("np.isscalar(v), np.isscalar(v[0]), np.isfortran(x), np.iterable(v)",
         [("element", 1, 0, 8, 8)]),
        # a range is a list of 4 int64 (32 bytes), as an operand too
        ("(v + range(4)) / 4", [("add", 1, 4, 64, 32), ("divide", 1, 4, 32, 32)]),
        ("v *= range(4); v *= 2", [("multiply", 2, 8, 96, 64)]),
        # one array of 3 int64, which is the answer twice
        ("rows, columns = np.diag_indices(3); assert rows is columns",
         [("diag_indices", 1, 0, 0, 24)]),
        # memory without content for another class stays NumPy's own
        ("import numpy.matlib; assert np.matlib.empty(2).ndim == 2", []),
        ("assert type(np.empty_like(own)) is Own", []),
        # whether it may be written to, and where it is, are no values
        ("v.setflags(write=True); assert v.device == 'cpu'", []),
        # of the same size, only the shape is another; else all is read (96), and 6 elements written
        ("x.resize(2, 6)", []),
        (
            "c = x.copy(); c.resize(6, refcheck=False)",
            [("copy", 1, 0, 96, 96), ("resize", 1, 0, 96, 48)],
        ),
    ],
)  # fmt: skip
def test_a_call_is_one_kernel_on_its_operands(tmp_path, line, expected):
    assert booked(tmp_path, line) == (expected, {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("days[n > 4]", ([("greater", 1, 10, 80, 10)], {"an index of ndarray": 10})),
        ("days[n[:3]]", ([], {"an index of ndarray": 24})),
        ("days[n[:3]] = days[0]", ([], {"an index of ndarray": 24})),
        # a masked array takes the 4 elements as it converts them; it asks for their shape too
        ("masked + v", ([], {"numpy.asarray": 32})),
        # a number drawn as one of Python's is nobody's; the element it is drawn from leaves
        ("rng.poisson(v[0])", ([("element", 1, 0, 8, 8)], {"random.poisson": 8})),
        # an end of a grid: one element
        ("np.mgrid[0 : v[2]]", ([("element", 1, 0, 8, 8), ("mgrid", 1, 0, 0, 16)],
                                {"use as an index": 8})),
        ("np.r_[v, ['a']]", ([], {"r_": 32})),
        # what NumPy makes without a rule is written, and traced from there
        ("from collections import deque; (v + deque([1, 2, 3, 4])) * 2",
         ([("add", 1, 0, 0, 32), ("multiply", 1, 4, 32, 32)],
          {"add with deque, which has no rule": 32})),
        # what other objects make of 4 elements is theirs: here an array of objects
        ("from fractions import Fraction; v * Fraction(1, 2)",
         ([], {"multiply with Fraction, which has no rule": 32})),
        # numbers in a list are plain to a library, whatever it computes of them: two of 8 bytes
        ("from matplotlib.figure import Figure; Figure().add_subplot().set_xlim([v[1], v[2]])",
         ([("element", 2, 0, 16, 16)], {"matplotlib.axes._base.set_xlim()": 16})),
        # NumPy's loop takes the 4 elements, and writes as many
        ("np.vectorize(lambda a, b: a * b)(v, 2)",
         ([("vectorize", 1, 0, 0, 32)], {"vectorize, which has no rule": 32})),
        # Python's own library takes element by element: 4 of 8 bytes, and 12
        ("from collections import Counter; Counter(v)", ([], {"a library: indexing": 32})),
        ("from collections import Counter; Counter(x.flat)", ([], {"a library: flat": 96})),
        # an index that is out of range takes nothing
        ("with suppress(IndexError): v[4]", ([], {})),
        # what a number inherits in C has its value in it; 8 bytes of one taken out before
        ("w.hex(), w.is_integer(), w.as_integer_ratio()",
         ([], {"hex()": 8, "is_integer()": 8, "as_integer_ratio()": 8})),
        ("w.__array_interface__, k.numerator, k.bit_count()",
         ([], {"__array_interface__": 8, "numerator": 8, "bit_count()": 8})),
        ("np.format_float_positional(w)", ([], {"numpy.format_float_positional": 8})),
        # Python's own library reads numbers and bytes in C, in constructors too, and by methods of
        # types: the number's 8 bytes, the 4 elements' 32
        ("import array; array.array('d', v), array.array('d', [w])", ([], {"array.array()": 40})),
        ("from datetime import timedelta; timedelta(seconds=w)", ([], {"datetime.timedelta()": 8})),
        ("from ctypes import c_double; c_double(w), (c_double * 1)(w)",
         ([], {"ctypes.c_double()": 8, "__main__.c_double_Array_1()": 8})),
        ("float.__add__(w, 1.0), (1.0).__add__(w)", ([], {"__add__()": 16})),
        # random bytes are Python's own, and what they are drawn as is nobody's
        ("rng.bytes(k), np.random.bytes(k), np.random.RandomState(0).bytes(k)",
         ([], {"numpy.random.bytes: length": 24})),
        # an array of records takes numbers: 8 and 8 bytes
        ("r = np.zeros(2, 'f8,i8'); r[0] = (w, k)", ([], {"storing": 16})),
        # types alone tell that a complex number has no rounding, and that nothing is a number
        ("with suppress(TypeError): round(w * 1j, 1)", ([("multiply", 1, 1, 8, 16)], {})),
        ("assert not (v == None).any()",
         ([("any", 1, 3, 4, 1), ("equal", 1, 4, 32, 4)], {"a truth value": 1})),
        # a function of nobody knows whose
        ("with suppress(TypeError): codecs.strict_errors(v)", ([], {"strict_errors()": 32})),
    ],
)  # fmt: skip
def test_a_value_leaves_once(tmp_path, line, expected):
    assert booked(tmp_path, line) == expected


SINGULAR = "z = np.zeros((2, 2)); "


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # a shape or an axis that NumPy refuses has left under its name, 8 bytes; what is given
        # beside it leaves as the call is made again, once: 4 float64, twice 2·2, and 3·4
        ("np.zeros(-k)", {"numpy.zeros: shape": (1, 8)}),
        ("np.zeros(-k, like=v)", {"numpy.zeros: shape": (1, 8)}),
        ("v.reshape(k)",
         {"numpy.reshape: shape": (1, 8), "reshape, which raised ValueError": (1, 32)}),
        ("v.sum(axis=k)", {"numpy.sum: axis": (1, 8), "sum, which raised AxisError": (1, 32)}),
        ("np.add.reduce(v, axis=k)",
         {"numpy.add: axis": (1, 8), "add, which raised AxisError": (1, 32)}),
        ("np.concatenate([x, x], k)",
         {"numpy.concatenate: axis": (1, 8), "concatenate, which raised AxisError": (1, 192)}),
        ("v.sort(k)", {"numpy.sort: axis": (1, 8), "sort": (1, 32)}),
        ("np.size(v, k)", {"numpy.size: axis": (1, 8), "size, which raised AxisError": (1, 32)}),
        ("v[k + 1]", {"use as an index": (1, 8)}),
        ("v[k + 1] = 0", {"use as an index": (1, 8)}),
        # one error, whatever the operands: 32 bytes, or 32 and 16
        (SINGULAR + "np.linalg.inv(z)", {"linalg.inv, which raised LinAlgError": (1, 32)}),
        (SINGULAR + "np.linalg.solve(z, z[0])",
         {"linalg.solve, which raised LinAlgError": (1, 48)}),
        ("np.array2string(v, precision='a')", {"numpy.array2string": (1, 32)}),
        # a seed is asked twice
        ("np.random.RandomState(k)", {"numpy.random.mtrand.RandomState()": (1, 8)}),
        ("np.random.PCG64(k)", {"numpy.random._pcg64.PCG64()": (1, 8)}),
    ],
)  # fmt: skip
def test_what_is_asked_again_has_left_once(tmp_path, line, expected):
    assert left_by(tmp_path, f"with suppress(Exception): {line}") == expected


@pytest.mark.parametrize(
    ("call", "way"),
    [
        ("np.empty(k)", "numpy.empty: shape"),
        ("np.empty((k, k))", "numpy.empty: shape"),
        ("np.empty(shape=k)", "numpy.empty: shape"),
        ("np.empty(k, like=v)", "numpy.empty: shape"),
        ("np.empty_like(v, shape=k)", "numpy.empty_like: shape"),
        ("np.random.rand(k)", "numpy.random.rand: size"),
        ("np.random.randn(k, k)", "numpy.random.randn: size"),
        ("np.random.random(k)", "numpy.random.random: size"),
        ("np.random.random_sample(k)", "numpy.random.random_sample: size"),
        ("np.random.uniform(0, 1, k)", "numpy.random.uniform: size"),
        ("np.random.choice(5, size=k)", "numpy.random.choice: size"),
        ("np.random.randint(5, size=(k, 2))", "numpy.random.randint: size"),
        ("np.random.RandomState(0).normal(size=k)", "numpy.random.normal: size"),
        ("rng.random(k)", "numpy.random.random: size"),
        ("rng.normal(size=k)", "numpy.random.normal: size"),
        ("rng.standard_normal(k)", "numpy.random.standard_normal: size"),
        ("rng.integers(0, 9, size=k)", "numpy.random.integers: size"),
        ("rng.choice(5, k)", "numpy.random.choice: size"),
        ("rng.choice(k, 2)", "numpy.random.choice: a"),
        ("rng.permutation(k)", "numpy.random.permutation: x"),
        ("np.random.mtrand._rand.normal(size=k)", "numpy.random.normal: size"),
    ],
)
def test_a_number_as_a_size_leaves_under_its_parameters_name(tmp_path, call, way):
    counted, left = booked(tmp_path, call)
    assert left == {way: 16 if "k, k" in call else 8}  # an int64, or two
    # what is drawn is written; memory without content is not
    assert [read for _, _, _, read, _ in counted] == ([] if "empty" in call else [0])


def test_what_a_call_makes_is_booked_on_its_own_line_whatever_it_calls(tmp_path):
    """Not on that of the user's function which ran last."""
    file = tmp_path / "one.py"
    file.write_text(
        "import numpy as np\n"
        "x = np.ones((3, 4))\n"
        "def total(row, *more):\n"
        "    return row.sum()\n"
        "def later(*more):\n"
        "    np.ones(2)\n"
        "    return 1.0\n"
        "np.apply_along_axis(total, 1, x)\n"
        "np.vectorize(later)(x)\n"
        "np.fromiter(map(later, [1, 2]), float)\n"
        "@np.vectorize\n"
        "def one(n): return max(map(float, np.ones(2) * n))\n"
        "one(x[0])\n"
    )
    counts = Tables(run_script(str(file), [])).counts
    counts = counts[counts["operation"] != "escape"]
    lines = {name: sorted(rows["line"]) for name, rows in counts.groupby("operation")}
    # rows of 4 elements are summed on line 4; elements of x are made on lines 12 and 13
    assert lines == {
        "apply_along_axis": [8], "element": [12], "fromiter": [10], "multiply": [12],
        "ones": [2, 6, 12], "sum": [4], "vectorize": [9, 13],
    }  # fmt: skip
