"""pandas objects indexed and filled by traced arrays."""
import numpy as np, pandas as pd

rng = np.random.default_rng(0); x = rng.normal(size=(12, 3)); df = pd.DataFrame(x, columns=list("abc")); df["k"] = np.arange(12) % 3
print(df[x[:, 0] > 0].shape, df.loc[x[:, 0] > 0, "b"].mean(), df.iloc[np.argsort(x[:, 0])[:2]]["a"].values, df["a"][x[:, 1] < 0].count())
df.loc[x[:, 0] > 0, "c"] = 1.5; df.iloc[0, 0] = x[0, 1]; df["d"] = x[:, 0] * df["a"]; print(df.round(4))
print(x[df["k"] == 1].mean(), x[df.index[:3]], x[:, :3] @ df[["a", "b", "c"]].iloc[0], type(df["a"] + x[:, 0]).__name__, np.log1p(df["k"]).sum())
print(pd.Series(x[:, 0])[x[:, 0] > 0].sum(), pd.DataFrame({"m": x.mean(0), "s": x.std(0)}).round(3), np.corrcoef(df["a"], df["b"])[0, 1])
held = pd.DataFrame({"n": np.arange(3)})
held["v"] = [np.arange(i) for i in range(3)]
print(held, np.concatenate(held.v.values), held.v.apply(np.sum).tolist(), held.v[2] * 2)
