"""Functions, methods and lambdas that joblib sends to other processes as code."""

import numpy as np
import numpy.linalg as algebra
from joblib import Parallel, delayed
from numpy import add, mgrid
from numpy.random import default_rng, normal

OFFSET = np.arange(3.0)


class Model:
    def __init__(self, weights):
        self.weights = weights

    def run(self, x):
        return float((self.weights * x).sum())


class Scaled(Model):
    def run(self, x):
        return super().run(x) * 2


def task(number, x):
    y = np.exp(x[1:] * number) + OFFSET[0]
    if isinstance(y, np.ndarray) and type(y) is np.ndarray:
        y[0] = 2
        y[1:][0] += 1
    inside = {key: row[0] for key, row in {"a": x}.items()}
    text = f"{y.sum():.3f} {inside}" + "%.1f" % y[0]
    drawn = default_rng(number).normal(size=2), np.random.RandomState(1).rand(2), normal()
    return y, algebra.norm(y), text, Scaled(y).run(2.0), add.reduce(y), mgrid[0:2], np.r_[1:3], drawn


def scaled_by(factor):
    def inner(x):
        return x * factor

    return inner


def several(number):
    return Parallel(n_jobs=2)(delayed(scaled_by(k))(OFFSET) for k in range(number))


if __name__ == "__main__":
    np.random.seed(5)
    x = np.linspace(0, 1, 5)
    in_two = Parallel(n_jobs=2)
    for found in in_two(delayed(task)(number, x) for number in range(3)):
        print(*found)
    print(in_two(delayed(Model(x).run)(value) for value in (1, 2)))
    print(in_two(delayed(lambda v: [w + v[0] for w in v])(x) for _ in range(2)))
    print(in_two(delayed(lambda v: {k: -v[k] + v * 2 for k in range(1)})(x) for _ in range(2)))
    models = in_two(delayed(Scaled)(x * k) for k in range(2))
    print([type(model) is Scaled for model in models], models[1].run(2.0))
    print(in_two(delayed(several)(2) for _ in range(1)))
    print(task(1, x)[1], Parallel(n_jobs=2, backend="threading")([delayed(task)(1, x)])[0][1])
