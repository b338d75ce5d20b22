"""Objects that meet arrays: array-likes, subclasses, who decides an operator, readers of memory."""
import base64, copy, functools, hashlib, io, weakref
from collections import deque
import numpy as np

x = np.arange(6.0).reshape(2, 3); n = np.arange(3)


class Form:
    def __init__(self, a): self.a = np.asarray(a, dtype=float)
    def __array__(self, dtype=None, copy=None): return np.array(self.a, dtype=dtype)


class Unit:
    __array_priority__ = 1000
    def __init__(self, v): self.v = np.asarray(v)
    def __mul__(self, other): return Unit(self.v * getattr(other, "v", other))
    def __rmul__(self, other): return Unit(other * self.v)
    def __radd__(self, other): return "radd"
    def __repr__(self): return f"Unit({self.v})"


class Closed:
    __array_ufunc__ = None
    def __radd__(self, other): return "closed"


class Named(np.ndarray):
    def __new__(cls, a, tag=None): made = np.asarray(a).view(cls); made.tag = tag; return made
    def __array_finalize__(self, other): self.tag = getattr(other, "tag", None)


@functools.singledispatch
def kind(value): return "other"
@kind.register
def _(value: np.ndarray): return "array"
@kind.register(float)
def _(value): return "float"


form = Form([[2, 0, 1], [0, 4, 1]])
print(np.asarray(form), np.add(form, 1), x + form, np.sum(form), np.mean(form, axis=0))
print(Unit([1, 2]) * np.array([3, 4]), np.array([3, 4]) * Unit([1, 2]), n + Unit(1), n + Closed(), np.float64(2) * Unit([1.0]))
named = Named([1.0, 2, 3], "t"); print(repr(named), (named * 2).tag, (np.ones(3) + named).tag, type(n * named).__name__)
m = np.matrix([[1, 2], [3, 4]]); print(m * np.ones((2, 1)), np.ones((1, 2)) * m, m @ np.eye(2))
print(kind(x), kind(x[0, 0]), kind(n.sum()), weakref.ref(x)() is x, copy.copy(x).sum(), np.stack(deque([n, n])))
print(memoryview(x)[0, 1], bytearray(n.astype("u1")), base64.b64encode(x[0]), hashlib.sha1(x).hexdigest(), io.BytesIO(n).getvalue()[:8])
print(np.ndarray.sum(x), np.ndarray.mean(x, 0), np.ndarray.__add__(x, 1)[0], x.__array_interface__["shape"], x.__array_priority__)
print(np.array([np.arange(2), np.arange(3)], dtype=object)[1], np.timedelta64(3, "D") * n[2], np.array(["2024-01-01"], "M8[D]") + n[:1])
z = x * 1j; z.imag = 0; z.real = 1; z.real[0, 0] = 7; print(z); x.flat = [1, 2]; x.flat[2] = 9; print(x)
x.shape = 3, 2; x.sort(axis=0); print(x); x.shape = -1; x.partition(2); print(x[2], x.shape); y = x; x.sort(); print(y is x, y)
a, b, c = (v @ v for v in (x, x + 1, x * 2)); print(a, b, c, [v * 2 for v in n if v % 2], {v: v * v for v in n})
