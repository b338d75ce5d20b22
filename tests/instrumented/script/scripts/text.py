"""Matrices put together by names, polynomials of several columns, text."""

import numpy as np
from numpy.polynomial import Polynomial
from numpy.polynomial import polynomial as P

a, b = np.arange(4.0).reshape(2, 2), np.ones((2, 2))


def inside():
    c = a[:, :1] * 2
    print(np.bmat("a, b; b a"), np.bmat("a,c"), np.bmat([[a, c]]), type(np.bmat("a")))


inside()
print(np.bmat("a", {"a": b}), np.bmat("a", {}, {"a": b}), np.bmat(obj="b"))
for wrong in ("a, c", "a; b[0]"):
    try:
        print(np.bmat(wrong))
    except NameError as error:
        print(error)
x, columns = np.array([1.0, 2.0]), np.arange(6.0).reshape(3, 2)
print(P.polyval(x, columns), P.polyval(x, columns, tensor=False), P.polyval(x[0], columns))
print(P.polyval2d(x, x, columns), Polynomial(columns[:, 0])(x), P.polyvander(x, 2))
t = np.array(["ab", "c"])[0]
print("x" + t, t + "x", t * 2, 2 * t, t == "ab", t < "b", t in ("ab",), "%s|" % t, f"{t:>4}", t[0])
print(["n" + word for word in np.where(a[:, 0] > 1, "hi", "lo")], "u" + a.astype(str)[0, 0])
print((a @ b).sum(), np.exp(a).sum(), (a @ b @ a).sum())
