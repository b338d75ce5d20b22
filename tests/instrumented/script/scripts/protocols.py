"""Classes that NumPy asks: by function, by ufunc, for an array; and who looks at who calls."""
import ctypes, hashlib, pickle, statistics, sys, warnings
from collections import deque
import numpy as np
import pandas as pd

HANDLED = {}


def implements(function):
    return lambda own: HANDLED.setdefault(function, own)


class Units:
    def __init__(self, value): self.value = np.asarray(value)
    def __array_function__(self, function, types, args, kwargs):
        if function is np.max: return "the maximum"
        return HANDLED[function](*args, **kwargs) if function in HANDLED else NotImplemented
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if ufunc is np.add or ufunc in (np.multiply, np.exp):
            return getattr(ufunc, method)(*(getattr(i, "value", i) for i in inputs), **kwargs)
        return NotImplemented


@implements(np.sum)
def total(units): return units.value.sum()


class Tensor:
    def __init__(self, data): self.data = np.array(data, float)
    def __array__(self, dtype=None, copy=None): return self.data if dtype is None else self.data.astype(dtype)


class Bare:
    def __array__(self): return x


class Closed:
    __array_ufunc__ = None
    def __radd__(self, other): return "closed"


def older(): warnings.warn("older", FutureWarning, stacklevel=2)
def name(): return sys._getframe().f_code.co_name, sys._getframe(1).f_code.co_name


def chosen(frame, limit):
    half = limit / 2
    return frame.query("a > @limit or a < @half")["a"].tolist(), frame.eval("a + @half").sum()


x = np.arange(3.0); u = Units(x); t = Tensor([1, 2, 3])
print(np.sum(u), np.max(u), np.exp(u), np.add(u, 1), np.multiply(x, u), np.sum is np.sum, np.add is not np.sum)
for ask in (lambda: np.mean(u), lambda: np.subtract(u, 1), lambda: x.__iadd__(Closed()), lambda: np.zeros(2) + t):
    try: print(ask())
    except (TypeError, ValueError) as error: print(type(error).__name__, str(error)[:60])
print(np.asarray([t, t]), np.stack([t, t]) @ x, np.asarray(t) is t.data, t.__array__() is t.data, x + t, pd.Series([1, 2, 3]) + t)
for ask in (lambda: np.array(t), lambda: np.array(t, "f4"), lambda: np.asarray(t, "f4"), lambda: np.asarray(t, copy=True), lambda: np.array(t, ndmin=2), lambda: np.array(t, copy=False)):
    made = ask(); print(made, made.dtype, np.shares_memory(made, t.data))
try: np.array(Bare(), "f4")
except TypeError as error: print(error)
print(np.ascontiguousarray(Bare()), np.array(Bare()))
print(statistics.mean(deque(x)), statistics.stdev(x), type(x[0])(4), name(), (lambda: name())())
print(chosen(pd.DataFrame({"a": x}), x.max() / 1.5), np.bmat("x; x"))
print(ctypes.CDLL(None).abs(-3), hashlib.blake2b(x).hexdigest(), bytes(pickle.PickleBuffer(x)), type(np.add), np.from_dlpack(x), x.__dlpack_device__())
print(np.testing.assert_equal({"a": x, "b": [x, 1]}, {"a": x, "b": [x, 1]}), x.__array_namespace__().sum(x))
frozen = x.copy(); frozen.flags.writeable = False; frozen.resize(2); print(frozen, frozen.flags.writeable)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    older()
    print([(str(one.message), one.lineno) for one in told])
print(np.exp(np.ones((9, 9))) @ np.ones(9))


class Length:
    """What NumPy makes of it is of its class again; it defers no operator."""

    def __init__(self, data): self.data = np.asarray(data, float)
    def __array__(self, dtype=None, copy=None): return self.data
    def __array_wrap__(self, made, context=None, return_scalar=False): return Length(made)
    def __repr__(self): return f"Length({self.data})"


print(np.sin(Length(x)), np.multiply(x, Length(x)), x + Length(x), np.asarray(Length(x)) is not None, np.sum(Length([x, x]), 0))
