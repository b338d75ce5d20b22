"""Iterators over elements, in every way that NumPy's are used."""

import copy

import numpy as np

a = np.arange(12.0).reshape(3, 4)
f, g = a.flat, a.T.flat
print(type(f) is np.flatiter, isinstance(g, np.flatiter), f.base is a, iter(f) is f, len(g))
print(next(f), next(f), f.index, f.coords, list(f)[:2], type(next(g)).__name__)
part = a.flat[1:3]
part[0] = 9
print(a[0], a.flat[5], a.flat[-1], a.flat[[1, 2]], a.flat[np.arange(12) % 5 == 0], g[2:5], g[()])
a.flat[3] = 1
a.flat[2:6] = [7, 8]
g[3:5] = a[0, :2]
g[np.array([0, 11])] = -1
a.T.flat = a.ravel()
print(a)
for i, v in enumerate(a.flat):
    a.flat[i] = v * 2
print(a, sum(a.flat), max(g), sorted(a.flat)[:3], [x for x, y in zip(a.flat, g) if x > y])
print(np.sum(g), np.add(f, 1.0), f == g, (a.T.flat != a.flat).sum(), np.concatenate([f, g])[10:14])
print(np.array(f), np.fromiter(g, float), np.unique(f), a.ravel() + g, np.linalg.norm(a.flat))
print(list(np.ndenumerate(a))[:2], f.copy().flags.owndata, next((a > 3).flat), (a > 3).flat[1:3])
for wrong in (
    lambda: f + 1,
    lambda: f[12],
    lambda: f["a"],
    lambda: f[[True] * 12],
    lambda: f.shape,
    lambda: f.sum(),
    lambda: hash(f),
    lambda: copy.copy(f),
    lambda: np.put(f, [1], 2),
    lambda: np.add(f, 1, out=f),
    lambda: f.__setitem__(1, [5, 6]),
    lambda: f.__setitem__(30, 1),
    lambda: f.__delitem__(1),
    lambda: next(np.array([]).flat),
):
    try:
        print(wrong())
    except (TypeError, ValueError, IndexError, AttributeError, StopIteration) as error:
        print(type(error).__name__, error)
