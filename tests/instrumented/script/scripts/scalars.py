"""Scalar loops, accumulation, control flow on values, mixed types."""
import numpy as np
import math

np.random.seed(4)
a = np.random.randint(0, 10, (4, 4)); c = np.zeros((4, 4))
for i in range(4):
    for j in range(4):
        s = 0
        for k in range(4):
            s += a[i, k] * a[k, j]
        c[i, j] = s
print(c, (c == a @ a).all())
x = 1.0
for _ in range(20):
    x = x - (x ** 2 - a[0, 0]) / (2 * x)
    if abs(x * x - a[0, 0]) < 1e-9:
        break
print(x, type(x).__name__)
best, at = -np.inf, None
for i, row in enumerate(a):
    if row.sum() > best:
        best, at = row.sum(), i
print(best, at, best if best > 3 else 0, list(range(a[0, 0])), "x" * a[1, 1], [0] * a[0, 1], (a[0, 0], a[0, 1]) < (3, 4))
n = a.max(); z = np.zeros(n); print(z.shape, np.arange(n).sum(), z[: a[0, 0]].size, np.ones((n, 2)).shape, a.reshape(-1, a.shape[0] * 2).shape)
u = a.sum() / 7; v = np.float32(u) * 2; w = np.int8(100) ; print(u, v, type(v), math.floor(u), math.ceil(u), u.dtype, u.shape, u.ndim, u.astype(int), np.sqrt(u), u.round(2), int(u), isinstance(u, float), isinstance(u, np.floating), isinstance(n, (int, np.integer)), u.is_integer())
t = a[0, 0]; t += 5; print(a[0, 0], t, t / 2, t // 2, 7 % t if t else 0, -t, abs(t), t == 5 + a[0, 0], t != 3, t > 2 and "yes", not t, ~t, t << 1, t & 3, divmod(t, 4), pow(t, 2), round(t / 3, 2), float(t), complex(t), str(t), repr(t), f"{t:03d} {t/3:.2e}", [10, 20, 30, 40] [t % 4])
d = {a[0, 1]: "one"}; print(d, a[0, 1] in d, a[0, 1] in [int(a[0, 1])], sorted({v for v in a.ravel()}), sum(v > 3 for v in a.ravel()), max(a.ravel()), np.sum([v for v in a[0]]), np.mean([row.mean() for row in a]), np.array([a[0, 0], 1.5]), np.max([a[0, 0], a[1, 1]]))
acc = (a.argmax(axis=1) == np.arange(4)).mean(); print(acc, f"{acc:.1%}", "ok" if acc >= 0.5 else "bad", acc * 100, 100 * acc, acc + a, a + acc, a * t, t * a, a ** t)
m = (a > 4); print(m.sum(), m.any(), m[0, 0], type(m[0, 0]), m[0, 0] and True, not m[0, 0], m.mean(), np.bool_(m[0, 0]) | True, int(m[0, 0]), [x for x in m[0]], m[0, 0] == False)
import operator; print(operator.index(t), operator.add(t, 1), t.item(), t.tolist(), np.isscalar(t), np.ndim(t), np.shape(t), np.asarray(t), np.array(t) + 1, t.T, t.max(), t.sum(), t.real, t.conj(), t.view(np.uint64), t.nbytes, hash(t) == hash(int(t)))
p = np.array(3.5); p += 1; q = p; q += 1; print(p, q, p[()], p.item(), float(p), p.shape, p is q, np.float64(p), p * 2, [p], p == 5.5)

print([hasattr(number, name) for number in np.arange(2.0) for name in ("role", "escape", "item")])
try: np.arange(2)[1].role
except AttributeError as error: print(error)
s, f = np.arange(4.0)[1], np.arange(4.0) > 1
def put(): s[f] = 0
def put_first(): s[0] = 0
def take_away(): del s[0]
def add(): s[f] += 1
def add_first(): s[0] += 1
for change in (put, put_first, take_away, add, add_first):
    try: change()
    except (TypeError, IndexError) as error: print(error)
