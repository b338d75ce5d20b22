"""Worker processes get plain arrays."""
import multiprocessing as mp
import numpy as np


def work(a):
    return float((a * 2).sum())


def whole(a):
    return a * 3


if __name__ == "__main__":
    x = np.arange(6.0)
    for method in ("fork", "spawn"):
        with mp.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, [x, x + 1]), pool.map(whole, [x])[0], (pool.map(whole, [x])[0] + 1).sum())
            print(pool.starmap(np.add, [(1, x)]), pool.apply(np.linalg.norm, (x,)))
    q = mp.get_context("fork").Queue()
    p = mp.get_context("fork").Process(target=lambda: q.put(x.sum())); p.start(); print(q.get()); p.join()
