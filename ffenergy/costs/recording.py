"""Every kind of step that a run takes, recorded on random pixels, each kind in its own trace.

What a step moves depends on shapes alone, so three like steps on random pixels show what each
step of a real run costs. The arrays have the shapes of the run's data, most of them untouched
zeros that take no memory. A kind's digest equals that of the run's signature, or it is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from ffenergy.errors import SettingsError
from ffenergy.network.arrays import Array
from ffenergy.network.head import CLASSES, SoftmaxHead, wrong_answers
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from ffenergy.rules.greedy import GreedyForwardForward
from ffenergy.rules.mono_forward import MonoForward
from ffenergy.rules.random_features import RandomFeatures
from ffenergy.settings import Settings
from instrumented import Trace

STEPS: Final = 3  # one warms the stack up, one is priced, one shows what comes back
CHUNK: Final = 1000  # rows evaluated at once
RANDOM_ROWS: Final = 4096  # rows with random pixels; all others are zeros
RATE: Final = 1e-4  # nothing is learned, costs do not depend on it

Act = Callable[[int], object]
"""Takes like step number 0, 1, 2 of a kind."""
Prepare = Callable[["Bench"], Act]
"""Brings what a step needs into a trace."""


@dataclass(frozen=True)
class Workload:
    """Settings and numbers of images: all that the costs of a run depend on."""

    settings: Settings
    train_images: int
    test_images: int

    @property
    def images(self) -> dict[str, int]:
        """Numbers of images by the ending of a step kind's label."""
        return {"": self.train_images, "-test": self.test_images}


@dataclass(frozen=True)
class StepKind:
    """One kind of step: its label, the samples in it, and how to get ready for it in a trace."""

    label: str
    samples: int
    prepare: Prepare


@dataclass(frozen=True)
class Recording:
    """Three like steps of one kind."""

    kind: StepKind
    digest: str
    operations: int
    trace: Trace


def record(kind: StepKind, work: Workload) -> Recording:
    """Run a kind's three steps in a trace of their own."""
    trace = Trace(strict=True, record=True)
    act = kind.prepare(Bench(work, trace))
    with np.errstate(all="ignore"):
        for number in range(STEPS):
            act(number)
    signature = trace.signatures[-1]
    return Recording(kind, signature.digest, len(signature.program), trace)


def step_kinds(algorithm: str, work: Workload) -> Iterator[StepKind]:
    """Every kind of step that a run of ``algorithm`` may take, the full training step first."""
    if algorithm not in KINDS:
        raise SettingsError(f"no step kinds of {algorithm!r} are known; known: {', '.join(KINDS)}")
    yield from KINDS[algorithm](work)


class Bench:
    """The arrays that steps work on, with the shapes of the run's, in one trace."""

    def __init__(self, work: Workload, trace: Trace) -> None:
        self.work, self.settings, self.trace = work, work.settings, trace
        self.rng = np.random.default_rng(0)

    def images(self, count: int) -> Array:
        """Images (count, pixels), read one by one or in a row."""
        return self._rows(count, self.settings.layer_sizes[0], "images")

    def features(self, count: int) -> Array:
        """Features of the head (count, n_features)."""
        widths = self.settings.layer_sizes[1:][-self.settings.head_layers :]
        return self._rows(count, sum(widths), "features")

    def targets(self, count: int) -> Array:
        """One-hot targets (count, 10)."""
        return self._rows(count, CLASSES, "targets")

    def labels(self, count: int) -> Array:
        """Labels (count,), int64."""
        return self.trace.array(np.zeros(count, np.int64), role="data", name="labels")

    def batches(self, rows: int) -> Callable[[int], Array]:
        """Return the index (rows,) of like step 0, 1, 2: slices of one shuffled order."""
        count = self.work.train_images
        order = self.trace.array(self.rng.permutation(count), role="temporary", name="order")
        return lambda number: order[_rows_of(number, rows, count)]

    def pass_by(self, *arrays: Array) -> None:
        """Let data stream by once, on no one's bill: rows come back after all the others."""
        for array in arrays:
            self.trace.escape(array)

    def _rows(self, count: int, width: int, name: str) -> Array:
        rows = np.zeros((count, width), self.settings.dtype)
        rows[:RANDOM_ROWS] = self.rng.random((min(count, RANDOM_ROWS), width))
        return self.trace.array(rows, role="data", name=name)


def forward_forward(bench: Bench) -> ForwardForward:
    """A network in training, on images that are only gathered from."""
    images = bench.images(bench.work.train_images)
    return ForwardForward(bench.trace, bench.settings, images, bench.rng, bench.rng)


def backprop(bench: Bench) -> Backprop:
    """The baseline in training."""
    count = bench.work.train_images
    return Backprop(
        bench.trace,
        bench.settings,
        bench.images(count),
        bench.targets(count),
        bench.labels(count),
        bench.rng,
    )


def mono_forward(bench: Bench) -> MonoForward:
    """Mono-Forward in training."""
    count = bench.work.train_images
    data = bench.images(count), bench.targets(count), bench.labels(count)
    return MonoForward(bench.trace, bench.settings, *data, bench.rng)


def batch_kinds(
    label: str, batch_size: int, count: int, prepare: Callable[[Bench, int], Act]
) -> Iterator[StepKind]:
    """A kind of step on full batches and, if there is one, that on the last, shorter batch."""
    yield StepKind(label, batch_size, lambda bench: prepare(bench, batch_size))
    short = count % batch_size
    if short:
        yield StepKind(f"{label}-short", short, lambda bench: prepare(bench, short))


def chunk_kinds(
    label: str, counts: dict[str, int], prepare: Callable[[Bench, int, int], Act]
) -> Iterator[StepKind]:
    """A kind of step on chunks of some images: full chunks, and the short last one.

    ``counts`` gives the number of images by what the label ends in; chunks of equal size are of
    one kind, wherever they come from.
    """
    known: set[int] = set()
    for suffix, count in counts.items():
        for rows, ending in ((min(CHUNK, count), suffix), (count % CHUNK, f"{suffix}-short")):
            if rows and rows not in known:
                known.add(rows)
                yield StepKind(label + ending, rows, _chunked(prepare, rows, count))


def _chunked(prepare: Callable[[Bench, int, int], Act], rows: int, count: int) -> Prepare:
    return lambda bench: prepare(bench, rows, count)


def shuffle_kind(work: Workload) -> StepKind:
    """Drawing the order of an epoch."""

    def prepare(bench: Bench) -> Act:
        trace = bench.trace
        scope = trace.scope(layer="input", phase="forward", makes="temporary")

        def act(number: int) -> None:
            with trace.step("shuffle"), scope:
                permutation = bench.rng.permutation(work.train_images)
                order = trace.made(permutation, operation="permutation")
            trace.escape(order)  # the steps of the epoch read it

        return act

    return StepKind("shuffle", 0, prepare)


def head_kinds(work: Workload) -> Iterator[StepKind]:
    """Features, the softmax head's training on them, and its evaluation."""
    settings = work.settings
    yield from batch_kinds("head", settings.head_batch_size, work.train_images, _head)
    yield from chunk_kinds("features", {"": work.train_images}, _features("head"))
    yield from chunk_kinds("features", {"-test": work.test_images}, _features("evaluate"))
    yield from chunk_kinds("evaluate", work.images, _evaluate_head)
    yield StepKind("report-head", 0, lambda bench: _always(_new_head(bench).read_losses))


def _forward_forward_kinds(work: Workload) -> Iterator[StepKind]:
    settings = work.settings
    yield from batch_kinds("train", settings.batch_size, work.train_images, _train_ff)
    yield StepKind("report", 0, lambda bench: _always(forward_forward(bench).read_meters))
    yield shuffle_kind(work)
    yield from head_kinds(work)


def _backprop_kinds(work: Workload) -> Iterator[StepKind]:
    settings = work.settings
    yield from batch_kinds("train", settings.batch_size, work.train_images, _train_bp)
    yield StepKind("report", 0, lambda bench: _always(backprop(bench).read_meters))
    yield shuffle_kind(work)
    yield from chunk_kinds("evaluate", work.images, _evaluate_bp)


def _greedy_kinds(work: Workload) -> Iterator[StepKind]:
    settings = work.settings
    for k in range(settings.n_layers):
        layer = f"layer{k + 1}"
        if k and settings.greedy_input == "store":
            counts = {"": work.train_images}
            yield from chunk_kinds(f"store-{layer}", counts, partial(_store, k))
        prepare = partial(_train_greedy, k)
        yield from batch_kinds(f"train-{layer}", settings.batch_size, work.train_images, prepare)
        yield StepKind(f"report-{layer}", 0, partial(_report_greedy, k))
    yield shuffle_kind(work)
    yield from head_kinds(work)


def _mono_forward_kinds(work: Workload) -> Iterator[StepKind]:
    yield from batch_kinds("train", work.settings.batch_size, work.train_images, _train_mono)
    yield StepKind("report", 0, lambda bench: _always(mono_forward(bench).read_meters))
    yield shuffle_kind(work)
    yield from chunk_kinds("evaluate", work.images, _evaluate_mono)


def _random_kinds(work: Workload) -> Iterator[StepKind]:
    yield from head_kinds(work)
    yield shuffle_kind(work)


KINDS: Final[dict[str, Callable[[Workload], Iterator[StepKind]]]] = {
    "ff": _forward_forward_kinds,
    "ff-greedy": _greedy_kinds,
    "bp": _backprop_kinds,
    "mono-forward": _mono_forward_kinds,
    "random": _random_kinds,
}
"""The kinds of every algorithm's steps; a new algorithm is one more entry."""


def _train_ff(bench: Bench, rows: int) -> Act:
    network, batch = forward_forward(bench), bench.batches(rows)
    return lambda number: network.step(batch(number), RATE)


def _greedy(bench: Bench, k: int, depth: int) -> GreedyForwardForward:
    """A network whose layer ``k`` learns, with the inputs of layer ``depth`` stored if asked."""
    images = bench.images(bench.work.train_images)
    rngs = (bench.rng, bench.rng, bench.rng)
    network = GreedyForwardForward(bench.trace, bench.settings, images, *rngs)
    network.learning = k
    if depth and bench.settings.greedy_input == "store":
        network.stored = (
            network.room_to_store(depth, "real"),
            network.room_to_store(depth, "hybrid"),
        )
        for stored in network.stored:
            bench.trace.escape(stored)
    return network


def _train_greedy(k: int, bench: Bench, rows: int) -> Act:
    network, batch = _greedy(bench, k, k), bench.batches(rows)
    return lambda number: network.step(batch(number), RATE)


def _report_greedy(k: int, bench: Bench) -> Act:
    network = _greedy(bench, k, 0)
    return lambda number: network.read_meter(k)


def _store(k: int, bench: Bench, rows: int, count: int) -> Act:
    network = _greedy(bench, k, k - 1)
    real, hybrid = network.room_to_store(k, "real"), network.room_to_store(k, "hybrid")

    def act(number: int) -> None:
        chunk = _rows_of(number, rows, count)
        network.store_rows(k, chunk, real[chunk], hybrid[chunk])

    return act


def _train_bp(bench: Bench, rows: int) -> Act:
    network, batch = backprop(bench), bench.batches(rows)
    return lambda number: network.step(batch(number), RATE)


def _train_mono(bench: Bench, rows: int) -> Act:
    network, batch = mono_forward(bench), bench.batches(rows)
    return lambda number: network.step(batch(number), RATE)


def _new_head(bench: Bench) -> SoftmaxHead:
    count = bench.work.train_images
    features, targets = bench.features(count), bench.targets(count)
    return SoftmaxHead(bench.trace, bench.settings, features, targets, bench.rng)


def _head(bench: Bench, rows: int) -> Act:
    head, batch = _new_head(bench), bench.batches(rows)
    return lambda number: head.step(batch(number), RATE)


def _features(phase: str) -> Callable[[Bench, int, int], Act]:
    def prepare(bench: Bench, rows: int, count: int) -> Act:
        network = RandomFeatures(bench.trace, bench.settings, bench.rng)
        images, out = bench.images(count), bench.features(count)
        bench.pass_by(images)

        def act(number: int) -> None:
            chunk = _rows_of(number, rows, count)
            with bench.trace.step("features"):
                network._extract(images[chunk], out[chunk], phase)

        return act

    return prepare


def _evaluate_head(bench: Bench, rows: int, count: int) -> Act:
    features = bench.features(count)
    scores = _new_head(bench).scores
    return _evaluate(bench, scores, features, rows, count)


def _evaluate_bp(bench: Bench, rows: int, count: int) -> Act:
    images = bench.images(count)
    return _evaluate(bench, backprop(bench).scores, images, rows, count)


def _evaluate_mono(bench: Bench, rows: int, count: int) -> Act:
    images = bench.images(count)
    return _evaluate(bench, mono_forward(bench).scores, images, rows, count)


def _evaluate(
    bench: Bench, scores: Callable[[Array], Array], inputs: Array, rows: int, count: int
) -> Act:
    """As a run's ``error_rate`` does it, chunk by chunk."""
    trace, labels = bench.trace, bench.labels(count)
    scope = trace.scope(layer="head", phase="evaluate", makes="temporary")
    bench.pass_by(inputs, labels)

    def act(number: int) -> None:
        chunk = _rows_of(number, rows, count)
        with trace.step("evaluate"), scope:
            trace.escape(wrong_answers(scores(inputs[chunk]), labels[chunk]))

    return act


def _always(read: Callable[[], object]) -> Act:
    return lambda number: read()


def _rows_of(number: int, rows: int, count: int) -> slice:
    """Return fresh rows for like step ``number``; the first again where there are no more."""
    start = number * rows % (count - count % rows)
    return slice(start, start + rows)
