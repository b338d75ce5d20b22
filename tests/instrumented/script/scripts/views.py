"""Whose memory arrays look into, and which arrays are one."""

import gc

import numpy as np

x = np.arange(12.)
y = x.reshape(3,4); z = y[1:]; w = z.T
print(x.base is None, y.base is x, z.base is x, w.base is x, z.base is y, w.base is z.base, y.base.base is None)
q = np.arange(6).reshape(2,3); print(q.base is q.base, q.base is q[0].base, q.base.shape, q.T.base is q.base)
r = np.transpose(x.reshape(2,6)); print(r.base is x); s = np.split(x, 3)[1]; print(s.base is x, np.broadcast_to(x,(2,12)).base is x)
print(x.view().base is x, x.real.base is x, (x*1j).real.base is not None, x[...].base is x, x.ravel().base is x, x[None].base is x, np.asarray(x) is x, np.atleast_2d(x).base is x)
print(x.copy().base, x[[1,2]].base, x.flatten().base, np.array(x, copy=False) is x, np.diagonal(y).base is x, np.lib.stride_tricks.sliding_window_view(x,3).base is None)
v = x
def root(a):
    while a.base is not None: a = a.base
    return a
k = np.ones(5)[1:]; gc.collect(); print(k.base is k.base, k.base.shape, k[1:].base is k.base)
print(root(w) is x, root(q) is root(q.T), root(s[1:]) is x)
b = np.frombuffer(b"abcdefgh", dtype=np.uint8); print(b.base, b[1:].base is b)
x.shape = 3,4; print(x.base, y.base is x)
found = {}
for a in (x, y, z): found[id(root(a))] = 1
print(len(found))
np.random.seed(0); u = np.random.rand(4); print(u[1:].base is u, u.reshape(2,2).T.base is u)
for row in y: print(row.base is x)
e = y; e += 1; print(e.base is x); e = y[0]; e[:] = 3; print(x[0])
class A: pass
a = A(); a.w = np.ones(3); a.v = a.w[1:]; print(a.v.base is a.w)
l = [np.zeros(3) for _ in range(2)]; vs = [t[1:] for t in l]; print([i.base is j for i, j in zip(vs, l)])
f = np.asfortranarray(y); print(f.base, np.asfortranarray(f) is f, np.ascontiguousarray(x) is x)
p = np.polynomial.Polynomial([1.0, 2.0])
print(p.coef is p.coef, p.coef[1:].base is p.coef)
for _ in range(20000):
    e = e[:]
print(e.base is x)
print((np.exp(y) @ w).sum())
