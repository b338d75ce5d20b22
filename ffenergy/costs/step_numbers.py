"""How many steps of each kind a run takes: arithmetic on its settings alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from ffenergy.costs.recording import CHUNK, Workload
from ffenergy.errors import SettingsError
from ffenergy.training.run import REPORTS


def step_numbers(algorithm: str, work: Workload) -> dict[str, int]:
    """Return the number of steps by the label of their kind, as in ``recording.step_kinds``.

    Raises:
        SettingsError: an algorithm whose steps are not known here.
    """
    if algorithm not in NUMBERS:
        raise SettingsError(f"no numbers of steps of {algorithm!r} are known: {', '.join(NUMBERS)}")
    return {label: steps for label, steps in NUMBERS[algorithm](work).items() if steps}


def _batches(label: str, batch_size: int, count: int, epochs: int) -> Counter[str]:
    full, short = divmod(count, batch_size)
    return Counter({label: epochs * full, f"{label}-short": epochs * bool(short)})


def _chunks(label: str, counts: dict[str, tuple[int, int]]) -> Counter[str]:
    """Chunks of (images, times) by the ending of their label; equal sizes are of one kind."""
    numbers: Counter[str] = Counter()
    names: dict[int, str] = {}
    for suffix, (count, times) in counts.items():
        full, short = divmod(count, CHUNK)
        for rows, chunks, ending in (
            (CHUNK, full, suffix),
            (short, bool(short), f"{suffix}-short" if full else suffix),
        ):
            if chunks:
                numbers[names.setdefault(rows, label + ending)] += times * chunks
    return numbers


def _reports(batch_size: int, count: int) -> int:
    """Looks at the loss in an epoch: after every so many batches, and at the end."""
    batches = math.ceil(count / batch_size)
    return math.ceil(batches / math.ceil(batches / REPORTS))


def _head(work: Workload) -> Counter[str]:
    settings, train, test = work.settings, work.train_images, work.test_images
    epochs, size = settings.softmax_epochs, settings.head_batch_size
    return (
        _batches("head", size, train, epochs)
        + _chunks("features", {"": (train, 1)})
        + _chunks("features", {"-test": (test, 1)})
        + _chunks("evaluate", {"": (train, epochs), "-test": (test, epochs)})
        + Counter({"shuffle": epochs, "report-head": epochs * _reports(size, train)})
    )


def _layers(label: str, report: str, work: Workload) -> Counter[str]:
    """Epochs of a stage that trains hidden layers."""
    settings, count = work.settings, work.train_images
    looks = settings.n_epochs * _reports(settings.batch_size, count)
    steps = _batches(label, settings.batch_size, count, settings.n_epochs)
    return steps + Counter({"shuffle": settings.n_epochs, report: looks})


def _forward_forward(work: Workload) -> Counter[str]:
    return _layers("train", "report", work) + _head(work)


def _greedy(work: Workload) -> Counter[str]:
    numbers = _head(work)
    for k in range(work.settings.n_layers):
        layer = f"layer{k + 1}"
        numbers += _layers(f"train-{layer}", f"report-{layer}", work)
        if k and work.settings.greedy_input == "store":
            numbers += _chunks(f"store-{layer}", {"": (work.train_images, 1)})
    return numbers


def _backprop(work: Workload) -> Counter[str]:
    train, test = work.train_images, work.test_images
    evaluations = {"": (train, 1), "-test": (test, work.settings.n_epochs + 1)}
    return _layers("train", "report", work) + _chunks("evaluate", evaluations)


NUMBERS: Final[dict[str, Callable[[Workload], Counter[str]]]] = {
    "ff": _forward_forward,
    "ff-greedy": _greedy,
    "bp": _backprop,
    "mono-forward": _backprop,  # the same steps and evaluations
    "random": _head,
}
"""The numbers of every algorithm's steps; a new algorithm is one more entry."""
