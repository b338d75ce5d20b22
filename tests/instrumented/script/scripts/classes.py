"""Classes, dataclasses, properties, in-place updates, isinstance checks."""
from dataclasses import dataclass, field, asdict
import numpy as np


@dataclass
class Settings:
    sizes: tuple = (6, 5, 3)
    rate: float = 0.1
    mask: np.ndarray = field(default_factory=lambda: np.ones(6))


class Layer:
    def __init__(self, fan_in, fan_out, rng):
        self.w = rng.normal(0, 1 / np.sqrt(fan_in), (fan_in, fan_out))
        self.b = np.zeros(fan_out)
        self.velocity = np.zeros_like(self.w)

    @property
    def size(self):
        return self.w.size + self.b.size

    def __call__(self, x):
        self.x = x
        self.h = np.tanh(x @ self.w + self.b)
        return self.h

    def back(self, d, rate):
        d = d * (1 - self.h ** 2)
        out = d @ self.w.T
        self.velocity *= 0.9
        self.velocity -= rate * self.x.T @ d
        self.w += self.velocity
        self.b -= rate * d.sum(axis=0)
        return out


class Network:
    def __init__(self, settings):
        rng = np.random.default_rng(3)
        self.settings = settings
        self.layers = [Layer(a, b, rng) for a, b in zip(settings.sizes, settings.sizes[1:])]

    def __repr__(self):
        return f"Network({self.settings.sizes}, {sum(l.size for l in self.layers)} numbers)"

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def train(self, x, y):
        d = self.forward(x) - y
        loss = 0.5 * (d ** 2).mean()
        for layer in reversed(self.layers):
            d = layer.back(d, self.settings.rate)
        return loss


def check(x):
    if not isinstance(x, np.ndarray):
        raise TypeError("not an array")
    assert type(x) is np.ndarray
    match x:
        case np.ndarray():
            return x.shape
    return None


if __name__ == "__main__":
    s = Settings()
    net = Network(s)
    rng = np.random.RandomState(1)
    x, y = rng.randn(20, 6) * s.mask, rng.rand(20, 3)
    print(net, check(x))
    losses = [net.train(x, y) for _ in range(5)]
    print([round(l, 6) for l in losses], losses[0] > losses[-1], min(losses), np.argmin(losses))
    print(asdict(s)["mask"], Settings() is Settings(), np.array_equal(s.mask, Settings().mask))
    print(f"{losses[-1]:.4f} {net.layers[0].b[:2]}", sum(losses) / len(losses))
    a = np.arange(6).reshape(2, 3)
    a.shape = (3, 2)
    b = a.T
    b[0, 0] = 99
    print(a, b.base is None, a.tolist(), len(a), [r.sum() for r in a], 99 in a, a == 99)
    t = a[0, 0]; t += 1
    a[0, 0], a[0, 1] = a[0, 1], a[0, 0]
    print(t, a[0], {a[1, 0]: "key"}[2], hash(a[1, 0]) == hash(2))


class Nowhere:
    __module__ = ["no", "name"]
    def twice(self, x): return x * 2


print(Nowhere().twice(np.ones(2)))
