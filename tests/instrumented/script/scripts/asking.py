"""What a script asks about its arrays, and what it makes of text."""

import weakref
from typing import Optional, Union

import numpy as np

x = np.arange(600.0)
print((x * x).sum())
print([isinstance(x, kind) for kind in (Union[np.ndarray, int], Optional[np.ndarray])])
print(isinstance(x, Union[int, list]), isinstance(x[0], Union[float, str]))
exec("y = x[:2] * 2; print(y, isinstance(y, np.ndarray), isinstance(y, (int, list)))")
print(eval("isinstance(x, np.ndarray)"), y + 1)
exec("def f(a): return [isinstance(a, np.ndarray) for _ in a]")
print(f(x[:2]))

own, view = np.arange(6.0), np.arange(6.0)[:4]
for shape in ((2, 3), (3, 2), (), (None,), ((),), ((6,),)):
    print(own.resize(*shape), own.shape)
view.resize((2, 2))
print(view * 2)
for array, size in ((view, 3), (own.reshape(2, 3), (7,)), (own[::2], 2)):
    try:
        array.resize(size, refcheck=False)
    except ValueError as error:
        print(error)
own.resize(np.int64(4), 2, refcheck=False)
print(own, view.sum())
own.resize(np.array([2, 2]), refcheck=False)
fortran = np.arange(6.0).reshape(2, 3, order="F").copy("F")
fortran.resize(3, 3, refcheck=False)


def grown(array):
    array.resize(9)
    return array


held, shown, named, alone = (np.arange(3.0) for _ in range(4))
holding, showing, naming = [held], shown[1:], weakref.ref(named)
for array in (held, shown, named):
    try:
        grown(array)
    except ValueError as error:
        print(error)
holding[0] = grow = alone.resize
del showing
np.ndarray.resize(shown, 4)
grow(*[5])
listed = [np.ones(2)]
listed[0].resize(3)
print(held, shown, alone, grown(np.ones(2)), naming() is named, listed)
for shape in ((2.5,), ("a",), ((2, -3),), ((2,), 3), (1 << 70,)):
    try:
        print(np.ones(2).resize(*shape))
    except (TypeError, ValueError) as error:
        print(type(error).__name__, error)
print(own, fortran.tolist(), fortran.flags.f_contiguous)
for number in (x[1], x.sum(), np.arange(3)[1], (x * 1j)[0], x.astype("f4")[0]):
    print(hasattr(number, "__iter__"), hasattr(number, "__len__"), np.iterable(number))
    print(number[()], number[...], number[None], type(number[()]))
    for ask in (iter, list, len, lambda one: one[0], reversed, lambda one: max(*one)):
        try:
            print(ask(number))
        except (TypeError, IndexError) as error:
            print(type(error).__name__, error)


class Vector:
    """Whose methods are functions of NumPy's: bound to it if those bind."""

    total, norm, make, add = np.sum, np.linalg.norm, np.array, np.add

    def __array__(self, dtype=None, copy=None):
        return np.arange(5.0)[3:]


vector = Vector()
print(vector.total(), vector.norm(), vector.make([1]), vector.add(1, 2), Vector.total([1, 2]))
print(vector.norm.__self__ is vector, vector.norm.__func__ is np.linalg.norm)
