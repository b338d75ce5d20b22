"""Byte counts without training: full training steps on random images, for any layers and batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from ffenergy import machine_memory
from ffenergy.costs.rehearsal import STEPS, Workload, rehearse
from ffenergy.costs.step_kinds import StepKind, What
from ffenergy.data import Dataset
from ffenergy.network.head import CLASSES
from ffenergy.network.negatives import image_shape
from ffenergy.network.optimizers import BLOCK
from ffenergy.rules import registry
from ffenergy.runs.results import Measurement, signature_row
from ffenergy.settings import Settings

EVENT_BYTES: Final = 1000
"""Of an operation in a recording, at least."""
UPDATES: Final = {"adam": 10, "adamw": 11, "momentum": 4, "sgd": 2}
"""Operations by which an optimiser updates a block of parameters."""


def check_memory(settings: Settings, algorithms: Sequence[str], images: int) -> None:
    """Raise SettingsError if steps with `settings` on so many images cannot be counted and priced.

    No values of large arrays are computed, so that they take no memory; but systems set none aside
    that is larger than theirs. Of large networks nearly all operations update parameters. A rule
    that has a head makes room for the features of all images.
    """
    blocks = sum(math.ceil(count / BLOCK) for count in settings.parameters)
    events = STEPS * UPDATES[settings.optimizer] * blocks * EVENT_BYTES
    largest = max(*settings.parameters, settings.batch_size * max(settings.layer_sizes))
    if any(registry.find(name).has_head for name in algorithms):
        features = sum(settings.layer_sizes[1:][-settings.head_layers :])
        largest = max(largest, images * features)
    need = max(largest * np.dtype(settings.dtype).itemsize, events)
    remedy = "lower --layer-sizes, --batch-size or --n-train"
    machine_memory.check(need, settings.network, remedy)


def random_dataset(settings: Settings, count: int) -> Dataset:
    """Return ``count`` random images of the size that ``settings`` expects, and random labels."""
    rng = np.random.default_rng(settings.seed)
    shape = (count, *image_shape(settings.layer_sizes[0]))
    images = rng.integers(0, 256, size=shape, dtype=np.uint8)
    labels = rng.integers(0, CLASSES, size=count, dtype=np.uint8)
    return Dataset("random", "random pixels", False, images, labels, images[:0], labels[:0])


def measure(algorithm: str, settings: Settings, steps: int = 2) -> Measurement:
    """Count the bytes and flops of ``steps`` training steps of a full batch on random images.

    A step trains all layers; where they train one after the other, there is one of each layer's
    stage. Where no layer is trained, the softmax head is. Any input size will do.

    Raises:
        SettingsError: an unknown rule.
    """
    layers = registry.find(algorithm).trains_layers
    rows = settings.batch_size if layers else settings.head_batch_size

    def wanted(kind: StepKind) -> int:
        return steps if kind.what is What.TRAIN and kind.trains_layers == layers else 0

    rehearsal = rehearse(algorithm, Workload(settings, rows, 0), wanted)
    return Measurement(
        algorithm,
        steps,
        rows,
        rehearsal.counts((one, steps) for one in rehearsal.kinds),
        [signature_row(one.signature, steps) for one in rehearsal.kinds],
    )
