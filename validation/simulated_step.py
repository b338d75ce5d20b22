"""One untraced training step, to be run under callgrind (``callgrind.py`` does).

Takes two steps to warm up, the second of them through the simulated cache already, so that it
holds what it holds in the steady state; counts the third, and ends. Where the step goes from one
layer or phase to the next, the simulator is told so.
"""

from __future__ import annotations

import ctypes
import json
import sys
from contextlib import AbstractContextManager

import numpy as np

from ffenergy.network import optimizers
from ffenergy.rules import registry
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.settings import Settings
from instrumented import Untraced

WARM_UP = 2
IMAGES = 6000
RATE = 1e-4


class Told(Untraced):
    """Leaves arrays plain, and tells the simulator of every layer and phase that ends."""

    def __init__(self) -> None:
        self.client: ctypes.CDLL | None = None
        self.places = [("unscoped", "unscoped")]

    def scope(
        self, *, layer: str | None = None, phase: str | None = None, makes: str | None = None
    ) -> AbstractContextManager[None]:
        """Return a context in which the step is in this layer and phase; None: as around it."""
        return _Scope(self, layer, phase)

    def end(self) -> None:
        """Let the simulator write down what it counted since it last did, and where that was."""
        if self.client is not None:
            self.client.dump(",".join(self.places[-1]).encode())


class _Scope:
    def __init__(self, told: Told, layer: str | None, phase: str | None) -> None:
        self._told, self._layer, self._phase = told, layer, phase

    def __enter__(self) -> None:
        layer, phase = self._told.places[-1]
        self._told.end()
        self._told.places.append((self._layer or layer, self._phase or phase))

    def __exit__(self, *error: object) -> None:
        self._told.end()
        self._told.places.pop()


def main() -> None:
    """Take the steps: settings as JSON, the optimiser's block, the client request library.

    With a last argument the simulator is told of layers and phases.
    """
    algorithm, overrides, library = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4]
    optimizers.BLOCK = int(sys.argv[3])
    settings = Settings.from_preset("quick").replace(n_train=IMAGES, **overrides)
    told = Told() if sys.argv[5:] else None
    trace, rng = told or Untraced(), np.random.default_rng(0)
    pixels = rng.random((IMAGES, settings.layer_sizes[0]), np.float32)
    labels = rng.integers(0, 10, IMAGES)
    train = Examples(trace, "train", pixels, labels)
    test = Examples(trace, "test", pixels[:1000], labels[:1000])
    rule = registry.find(algorithm)(Host(settings, trace, train, test))
    stage = next(iter(rule.plans())).open()
    order = rng.permutation(IMAGES)
    client = ctypes.CDLL(library)
    rows = settings.batch_size * stage.in_flight

    def step(number: int) -> None:
        index = order[number * rows : (number + 1) * rows]
        if stage.together and stage.in_flight > 1:
            stage.together(index, [RATE] * stage.in_flight)
        else:
            stage.step(index, RATE)

    for number in range(WARM_UP):
        if number == WARM_UP - 1:
            client.warm()
        step(number)
    client.begin()
    if told is not None:
        told.client = client
    step(WARM_UP)
    if told is not None:
        told.end()
    client.end()


if __name__ == "__main__":
    main()
