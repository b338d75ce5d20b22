"""What is reached by other ways than its own name, and handed on without being called."""
import abc, collections.abc as abcs
import numpy as np
x, o = np.arange(200.0), np.array([2, 3], object)
print((x @ x[::-1], x.mean()))
# classes that a library makes say no module
c = np.ctypeslib.as_ctypes(np.ones(4)); c[2] = 5.0
print(c[1], c[:3], len(c))
# registered with an abstract class, whose module Python keeps frozen
class Rows(abc.ABC): pass
Rows.register(np.ndarray)
print([isinstance(x, kind) for kind in (Rows, abcs.Iterable, abcs.Mapping, abcs.Hashable)])
# one object, no number of NumPy's
y = np.ones(2)
for made in (y @ o, o @ y, np.matmul(y, o), np.dot(y, o), y.dot(o), np.inner(o, y), y.sum(dtype=object),
             np.add.reduce(y, dtype=object), y.prod(dtype="O"), np.add(np.array(1.0), np.array(2, object))):
    print(type(made), made)
# methods of arrays, handed on
import functools, inspect, pickle
from concurrent.futures import ThreadPoolExecutor
rows = [np.ones(2), np.zeros(2)]
f = np.ndarray.sum
print(list(map(np.ndarray.sum, rows)), sorted(rows, key=np.ndarray.sum), functools.reduce(np.ndarray.dot, rows))
print(functools.reduce(np.ndarray.__add__, rows), list(map(np.ndarray.__len__, rows)), f(rows[0]), f.__get__(rows[0])())
print(functools.partial(np.ndarray.sum, axis=0)(np.ones((2, 2))), functools.partial(np.ndarray.sum, axis=0))
with ThreadPoolExecutor(1) as pool: print(pool.submit(np.ndarray.sum, rows[0]).result())
print(list(map(getattr(np.ndarray, "sum"), rows)), {"s": f, "m": np.ndarray.mean}["m"](rows[0]))
raw = np.ndarray.__dict__["sum"]
print(f is np.ndarray.sum, getattr(np.ndarray, "sum") is f, f is raw, f == raw, raw == f, {raw: 1}[f], pickle.loads(pickle.dumps(f)) is f)
print(f, f.__name__, f.__qualname__, f.__objclass__, f.__doc__[:12], type(f), isinstance(f, type(raw)), callable(f), dir(f) == dir(raw))
print([ask(f) for ask in (inspect.ismethoddescriptor, inspect.isroutine, inspect.isbuiltin, inspect.isdatadescriptor)])
for attempt in (lambda: f.__module__, lambda: f(), lambda: f([1, 2]), lambda: list(map(f, "a")), lambda: f(np.float64(1)), lambda: inspect.signature(f)):
    try: print(attempt())
    except Exception as error: print(type(error).__name__, error)
class Mine(np.ndarray):
    total = np.ndarray.sum
    def __new__(cls, values): return np.asarray(values).view(cls)
    def __array_finalize__(self, source): np.ndarray.__array_finalize__(self, source)
    def sum(self, *args, **kwargs): return super().sum(*args, **kwargs) + np.ndarray.sum(self)
class Other(Mine):
    __array_ufunc__, __array_function__, __add__ = np.ndarray.__array_ufunc__, np.ndarray.__array_function__, np.ndarray.__add__
    __eq__, __len__, __iadd__ = np.ndarray.__eq__, np.ndarray.__len__, np.ndarray.__iadd__
other = Other([1, 2]); other += rows[0].astype(int)
print(repr(other + 1), other + other, np.add(other, 2), other == 2, len(other), other + rows[0], rows[0] + other, np.concatenate([other, other]))
print(Mine([1, 2]).sum(), Mine([1, 2]).total(), Mine.total is f, np.ndarray.sum(Mine([3])))
help(f)
# NumPy's modules by other ways than import
import importlib, sys, types
found = [importlib.import_module("numpy"), __import__("numpy"), sys.modules["numpy"], sys.modules.get("numpy")]
print([module is np for module in found], importlib.import_module("numpy.linalg") is np.linalg, sys.modules["numpy.linalg"] is np.linalg)
def made(name): return types.ModuleType(name)
print(made("numpy") is np, types.ModuleType("numpy") is np, found[0].sum(found[2].ones(5)))
sys.modules["of no kind"] = None
print(sys.modules["of no kind"], sys.modules.pop("of no kind"), sys.modules["sys"] is sys)
# type, handed on
import collections, copy
T = type
print([kind is np.ndarray for kind in map(type, rows)], T(x) is np.ndarray, type(*[x]) is np.ndarray)
print({(np.ndarray, int): "found"}[tuple(map(type, (x, 1)))], collections.Counter(map(type, [1, x, "a", x, x.sum(), np.add, f, T])))
print(T is type, type is T, T == type, type == T, T != type, T in (type, int), T in {type}, {type: 1}[T], T, T.__name__, T.__module__)
print(isinstance(int, T), isinstance(1, T), isinstance(T, type), issubclass(T, type), issubclass(type, T), issubclass(int, T), isinstance(int, (T, str)))
print(T("A", (), {}), type(*("B", (), {})), type("C", (T,), {"x": 1}), T("D", (type,), {"__module__": "m"}), T.mro(int), T[int], T | None, hasattr(T, "mro"))
for attempt in (lambda: T(), lambda: T(1, 2), lambda: T("A", (), 3), lambda: list(map(type, *[]))):
    try: print(attempt())
    except TypeError as error: print(error)
class M(type):
    def __call__(cls, *args): return super().__call__(*args)
class N(T):
    def __repr__(cls): return "of N"
class K(metaclass=M): pass
class L(metaclass=T): pass
class O(metaclass=N): pass
print(type(K), type(K()), type(L), type(O), O, isinstance(O, N), isinstance(L, N), N == T, N is T, N.__mro__, type(N) is type, T(O()) is O)
print(pickle.loads(pickle.dumps(T)) is type, copy.copy(T) is T, copy.deepcopy(T) is type)
tell = functools.singledispatch(lambda value: "another")
tell.register(type, lambda value: "a type")
print(tell(int), tell(1), tell(type), tell(T))
def called(value, kind=type) -> type[int] | None: return kind(value)
print(called(x), {"k": type}["k"](x), [kind(x) for kind in [len, type]], called.__annotations__, f"{type}", str(type))
with ThreadPoolExecutor(1) as pool: print(pool.submit(type, x).result() is np.ndarray)
