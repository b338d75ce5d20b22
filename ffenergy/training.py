"""The run: epochs of batches, what is shown and checked on the way, the head, the result."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd

from ffenergy.arrays import Array, Tracer
from ffenergy.backprop import Backprop
from ffenergy.data.validation import held_out
from ffenergy.errors import SettingsError, TrainingError
from ffenergy.forward_forward import ForwardForward
from ffenergy.network import NormalizedNetwork, parameters
from ffenergy.optimizers import learning_rate
from ffenergy.random_features import RandomFeatures
from ffenergy.results import AlgorithmResult, signature_table, totals, traffic_table
from ffenergy.settings import Settings
from ffenergy.softmax_head import SoftmaxHead, one_hot, wrong_answers
from instrumented import Trace, Untraced

if TYPE_CHECKING:
    from ffenergy.data import Dataset

ALGORITHMS: Final = ("ff", "bp", "random")
STREAMS: Final = ("init", "shuffle", "negatives", "head init", "head shuffle")
REPORTS: Final = 100  # looks at the loss per epoch, for the progress bar and the NaN check
CHUNK: Final = 1000  # rows evaluated at once


class Progress(Protocol):
    """What a progress bar must understand."""

    def start(self, stage: str, total: int) -> None:
        """A stage of ``total`` training steps begins."""

    def advance(self, n: int, **values: float) -> None:
        """``n`` more steps are done; ``values`` such as the mean loss since the last call."""

    def finish(self) -> None:
        """The stage is over."""


class AfterEpoch(Protocol):
    """A hook that may look at the network after an epoch."""

    def __call__(
        self, stage: str, epoch: int, weights: Callable[[], dict[str, np.ndarray]]
    ) -> None:
        """Epoch ``epoch`` of ``stage`` is over; ``weights()`` copies the parameters."""


class Diverged(TrainingError):  # noqa: N818  # an outcome, said as one says it
    """The loss stopped being a number; ``partial`` is the result up to there."""

    def __init__(self, message: str, partial: AlgorithmResult) -> None:
        super().__init__(message)
        self.partial = partial


class Interrupted(KeyboardInterrupt):
    """The user pressed Ctrl-C; ``partial`` is the result up to there."""

    def __init__(self, partial: AlgorithmResult) -> None:
        super().__init__("training interrupted")
        self.partial = partial


class _NotFinite(Exception):  # noqa: N818  # becomes Diverged once the result is at hand
    pass


def random_streams(seed: int) -> dict[str, np.random.Generator]:
    """Return independent generators by purpose, so that no algorithm shifts another's draws."""
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {name: np.random.default_rng(s) for name, s in zip(STREAMS, children, strict=True)}


@dataclass(frozen=True)
class Examples:
    """Images as traced rows (n, pixels) of pixels in [0, 1], with labels (n,) of 0 to 9.

    Pixels are converted once, before anything is counted: the images enter the trace preloaded.
    """

    images: Array
    labels: Array
    plain_labels: np.ndarray

    @classmethod
    def enter(cls, trace: Tracer, images: np.ndarray, labels: np.ndarray, dtype: str) -> Examples:
        """Bring uint8 ``images`` (n, height, width) and ``labels`` (n,) into the trace."""
        pixels = images.reshape(len(images), -1).astype(dtype)
        pixels /= 255
        numbers = labels.astype(np.int64)
        return cls(
            trace.array(pixels, role="data", name="images"),
            trace.array(numbers, role="data", name="labels"),
            numbers,
        )


class Run:
    """One algorithm being trained: the trace, the data, the history so far."""

    def __init__(
        self,
        algorithm: str,
        settings: Settings,
        data: Dataset,
        trace: Tracer,
        progress: Progress | None,
        after_epoch: AfterEpoch | None = None,
    ) -> None:
        self.algorithm, self.settings, self.trace = algorithm, settings, trace
        self.progress, self.after_epoch = progress, after_epoch
        self.random = random_streams(settings.seed)
        data = held_out(data, settings.n_validation)
        used = settings.check_data(math.prod(data.train_images.shape[1:]), len(data.train_images))
        self.train = Examples.enter(
            trace, data.train_images[:used], data.train_labels[:used], settings.dtype
        )
        self.test = Examples.enter(trace, data.test_images, data.test_labels, settings.dtype)
        self.targets = trace.array(
            one_hot(self.train.plain_labels, settings.dtype), role="data", name="targets"
        )
        self.evaluate_scope = trace.scope(layer="head", phase="evaluate", makes="temporary")
        self.shuffle_scope = trace.scope(layer="input", phase="forward", makes="temporary")
        self.history: list[dict[str, Any]] = []
        self.steps = self.samples = self.head_steps = self.head_samples = 0
        self.test_error = self.train_error = math.nan
        self.weights: Callable[[], dict[str, np.ndarray]] = dict
        self.started = time.perf_counter()

    def epochs(
        self,
        stage: str,
        n_epochs: int,
        batch_size: int,
        rng: np.random.Generator,
        step: Callable[[Array, int, int], None],
        read: Callable[[], dict[str, float]],
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Train; yield (epoch, mean values over the epoch) after each one, counting from 1.

        ``step(index, number, total)`` trains on one batch; ``read()`` returns sums over all cases
        since the last call, keyed as in history.csv. The last batch of an epoch may be short.
        """
        count = self.train.images.shape[0]
        per_epoch = math.ceil(count / batch_size)
        total, every = n_epochs * per_epoch, math.ceil(per_epoch / REPORTS)
        if self.progress:
            self.progress.start(stage, total)
        for epoch in range(n_epochs):
            with self.trace.step("shuffle"), self.shuffle_scope:
                order = self.trace.made(rng.permutation(count), operation="permutation")
            sums: dict[str, float] = {}
            seen = reported = 0
            for number in range(per_epoch):
                index = order[seen : seen + batch_size]
                step(index, epoch * per_epoch + number, total)
                seen += index.shape[0]
                if (number + 1) % every and number + 1 < per_epoch:
                    continue
                fresh = read()
                self._check(fresh, stage, epoch, number)
                sums = {key: sums.get(key, 0.0) + value for key, value in fresh.items()}
                if self.progress:
                    done = (number % every) + 1
                    self.progress.advance(done, loss=fresh["loss"] / (seen - reported))
                reported = seen
            yield epoch + 1, {key: value / count for key, value in sums.items()}
        if self.progress:
            self.progress.finish()

    def record(self, stage: str, epoch: int, **values: float) -> None:
        """Add a row to the history."""
        row = {"stage": stage, "epoch": epoch, **values, **totals(self.trace)}
        self.history.append(row | {"wall_seconds": time.perf_counter() - self.started})
        if self.after_epoch:
            self.after_epoch(stage, epoch, self.weights)

    def error_rate(self, scores: Callable[[Array], Array], inputs: Array, labels: Array) -> float:
        """Return the percentage of ``inputs`` (n, …) whose largest score is not at the label."""
        count: int = inputs.shape[0]
        wrong = 0
        for start in range(0, count, CHUNK):
            with self.trace.step("evaluate"), self.evaluate_scope:
                rows = slice(start, start + CHUNK)
                wrong += int(self.trace.escape(wrong_answers(scores(inputs[rows]), labels[rows])))
        return 100 * wrong / count

    def result(self) -> AlgorithmResult:
        """Return what there is so far."""
        return AlgorithmResult(
            algorithm=self.algorithm,
            test_error=self.test_error,
            train_error=self.train_error,
            steps=self.steps,
            samples=self.samples,
            head_steps=self.head_steps,
            head_samples=self.head_samples,
            wall_seconds=time.perf_counter() - self.started,
            history=pd.DataFrame(self.history),
            traffic=traffic_table(self.trace),
            signatures=signature_table(self.trace),
            weights=self.weights(),
        )

    def _check(self, sums: dict[str, float], stage: str, epoch: int, number: int) -> None:
        for key, value in sums.items():
            if not math.isfinite(value):
                raise _NotFinite(
                    f"{self.algorithm}: {key} of stage {stage} is {value} in epoch {epoch + 1}, "
                    f"step {number + 1}; lower the learning rate"
                )


def train(
    algorithm: str,
    settings: Settings,
    data: Dataset,
    *,
    traced: bool = True,
    progress: Progress | None = None,
    after_epoch: AfterEpoch | None = None,
) -> AlgorithmResult:
    """Train ``ff``, ``bp`` or ``random`` on ``data`` and measure its error.

    The same seed gives the same bits with and without tracing.

    Raises:
        SettingsError: unknown algorithm, or settings that do not fit the data.
        Diverged: the loss became NaN or infinite; carries the partial result.
        Interrupted: Ctrl-C; carries the partial result.
    """
    if algorithm not in ALGORITHMS:
        raise SettingsError(
            f"unknown algorithm {algorithm!r}; choose one of {', '.join(ALGORITHMS)}"
        )
    trace: Tracer = Trace(strict=True) if traced else Untraced()
    run = Run(algorithm, settings, data, trace, progress, after_epoch)
    try:
        with np.errstate(all="ignore"):  # what matters is reported as Diverged
            {"ff": _train_ff, "bp": _train_bp, "random": _train_random}[algorithm](run)
    except _NotFinite as error:
        raise Diverged(str(error), run.result()) from None
    except KeyboardInterrupt:
        raise Interrupted(run.result()) from None
    return run.result()


def _train_ff(run: Run) -> None:
    settings = run.settings
    network = ForwardForward(
        run.trace, settings, run.train.images, run.random["init"], run.random["negatives"]
    )
    run.weights = lambda: parameters(network.layers)

    def step(index: Array, number: int, total: int) -> None:
        network.step(index, learning_rate(settings.schedule, settings.lr, number, total))
        run.steps += 1
        run.samples += index.shape[0]

    def read() -> dict[str, float]:
        losses, right = network.read_meters()
        values = {"loss": sum(losses) / len(losses) / 2}
        values |= {f"loss_layer{k + 1}": loss / 2 for k, loss in enumerate(losses)}
        return values | {f"separation_layer{k + 1}": 50 * n for k, n in enumerate(right)}

    shuffle = run.random["shuffle"]
    for epoch, values in run.epochs(
        "layers", settings.n_epochs, settings.batch_size, shuffle, step, read
    ):
        run.record("layers", epoch, **values)
    _train_head(run, network)


def _train_random(run: Run) -> None:
    network = RandomFeatures(run.trace, run.settings, run.random["init"])
    run.weights = lambda: parameters(network.layers)
    _train_head(run, network)


def _train_bp(run: Run) -> None:
    settings, train_set, test_set = run.settings, run.train, run.test
    network = Backprop(
        run.trace, settings, train_set.images, run.targets, train_set.labels, run.random["init"]
    )
    run.weights = lambda: parameters(network.layers)

    def step(index: Array, number: int, total: int) -> None:
        network.step(index, learning_rate(settings.schedule, settings.bp_lr, number, total))
        run.steps += 1
        run.samples += index.shape[0]

    def read() -> dict[str, float]:
        loss, right = network.read_meters()
        return {"loss": loss, "train_accuracy": 100 * right}

    shuffle = run.random["shuffle"]
    for epoch, values in run.epochs(
        "network", settings.n_epochs, settings.batch_size, shuffle, step, read
    ):
        run.test_error = run.error_rate(network.scores, test_set.images, test_set.labels)
        running = 100 - values.pop("train_accuracy")  # during the epoch, as it was trained
        run.record("network", epoch, **values, train_error=running, test_error=run.test_error)
    run.test_error = run.error_rate(network.scores, test_set.images, test_set.labels)
    run.train_error = run.error_rate(network.scores, train_set.images, train_set.labels)


def _train_head(run: Run, network: NormalizedNetwork) -> None:
    settings = run.settings
    features = network.features(run.train.images)
    test_features = network.features(run.test.images, "evaluate")
    head = SoftmaxHead(run.trace, settings, features, run.targets, run.random["head init"])
    run.weights = lambda: parameters([*network.layers, head.layer])

    def step(index: Array, number: int, total: int) -> None:
        head.step(index, learning_rate(settings.head_schedule, settings.softmax_lr, number, total))
        run.head_steps += 1
        run.head_samples += index.shape[0]

    for epoch, values in run.epochs(
        "head",
        settings.softmax_epochs,
        settings.head_batch_size,
        run.random["head shuffle"],
        step,
        lambda: {"loss": head.read_losses()},
    ):
        run.train_error = run.error_rate(head.scores, features, run.train.labels)
        run.test_error = run.error_rate(head.scores, test_features, run.test.labels)
        run.record("head", epoch, **values, train_error=run.train_error, test_error=run.test_error)
