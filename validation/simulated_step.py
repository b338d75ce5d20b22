"""One untraced training step, to be run under callgrind (``callgrind.py`` does).

Takes two steps to warm up, the second of them through the simulated cache already, so that it
holds what it holds in the steady state; counts the third, and ends.
"""

from __future__ import annotations

import ctypes
import json
import sys

import numpy as np

from ffenergy.network import optimizers
from ffenergy.rules import registry
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.settings import Settings
from instrumented import Untraced

WARM_UP = 2
IMAGES = 6000
RATE = 1e-4


def main() -> None:
    """Take the steps: settings as JSON, the optimiser's block, the client request library."""
    algorithm, overrides, library = sys.argv[1], json.loads(sys.argv[2]), sys.argv[4]
    optimizers.BLOCK = int(sys.argv[3])
    settings = Settings.from_preset("quick").replace(n_train=IMAGES, **overrides)
    trace, rng = Untraced(), np.random.default_rng(0)
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
    step(WARM_UP)
    client.end()


if __name__ == "__main__":
    main()
