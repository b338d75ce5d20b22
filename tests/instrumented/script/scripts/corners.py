"""Corners of arrays and scalars that random programs found."""

import numpy as np

a, m = np.arange(3.0), np.arange(12.0).reshape(3, 4)
s, whole, n = m[1, 2], np.arange(4)[2], np.arange(3)
out, small = np.ones((3, 4)), np.zeros((2, 8), np.uint8)


def show(made):
    if isinstance(made, np.ndarray):
        flags = "".join(name if made.flags[name] else "-" for name in "CFOWA")
        print(type(made).__name__, made.shape, made.dtype, flags, made)
    else:
        print(type(made).__name__, made)


for call in (
    lambda: np.asarray(s),
    lambda: np.asanyarray(whole),
    lambda: np.array(s, copy=None),
    lambda: np.require(s),
    lambda: np.atleast_1d(s),
    lambda: np.trim_zeros(s),
    lambda: np.squeeze(s),
    lambda: s.flatten(),
    lambda: s.view(),
    lambda: s.astype(object),
    lambda: m.view(None),
    lambda: np.arange(4, dtype="i4").view(None),
    lambda: m[:, :3].astype("f4").view(None),
    lambda: a.mT,
    lambda: s.dot(2),
    lambda: s.argpartition(0),
    lambda: s @ a,
    lambda: whole @ 2,
    lambda: 2 @ s,
    lambda: 1 in s,
    lambda: iter(s),
    lambda: a.fill([1.0]),
    lambda: a.fill(m[0]),
    lambda: a.fill((1.0, 2.0)),
    lambda: np.broadcast_to(a, (2, 3)).fill([1]),
    lambda: a.fill(np.array(7.0)),
    lambda: a**None,
    lambda: a ** "x",
    lambda: a.__ipow__(None),
    lambda: a.sort(key=1),
    lambda: a.sort(5),
    lambda: a.partition(9),
    lambda: m.sum(bad=1),
    lambda: m.mean(axis=7),
    lambda: a.clip(1),
    lambda: a.clip(max=1),
    lambda: m.take([1, 0, 2, 2], 1, out, "clip") is out,
    lambda: m.compress([1, 0, 1], 0, out[:2]),
    lambda: np.sqrt(m, where=m > 3, out=out) is out,
    lambda: np.asarray_chkfinite(m) is m,
    lambda: np.real_if_close(m) is m,
    lambda: np.random.default_rng(1).random(out=out) is out,
    lambda: m.__delitem__(0),
    lambda: setattr(m, "flat", range(9)) or m,
    lambda: np.array([300, n[1]], np.uint8),
    lambda: np.array([n[1], 2**60 + 1], np.int64),
    lambda: np.array([a[1], 2, True], str),
    lambda: np.array([(a[1], 2), (3, n[1])], "f8,i4"),
    lambda: np.array([a[1], 2], "f4"),
    lambda: small.__setitem__(0, [300, n[1]]) or small,
    lambda: small.__setitem__((0, [0, 1]), [n[1], -1]) or small,
    lambda: setattr(small, "flat", [n[1], 300]) or small,
    lambda: np.put(small, [0, 1], [300, n[1]]) or small,
    lambda: np.add.reduceat(a, []),
    lambda: np.lexsort([a, n]),
    lambda: setattr(small, "dtype", np.int16) or (small, small.shape),
    lambda: setattr(small, "dtype", "f8") or small,
):
    for _ in range(2):
        try:
            show(call())
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            print(type(error).__name__, error)
row = out[0, :3]
walk = np.nditer([a, row], op_flags=[["readonly"], ["readwrite"]])
print(walk.operands[0] is a, walk.operands[1] is row)
for x, y in walk:
    y[...] = 2 * x
print(row, np.nditer(a).operands[0] is a)
print(a, (np.exp(np.ones((9, 9))) @ np.ones(9)).sum())


def made_late():
    global late
    late = {}
    return np.arange(2.0)


late["first"] = made_late()  # the value comes before what it is stored into
print(late)
print(np.ones(2).__array_wrap__(np.arange(3.0)), hasattr(np.ones(2), "__array_wrap__"))
