"""Names put into the builtins and into NumPy, by the script and by mocks; all taken out again."""

import builtins
from unittest import mock

import numpy as np

builtins.profile = lambda function: function


@profile  # noqa: F821 - as under a line profiler
def halved(x):
    return x / 2


print(halved(np.ones(64)).sum())
with mock.patch("builtins.input", return_value="3"):
    print(int(input()) * np.arange(3.0))
del builtins.profile

np.float = float
print(np.asarray([1, 2], np.float), vars(np)["exp"](np.zeros(1)), "float" in np.__dict__)
print(eval("sqrt(x) @ ones(3)", dict(vars(np)), {"x": np.arange(3.0)}))  # noqa: S307
zeros, made = np.zeros, []


def counted(*args):
    made.append(args)
    return zeros(*args)


np.zeros = counted
grown = np.zeros((2, 2)) + np.zeros(2)
grown.resize(3)
print(made, np.zeros is counted)
np.zeros = zeros

with mock.patch("numpy.random.rand", return_value=0.25):
    print(np.random.rand())
with mock.patch("numpy.linalg.norm") as norm, mock.patch.object(np, "sum", return_value=5):
    print(np.linalg.norm is norm, np.sum([1]), norm.call_count)
print(np.linalg.norm(np.ones(4)), np.sum(np.ones(3)), type(np))
with mock.patch.object(np, "relu", lambda x: np.maximum(x, 0), create=True):
    print(np.relu(np.array([-1, 2])))
del np.float
print(hasattr(np, "relu"), hasattr(np, "float"))
