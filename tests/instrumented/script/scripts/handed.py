"""What is reached by other ways than its own name, and handed on without being called."""
import collections.abc
import numpy as np
x, o = np.arange(200.0), np.array([2, 3], object)
print((x @ x[::-1], x.mean()))
# classes that a library makes say no module
c = np.ctypeslib.as_ctypes(np.ones(4)); c[2] = 5.0
print(c[1], c[:3], len(c))
# registered with an abstract class, whose module Python keeps frozen
abcs = collections.abc
abcs.Sequence.register(np.ndarray)
print([isinstance(x, kind) for kind in (abcs.Sequence, abcs.Iterable, abcs.Mapping, abcs.Hashable)])
# one object, no number of NumPy's
y = np.ones(2)
for made in (y @ o, o @ y, np.matmul(y, o), np.dot(y, o), y.dot(o), np.inner(o, y), y.sum(dtype=object),
             np.add.reduce(y, dtype=object), y.prod(dtype="O"), np.add(np.array(1.0), np.array(2, object))):
    print(type(made), made)
