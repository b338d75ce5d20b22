"""matplotlib, pandas, functools, itertools, threads: libraries get plain arrays."""
import functools, itertools, io, hashlib, random, threading, warnings
from concurrent.futures import ThreadPoolExecutor
import numpy as np
import pandas as pd
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt

rng = np.random.default_rng(0)
x = np.linspace(0, 1, 20); y = np.sin(x) + rng.normal(0, 0.1, 20)
fig, ax = plt.subplots(2, 2)
ax[0, 0].plot(x, y, label=f"{y.mean():.2f}"); ax[0, 1].hist(y, bins=5); ax[1, 0].imshow(np.outer(x, y)); ax[1, 1].scatter(x, y, c=y); ax[1, 1].bar([0, 1], [y[0], y[1]]); ax[0, 0].axhline(y.max()); ax[0, 0].fill_between(x, y, y + 1); ax[0, 1].set_xlim(y.min(), y.max()); ax[0, 0].legend()
b = io.BytesIO(); fig.savefig(b, format="raw"); print(hashlib.md5(b.getvalue()).hexdigest())
df = pd.DataFrame({"x": x, "y": y, "k": (x * 3).astype(int)}); print(df.describe()); print(df.groupby("k").y.mean())
h = pd.DataFrame([{"step": i, "loss": (y * i).sum(), "best": y.argmax()} for i in range(3)]); print(h, h.dtypes)
v = df[["x", "y"]].values; print((v @ v.T).shape, v.mean(), (df.to_numpy() ** 2).sum(), df.x.to_numpy()[:2])
s = pd.Series(y); print(s.rolling(2).mean().iloc[1], pd.DataFrame(np.outer(x, x)).iloc[1, 1], s.values.sum())
df["z"] = y * 2; df.loc[0, "z"] = y[3]; print(df.z.sum(), df.to_csv(index=False)[:60], pd.DataFrame({"a": [y[0], y[1]]}).a.dtype)
print(functools.reduce(np.add, [x, y, x])[1], list(itertools.accumulate(y[:3])), functools.partial(np.dot, x)(y), list(zip(x[:2], y[:2])), list(map(float, x[:2])))
with ThreadPoolExecutor(2) as pool:
    print(list(pool.map(lambda a: (a * y).sum(), [1, 2, 3])))
out = []
t = threading.Thread(target=lambda: out.append((x @ y))); t.start(); t.join(); print(out)
random.seed(0); print(random.choice(list(y)), random.sample(list(x), 2), random.uniform(x[1], x[2]), random.gauss(y[0], 1))
l = list(y[:4]); random.shuffle(l); print(l, any(v > 0 for v in y), sorted(l, key=lambda v: -v)[0])
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always"); z = np.array([1.0, 0]) / np.array([0.0, 0]); print(z, len(w), w[0].category.__name__)
with np.errstate(all="ignore"):
    print(np.log(np.zeros(1)))
try:
    np.zeros((2, 3)) @ np.zeros((2, 3))
except ValueError as e:
    print(e)
try:
    x[100]
except IndexError as e:
    print(e)
try:
    x + "a"
except TypeError as e:
    print(type(e).__name__)
try:
    if x: pass
except ValueError as e:
    print(e)
try:
    float(x)
except TypeError as e:
    print(e)
try:
    np.concatenate([x, np.zeros((2, 2))])
except ValueError as e:
    print(e)
