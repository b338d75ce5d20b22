"""Arrays in lists, tuples and dicts that libraries are called with."""

import copy
import functools
import heapq
import itertools
import pickle
import random
from collections import deque

import joblib
import numba
import numpy as np
import pandas as pd

try:
    import pyarrow
except ImportError:
    pyarrow = None

x = np.arange(4.0)
y = x * 2
cyclic = [x]
cyclic.append(cyclic)
nested = [x, [y, (x, {"k": y})], {"z": x}]
print(joblib.hash({"a": x, "b": [y]}), joblib.hash(nested), joblib.hash(cyclic))
print(nested[0] is x, nested[1][0] is y, nested[1][1][0] is x, nested[1][1][1]["k"] is y)
print(nested[2]["z"] is x, cyclic[0] is x, type(nested[1][1]), list(nested[2]))
if pyarrow is not None:
    print(pyarrow.array([x, y]).to_pylist(), pyarrow.Table.from_pydict({"a": [x, y]}).num_rows)
print(pd.DataFrame({"a": x, "b": y}).sum().tolist(), pd.DataFrame([x, y]).shape)
print(pd.Series([x, y]).apply(np.sum).tolist(), [type(v).__name__ for v in pd.Series([x, y])])

# who moves arrays moves the script's own
arrays = [x, y, x + y]
random.seed(1)
random.shuffle(arrays)
print([array.sum() for array in arrays], any(random.choice(arrays) is array for array in arrays))
heap = [(3, x)]
heapq.heappush(heap, (1, y))
print(heapq.heappop(heap)[1] is y, copy.copy(arrays)[0] is arrays[0], deque(arrays)[-1] is arrays[2])
arrays.sort(key=np.sum)
print(arrays[0] is x, pickle.loads(pickle.dumps(arrays))[2])

# who keeps a list finds the script's changes in it, and the script its
series = pd.Series({"a": arrays}, dtype=object)
arrays.append(np.ones(2))
print(series["a"] is arrays, len(series["a"]), series["a"][0] is x)
x[0] = 7
print(series["a"][0][0])


def slow(a, b):
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


fast, parallel = numba.njit(slow), numba.jit(nopython=True)(slow)
print(fast(x, y), parallel(x, y), slow(x, y), numba.njit(lambda pair: pair[0] + pair[1])((x, y)))
print((x @ y) + np.exp(np.ones((9, 9))).sum(), np.sin(np.ones(99)).sum())

# what a call returns is the object itself, whatever it holds: to be changed there
held = pickle.loads(pickle.dumps({"l": [np.ones(2)], "t": (np.ones(2), 1)}))
held.setdefault("l", []).append(np.zeros(2))
held.get("l").append(sum(held.get("l")))
next(iter(held.values())).append(len(list(held.values())[0]))
print(held, held.get("l") is held["l"], held.get("t") is held["t"])


class Vector:  # whose items can be run through, but which is itself a start, or a function
    def __init__(self, values): self.values = np.asarray(values, float)
    def __iter__(self): return iter(self.values)
    def __add__(self, other): return Vector(self.values + other.values)
    def __gt__(self, other): return self.values.sum() > other.values.sum()
    def __call__(self, x): return self.values * x
    def __repr__(self): return f"Vector{self.values}"


u, w = Vector([1, 2]), Vector([3, 4])
print(sum([u, w], Vector([0, 0])), max(u, w), sum(u), max(w), list(map(u, [1, 2])))
total, largest, run = sum, max, map
print(total([u, w], Vector([5, 5])), largest(u, w), largest(w), list(run(u, [np.ones(2)])))
print(functools.reduce(Vector.__add__, [u, w], Vector([1, 1])), list(itertools.starmap(w, [(2,)])))
print(sum([[u], [w]], [np.ones(1)]), sum([np.ones(2)], np.ones(2)))
