"""Byte counts without training: full training steps on random images, for any layers and batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from ffenergy import machine_memory
from ffenergy.costs.rehearsal import STEPS, Workload, rehearse
from ffenergy.costs.step_costs import about_accesses
from ffenergy.costs.step_kinds import StepKind, What
from ffenergy.data import Dataset
from ffenergy.network.head import CLASSES
from ffenergy.network.negatives import image_shape
from ffenergy.network.optimizers import BLOCK, STATES
from ffenergy.rules import registry
from ffenergy.runs.results import Measurement, signature_row
from ffenergy.settings import Settings

EVENT_BYTES: Final = 2000
"""Of an operation in a recording and its analysis, at least."""
NUMBER_BYTES: Final = 16
"""Of a weight, a gradient or a state of the optimiser in analyses, at least."""
VISIT: Final = 40
"""Operations of a batch at a layer, at least."""
ACCESSES_A_SECOND: Final = 100_000
OPERATIONS_A_SECOND: Final = 1000
"""How fast one step is analysed, roughly: the slower of several networks on two cores of 2026."""
UPDATES: Final = {"adam": 10, "adamw": 11, "momentum": 4, "sgd": 2}
"""Operations by which an optimiser updates a block of parameters."""


def check_memory(
    settings: Settings, algorithms: Sequence[str], images: int, remedy: str | None = None
) -> None:
    """Raise SettingsError if steps with `settings` on so many images cannot be counted and priced.

    No values of large arrays are computed, so that they take no memory; but systems set none aside
    that is larger than theirs. Of large networks nearly all operations update parameters, with many
    batches in flight they train a batch. A rule that has a head makes room for the features of all
    images. The message ends with ``remedy``, by default the flags of a command that has settings.
    """
    kinds = [registry.find(name) for name in algorithms]
    blocks = sum(math.ceil(count / BLOCK) for count in settings.parameters)
    operations = UPDATES[settings.optimizer] * blocks
    if any(kind.local for kind in kinds):
        operations += VISIT * settings.n_layers * settings.batches_in_flight
    numbers = (2 + STATES[settings.optimizer]) * sum(settings.parameters)
    analysis = STEPS * operations * EVENT_BYTES + numbers * NUMBER_BYTES
    largest = max(*settings.parameters, settings.batch_size * max(settings.layer_sizes))
    if any(kind.has_head for kind in kinds):
        features = sum(settings.layer_sizes[1:][-settings.head_layers :])
        largest = max(largest, images * features)
    need = max(largest * np.dtype(settings.dtype).itemsize, analysis)
    many = ", --in-flight" if settings.batches_in_flight > 1 else ""
    usual = f"lower --layer-sizes, --batch-size{many} or --n-train"
    machine_memory.check(need, settings.network, remedy or usual)


def analysis_seconds(found: Sequence[Measurement], settings: Settings) -> float:
    """Estimate how long it takes to price what was counted: seconds, to a factor of two or three.

    An analysis goes through accesses, operation after operation.
    """
    seconds = 0.0
    for one in found:
        batches = settings.batches_in_flight if registry.find(one.algorithm).local else 1
        moved = one.traffic[["flops", "bytes_read", "bytes_written", "calls"]].sum()
        accesses = about_accesses(moved["flops"], moved["bytes_read"] + moved["bytes_written"])
        took = accesses / ACCESSES_A_SECOND + moved["calls"] / OPERATIONS_A_SECOND
        seconds += batches * took / one.steps
    return seconds


def pricing_seconds(algorithms: Iterable[str], settings: Settings) -> float:
    """Estimate how long it takes to price a step of each rule, as `analysis_seconds` does."""
    known = [name for name in algorithms if name in registry.rules()]
    return analysis_seconds([measure(name, settings) for name in known], settings)


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
