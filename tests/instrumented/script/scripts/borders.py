"""What libraries, C code and callbacks get; answers that are no arrays; pools left open."""
import json
import numpy as np
def f(r):
    print('row', r)
    if r[0] > 2: raise ValueError('bad')
    return r.sum()
try: np.apply_along_axis(f, 1, np.arange(6).reshape(3, 2))
except ValueError as e: print('caught', e)
import pandas as pd
m = np.array([True, False, True])
print(pd.Series(np.where(m, 'p', 'n')).tolist())
print(pd.Series(np.arange(3).astype(str)).tolist())
print(pd.Series(np.datetime64('2020-01-01') + np.arange(2)).tolist())
print(pd.DataFrame({"a": np.repeat(np.array(["u", "vv"]), np.array([2, 1]))}).a.tolist())
a, o = np.ones((2, 2)), np.zeros((2, 2))
for _ in range(3): print(np.dot(a, a, o) is o, np.sum(a, 0, None, o[0]), a.cumsum(0, None, o).sum())
a = np.arange(4.)
print([np.allclose(a, a)], np.array_equal(a, a) is True, json.dumps({"ok": np.allclose(a, a)}))
b = np.arange(4.).reshape(2, 2)
try: b @= np.array([1., 2.])
except ValueError as e: print(e)
b @= np.eye(2); print(b)
x = np.zeros(3)
for v in ([5.], np.array([5.])):
    try: x[0] = v
    except (ValueError, TypeError) as e: print(type(e), e)
try: x.fill([1, 2, 3])
except ValueError as e: print(e)
s = np.array([3, 4]).sum(); print([0, 1] * s, s * (1,), "a" * s)
print(np.histogram(a, 2)[0], np.histogram(a, 5)[0])
print((np.ones((20, 20)) @ np.ones((20, 20))).sum())
from PIL import Image
print(Image.fromarray(np.zeros((4, 4), np.uint8)).size)
print(np.ndarray((2,), int, buffer=np.arange(3)))
i = np.array([0, 1, 0])
print(pd.DataFrame({'x': [1., 2, 3]}).groupby(i).x.sum())
print(pd.unique(i), pd.factorize(i), pd.util.hash_array(i))
print(np.testing.assert_equal(np.arange(3), np.arange(3)))
print(np.testing.assert_almost_equal(np.arange(3.), np.arange(3.)))
import joblib
print(joblib.hash(np.arange(3)))
from tqdm import tqdm
for row in tqdm(np.ones((3, 2)), disable=True): print(row.sum())
p = np.poly1d([1, 2, 3]); d = np.polyder(p); print(d(2), np.polyint(p), np.polymul(p, p), p(a))
c = np.array([[0, 1], [2, 3]], order="F"); c.resize((2, 1)); print(c.tolist())
from numba import njit
@njit
def total(values):
    found = 0.0
    for value in values: found += value
    return found
print(total(a))
from concurrent.futures import ThreadPoolExecutor
ex = ThreadPoolExecutor(2)
print(ex.submit(np.sum, np.arange(4)).result())
