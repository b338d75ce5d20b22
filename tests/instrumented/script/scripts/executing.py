"""Code that comes by ways of its own: as text, through loaders, from an archive, from a parser."""
import ast
import builtins
import code
import doctest
import importlib.machinery
import importlib.util
import pathlib
import runpy
import sys
import timeit
import types
import zipfile

import numpy as np

x = np.arange(40.0) + 1
ASKS = "type(x) is np.ndarray, type(x[0]) is np.float64, np.ndarray.sum(x), float.__add__(1.0, x[0])"
MAKES = "def made(v=x):\n    'doc'\n    return type(v) is np.ndarray, np.ndarray.sum(v), type(v)((3,)).shape\n"


def attempt(call, *given):
    try:
        print(call(*given))
    except Exception as error:
        print(type(error).__name__, error)


print(eval(ASKS), eval("  x.sum()"), eval(b"x[:2]"))
exec(MAKES)
print(made(), made.__doc__, made.__code__.co_filename, sorted(made.__code__.co_varnames))
evaluate = eval
print(evaluate(ASKS), builtins.eval(ASKS), eval("eval(ASKS)"))


def within(a):
    b = a * 2
    exec("c = b + x; print(type(c) is np.ndarray, c.sum())")
    builtins.exec("print(type(b) is np.ndarray, b.sum())")
    return builtins.eval("b.sum()"), eval("a is x"), evaluate("b[0]", {"b": [5]}), eval("b", None, {"b": 6})


class Body:
    w = x + 1
    exec("v = type(w) is np.ndarray, np.ndarray.sum(w)")


print(within(x), Body.v)

# who looks into what was compiled finds it as Python has it; who lends it names of his own, too
compiled = compile("abs(np.ndarray.sum(x))", "<formula>", "eval")
print(compiled.co_names, compiled.co_consts, eval(compiled), compiled is compile)
print(eval("abs(v)", {"__builtins__": {"abs": abs}}, {"v": -x[:2]}))
attempt(eval, "open", {"__builtins__": {}})


class Asked(dict):
    def __missing__(self, name):
        return name


print(eval("a + bc", {}, Asked()), exec("d = f", {}, asked := Asked()), asked)


def sum(values, *more):
    return "own sum", type(values).__name__


print(eval("sum([x])"), eval("sum(iter([x]))"), eval("max([x[0], x[1]])"))

tree = ast.parse("doubled = x * 2; kind = type(doubled) is np.ndarray")
before = ast.dump(tree)
parsed = compile(tree, "<tree>", "exec")
for _ in range(2):
    exec(parsed)
print(doubled.sum(), kind, ast.dump(tree) == before, parsed.co_names)
exec(compile("type(x) is np.ndarray\n", "<typed>", "single"))
module = types.ModuleType("module")
exec("import numpy as np\ndef f(v): return np.ndarray.sum(v), type(v) is np.ndarray", module.__dict__)
print(module.f(np.ones(3)))

for call, *given in [
    (eval,), (eval, 1), (exec, "x", 3), (eval, "x +"), (eval, "x[99]"), (exec, "a b"), (eval, "x\0"), (eval, "nope"),
    (compile, "x"), (compile, "x", "f", "eval", 1), (compile, "x", "f", "none"), (compile, *"abcdefgh"),
]:
    attempt(lambda: call(*given))
attempt(lambda: eval("x", nothing={}))
attempt(lambda: exec("x", closure=()))
annotated = "def f(a: nowhere): pass"
attempt(lambda: exec(annotated))
attempt(lambda: builtins.exec(annotated))
builtins.exec("from __future__ import annotations\nexec(annotated)\nprint(f.__annotations__)")

# files, by whichever way they are found
plugin = pathlib.Path("plugin.py")
plugin.write_text(
    "import numpy as np, hashlib\n"
    "class Shown:\n"
    "    def __array__(self, dtype=None, copy=None): return np.arange(3.0)\n"
    "def kind(v): return type(v) is np.ndarray, np.ndarray.sum(v), hashlib.md5(v).hexdigest()\n"
    "if __name__ == '__main__': print('as main', kind(np.ones(2)), np.asarray(Shown()) + 1)\n"
)
spec = importlib.util.spec_from_file_location("by_spec", "plugin.py")
by_spec = importlib.util.module_from_spec(spec)
spec.loader.exec_module(by_spec)
by_loader = importlib.machinery.SourceFileLoader("by_loader", "plugin.py").load_module()
by_path = runpy.run_path("plugin.py")
print(by_spec.kind(x), by_loader.kind(x), by_path["kind"](x), by_path["__file__"], np.sum(by_spec.Shown()))
print(type(by_spec.__loader__).__name__, by_spec.__spec__.origin)
runpy.run_path(plugin, run_name="__main__")
exec(compile(plugin.read_text(), "plugin.py", "exec"))
print(kind(x))
with zipfile.ZipFile("archive.zip", "w") as archive:
    archive.write("plugin.py", "zipped.py")
sys.path.insert(0, "archive.zip")
import zipped

print(zipped.kind(x), np.asarray(zipped.Shown()))
sys.path.remove("archive.zip"), sys.modules.pop("zipped")

# what Python's own library runs for the script
timeit.timeit("found.append((type(x) is np.ndarray, np.ndarray.sum(x), sum([x])))", globals=globals() | {"found": (found := [])}, number=1)
timeit.timeit("print(np.ndarray.sum(y))", "import numpy as np; y = np.ones(3)", number=1)
print(found)


def documented(v):
    """
    >>> type(documented(x)) is np.ndarray
    True
    >>> np.ndarray.sum(x)
    np.float64(820.0)
    """
    return v + 1


print(doctest.run_docstring_examples(documented, globals()))
console = code.InteractiveInterpreter({"np": np, "x": x})
for line in ("type(x) is np.ndarray", "np.ndarray.sum(x)", "if x[0]:"):
    print(console.runsource(line))
