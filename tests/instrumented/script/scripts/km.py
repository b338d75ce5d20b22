"""Fourier / Kushilevitz-Mansour / GF(2) elimination: integer and boolean arrays, bit tricks, combinatorics."""
import numpy as np, time, sys
from itertools import combinations, product
from math import comb, log2
from concurrent.futures import ThreadPoolExecutor
np.set_printoptions(precision=4, suppress=True, linewidth=100)
def data(n, k, m, seed=42): r = np.random.RandomState(seed); s = sorted(r.choice(n, k, replace=False).tolist()); x = r.choice([-1.0, 1.0], size=(m, n)); return x, np.prod(x[:, s], axis=1), s
def influence(n, secret, samples, seed): 
    r = np.random.RandomState(seed); inf = np.zeros(n); q = 0
    for i in range(n):
        x = r.choice([-1., 1.], size=(samples, n)); xf = x.copy(); xf[:, i] *= -1; inf[i] = np.mean(np.prod(x[:, secret], 1) != np.prod(xf[:, secret], 1)); q += 2 * samples
    return inf, q
def gauss(A, b):
    A = A.copy() % 2; b = b.copy() % 2; m, n = A.shape; piv = []; r = 0
    for c in range(n):
        rows = np.nonzero(A[r:, c])[0]
        if rows.size == 0: continue
        p = rows[0] + r
        if p != r: A[[r, p]] = A[[p, r]]; b[[r, p]] = b[[p, r]]
        for o in range(m):
            if o != r and A[o, c]: A[o] ^= A[r]; b[o] ^= b[r]
        piv.append(c); r += 1
        if r == m: break
    x = np.zeros(n, dtype=np.int64)
    for i, c in enumerate(piv): x[c] = b[i]
    return x, r
def walsh(v):
    v = v.copy(); h = 1
    while h < len(v):
        for i in range(0, len(v), h * 2):
            a, b = v[i:i + h].copy(), v[i + h:i + 2 * h].copy(); v[i:i + h] = a + b; v[i + h:i + 2 * h] = a - b
        h *= 2
    return v
for n, k in ((6, 2), (10, 3)):
    x, y, s = data(n, k, 60); inf, q = influence(n, s, 5, 1); cand = np.where(inf > 0.5)[0]; print(f"n={n} k={k} secret={s} influence={inf} candidates={cand.tolist()} queries={q:,} comb={comb(n, k)} log={log2(comb(n, k)):.2f}")
    best = max(combinations(range(n), k), key=lambda c: abs(np.mean(y * np.prod(x[:, list(c)], axis=1)))); print(best, best == tuple(s), tuple(cand) == best)
    A = ((1 - x) // 2).astype(np.uint8); b = ((1 - y) / 2).astype(np.uint8); sol, rank = gauss(A, b); print(sol, rank, np.flatnonzero(sol).tolist() == s, (A @ sol % 2 == b).all(), A.dtype, A.sum(dtype=int))
tt = np.array([(-1) ** (bin(i & 0b101).count("1")) for i in range(16)]); w = walsh(tt); i = int(np.argmax(np.abs(w))); print(w, i, format(i, "04b"), [j for j in range(4) if i >> j & 1], w[i] / 16, np.abs(w).tolist())
bits = np.unpackbits(np.array([[5], [9]], np.uint8), axis=1); print(bits, np.packbits(bits, axis=1).ravel(), bits[0] ^ bits[1], np.bitwise_xor.reduce(bits), bits.any(1), ~bits.astype(bool)[0, :3], np.logical_xor(bits[0], bits[1]).sum(), bits.astype("i4") << 2)
u = np.arange(8, dtype=np.uint8); print(u - u[3], (u * u[7]).dtype, u[7] * u[7], int(u[7]) ** 3, u.view(np.int8)[:2], u.astype(np.int64)[::-1].cumsum(), np.left_shift(1, u), u // 3, u % 3, divmod(u[7], 3), u[u % 2 == 0], np.gcd(u[6], 4), u.tolist(), bytes(u[:3]))
with ThreadPoolExecutor(max_workers=2) as ex: print([r.round(3).tolist() for r, _ in ex.map(lambda sd: influence(4, [0, 2], 6, sd), range(3))])
def find(x, y, k):
    for c in combinations(range(x.shape[1]), k):
        if np.all(np.prod(x[:, c], axis=1) == y): yield c
print(next(find(*data(8, 2, 30)[:2], 2), None), sum(1 for _ in product(range(2), repeat=3)), sys.getsizeof([]) > 0)
