"""Plain arrays come in wherever the user's code works on them: counted by hand."""

from __future__ import annotations

import pytest

from instrumented.script.running import run_script
from instrumented.script.tables import Tables

SETUP = """
import asyncio, contextlib, copy, functools, itertools, operator, sys, types
import numpy as np
np.savez("given.npz", a=np.arange(12.0).reshape(3, 4), b=np.arange(4.0))
loaded = np.load("given.npz")
given = dict(loaded)  # of plain arrays, which no mark has seen
table = np.zeros(5, [("n", "i4"), ("x", "f8")])
days = np.arange(3).astype("M8[D]")
numbers, row = [1, 2], [[0]]
async def each():
    for one in given.values():
        yield one
"""
RUN_F = "loop = asyncio.new_event_loop(); loop.run_until_complete(f()); loop.close()"
LINE = SETUP.count("\n") + 1
COLUMNS = ["operation", "calls", "flops", "bytes_read", "bytes_written"]
TWICE = ("multiply", 2, 16, 128, 128)
"""Both arrays times a number: 12 + 4 products, 96 + 32 bytes each way."""
PRODUCT = ("multiply", 1, 12, 128, 96)
"""One times the other: 96 + 32 bytes read, 12 products written."""
SUMS = ("sum", 2, 14, 128, 16)
"""11 + 3 additions, 128 bytes read, two numbers written."""


@pytest.fixture
def booked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(line):
        file = tmp_path / "one.py"
        file.write_text(f"{SETUP}{line}\n")
        finished = run_script(str(file), [])
        assert finished.exit_code == 0
        counts = Tables(finished).counts
        counts = counts[counts["line"] >= LINE]
        return sorted(counts[COLUMNS].itertuples(index=False, name=None))

    return run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[one * 2 for one in given.values()]", [TWICE]),
        ("{name: 2 * one for name, one in loaded.items()}", [TWICE]),
        ("{id(one * 2) for (_, (one,)) in zip('ab', zip(given.values())) if numbers}", [TWICE]),
        ("[one.sum() for one in given.values()]", [SUMS]),
        ("list(one.sum() for one in given.values() if one.ndim)", [SUMS]),
        ("[n * m for n in numbers for m in numbers if m > 1 if n]", []),
        ("list(map(lambda one: one * 2, given.values()))", [TWICE]),
        ("[n for n in map(lambda one, two=2: two * one, given.values()) if n is None]", [TWICE]),
        ("list(map(lambda one: one.sum(), given.values()))", [SUMS]),
        ("list(map(lambda one: -one if one is not None else 0, given.values()))",
         [("negative", 2, 16, 128, 128)]),
        # rows of 4 elements come in again: 3 times 3 additions; the array has left for NumPy's loop
        ("np.apply_along_axis(lambda r: r.sum(), 1, given['a'])",
         [("apply_along_axis", 1, 0, 0, 24), ("escape", 1, 0, 96, 0), ("sum", 3, 9, 96, 24)]),
        ("a, b = given.values(); a * 2, b * 2", [TWICE]),
        ("(_, a), (_, b) = given.items(); c = a * 2, b * 2", [TWICE]),
        # days in hours and comparisons of text are NumPy's own, what is made of them is not:
        # 3 float64, 3 products; 3 truth values, 3 negations
        ("h = (days - days[0]) / np.timedelta64(1, 'h'); h * 2", [("multiply", 1, 3, 24, 24)]),
        ("m = days.astype('U') == '1970-01-01'; ~m", [("invert", 1, 3, 3, 3)]),
        ("m = (days.astype('U') == '1970-01-01') & True", [("bitwise_and", 1, 3, 3, 3)]),
        ("~(days == days[0])", [("invert", 1, 3, 3, 3)]),
        ("h = (days - days[0]) / np.timedelta64(1, 'h') * 2", [("multiply", 1, 3, 24, 24)]),
        # in place: 12 elements read and written, 12 products; once
        ("given['a'] *= 2", [("multiply", 1, 12, 96, 96)]),
        ("given['a'][1] += given['b']", [("add", 1, 4, 64, 32)]),
        # a field of 5 float64; what it holds was changed where it lies
        ("table['x'] += 1; assert table['x'][4] == 1", [
            ("add", 1, 5, 40, 40), ("element", 1, 0, 8, 8), ("equal", 1, 1, 8, 1),
            ("escape", 1, 0, 1, 0)]),
        ("numbers[0] += 1; row[0][0] -= 1; assert numbers + row[0] == [2, 2, -1]", []),
        # what C code runs through; 0 + a, then b: 12 additions each, 96 and 96 + 32 bytes read
        ("sum(given.values())", [("add", 2, 24, 224, 192)]),
        ("class Pair(tuple): pass\nsum(Pair(given.values()))", [("add", 2, 24, 224, 192)]),
        ("list(map(operator.neg, given.values()))", [("negative", 2, 16, 128, 128)]),
        ("functools.reduce(operator.mul, given.values())", [PRODUCT]),
        ("list(itertools.accumulate(given.values(), operator.mul))", [PRODUCT]),
        ("list(itertools.starmap(operator.mul, [tuple(given.values())]))", [PRODUCT]),
        (("class Own:\n    def __iter__(self): yield from given.values()\n"
         "functools.reduce(operator.mul, Own()), sum(numbers), max(1, 2), list(map(len, row))"),
         [PRODUCT]),
        # NumPy's sum takes the list for an array of 8 (64 bytes) that is made first: 7 additions
        ("from numpy import *; sum([*given.values()][1:] * 2)",
         [("array", 1, 0, 64, 64), ("sum", 1, 7, 64, 8)]),
        ("operator.mul(*given.values())", [PRODUCT]),
        ("def f(**named): return operator.mul(*named.values())\nf(**given)", [PRODUCT]),
        ("kept = list(given.values()); kept.sort(key=lambda one: id(abs(one)))",
         [("absolute", 2, 16, 128, 128)]),
        ("kept = [*given.values()]; kept.sort(key=lambda one: id((one if row else 0) * 2))",
         [TWICE]),
        # two rows of 4 elements: an array of 8 is made (64 bytes), then summed: 4 additions
        ("np.sum([*given.values()][1:] * 2, axis=0)",
         [("array", 1, 0, 64, 64), ("sum", 1, 4, 64, 32)]),
        ("o = np.empty(2, object); exec('o[0] = o[1] = given[chr(98)]'); np.hstack(o)",
         [("hstack", 1, 0, 64, 64)]),
        ("np.vstack(list(given.values()))", [("vstack", 1, 0, 128, 128)]),
        ("np.c_[tuple(given.values())[1:] * 2]", [("c_", 1, 0, 64, 64)]),
        # names that with, case and import give
        ("with contextlib.nullcontext(given.values()) as (x, y): x * 2, y * 2", [TWICE]),
        ("match given:\n    case {'a': x, 'b': y} if 2 * x is not None: y * 2", [TWICE]),
        (("sys.modules['held'] = held = types.ModuleType('held'); vars(held).update(given)\n"
         "from held import a, b as c\na * 2, c * 2"), [TWICE]),
        ("(x,), y = list(given.values())[:1], 2; x * y", [("multiply", 1, 12, 96, 96)]),
        (("def f():\n    one = yield\n    yield one * 2\n"
         "g = f(); next(g); exec('g.send(given[chr(98)])')"), [("multiply", 1, 4, 32, 32)]),
        # attributes changed in place, a private one too
        ("own = types.SimpleNamespace(); vars(own).update(given); own.a *= 2",
         [("multiply", 1, 12, 96, 96)]),
        (("class _Own:\n    def change(self):\n        vars(self)['_Own__a'], _ = given.values()\n"
         "        self.__a *= 2\n_Own().change()"), [("multiply", 1, 12, 96, 96)]),
        # 4 elements read and written, whoever asks for the copy
        ("copy.copy(given['b']), copy.deepcopy([given['b']])", [("copy", 2, 0, 64, 64)]),
        ("async def f(): return (await asyncio.to_thread(given.get, 'b')) * 2\n" + RUN_F,
         [("multiply", 1, 4, 32, 32)]),
        # what asyncio hands on does not leave
        ("async def f():\n    later = loop.create_future(); later.set_result(np.ones(2))\n"
         "    return await later\n" + RUN_F, [("ones", 1, 0, 0, 16)]),
        ("async def f(): return [one * 2 async for one in each() if one.size]\n" + RUN_F, [TWICE]),
    ],
)  # fmt: skip
def test_an_array_that_nobody_brought_in(booked, line, expected):
    assert booked(line) == expected


def test_what_a_library_holds_stays_plain(booked):
    """An array that was changed in a dict lies there as the plain one it was: nothing leaves."""
    line = "given['b'] *= 2; exec('kept = type(given[chr(98)])'); assert kept is np.ndarray"
    assert booked(line) == [("multiply", 1, 4, 32, 32)]


def test_the_order_of_an_update_is_pythons(booked):
    booked(
        "seen = []\n"
        "def say(what, value): seen.append(what); return value\n"
        "class Owner(dict):\n"
        "    def __getitem__(self, key): return say('get', dict.__getitem__(self, key))\n"
        "    def __setitem__(self, key, value): dict.__setitem__(self, key, say('set', value))\n"
        "owner = Owner(k=1)\n"
        "say('owner', owner)[say('index', 'k')] += say('value', 2)\n"
        "assert seen == ['owner', 'index', 'get', 'value', 'set'], seen\n"
        "assert owner == {'k': 3}\n"
    )


def test_an_update_of_an_attribute_is_pythons(booked):
    booked(
        "seen = []\n"
        "def say(what, value): seen.append(what); return value\n"
        "class Owner:\n"
        "    @property\n"
        "    def k(self): return say('get', 1)\n"
        "    @k.setter\n"
        "    def k(self, value): say('set', value)\n"
        "say('owner', Owner()).k += say('value', 2)\n"
        "assert seen == ['owner', 'get', 'value', 'set'], seen\n"
        "try: numbers.missing += 1\n"
        "except AttributeError as error: assert str(error).endswith(\"attribute 'missing'\")\n"
        "try: print(*5)\n"
        "except TypeError as error: assert 'must be an iterable, not int' in str(error)\n"
        "try: sum(5)\n"
        "except TypeError as error: assert str(error) == \"'int' object is not iterable\"\n"
    )
