"""A training: epochs of batches, what is shown, checked and written down on the way.

And how it may end before its end; each way carries what there is so far.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from ffenergy.data.dataset import held_out
from ffenergy.errors import FfenergyError, TrainingError
from ffenergy.network import Array, Tracer
from ffenergy.network.optimizers import learning_rate
from ffenergy.rules.kit.host import Examples, Host
from ffenergy.rules.kit.stages import HEAD, Plan, Stage, Values, check_inside, one_step
from ffenergy.runs.results import AlgorithmResult, signature_table, totals, traffic_table
from ffenergy.settings import Settings
from ffenergy.training.history import History
from instrumented import Trace

if TYPE_CHECKING:
    from ffenergy.data import Dataset


class Diverged(TrainingError):  # noqa: N818  # an outcome, said as one says it
    """The loss, or a weight, stopped being a number; ``partial`` is the result up to there."""

    def __init__(self, message: str, partial: AlgorithmResult) -> None:
        super().__init__(message)
        self.partial = partial


class Interrupted(KeyboardInterrupt):
    """The user pressed Ctrl-C; ``partial`` is the result up to there."""

    def __init__(self, partial: AlgorithmResult) -> None:
        super().__init__("training interrupted")
        self.partial = partial


class NotFiniteError(Exception):
    """A loss or weight is not finite; becomes :class:`Diverged` once the result is at hand."""


REPORTS: Final = 100  # looks at the loss per epoch, for the progress bar and the NaN check


def steps_between_looks(steps: int) -> int:
    """Return after how many of an epoch's ``steps`` the loss is looked at; and at its end."""
    return math.ceil(steps / REPORTS)


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


class Session(Host):
    """One algorithm being trained: its host, with the history and the counters so far."""

    def __init__(
        self,
        algorithm: str,
        settings: Settings,
        data: Dataset,
        trace: Tracer,
        progress: Progress | None,
    ) -> None:
        self.algorithm, self.progress = algorithm, progress
        data = held_out(data, settings.n_validation)
        used = settings.check_data(math.prod(data.train_images.shape[1:]), len(data.train_images))
        images, labels = data.train_images[:used], data.train_labels[:used]
        super().__init__(
            settings,
            trace,
            Examples.of_images(trace, "train", images, labels, settings.dtype),
            Examples.of_images(trace, "test", data.test_images, data.test_labels, settings.dtype),
        )
        self.history = History()
        self.wrong: np.ndarray | None = None
        self.steps = self.samples = self.head_steps = self.head_samples = 0
        self.started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, those before a resumption included."""
        return time.perf_counter() - self.started

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self.started = time.perf_counter() - seconds

    def error_rate(
        self, scores: Callable[[Array], Array], inputs: Array, examples: Examples
    ) -> float:
        """As :meth:`Host.error_rate`; of test images it remembers which were answered wrongly.

        Only where nothing is traced: looking at scores would have to be counted.
        """
        if examples is not self.test or isinstance(self.trace, Trace):
            return super().error_rate(scores, inputs, examples)
        answers = []

        def kept(rows: Array) -> Array:
            found = scores(rows)
            answers.append(found.argmax(axis=1))
            return found

        error = super().error_rate(kept, inputs, examples)
        given = np.concatenate(answers) if answers else examples.plain_labels
        self.wrong = np.flatnonzero(given != examples.plain_labels)
        return error

    def carry_out(
        self, plan: Plan, stage: Stage, after: Callable[[int], None], *, done: int = 0
    ) -> None:
        """Train the epochs of a stage after the first ``done`` ones; call ``after(epoch)`` each.

        Epochs count from 1. The last step of an epoch may have fewer images.
        """
        per_epoch = math.ceil(self.train.count / stage.rows)
        if self.progress:
            self.progress.start(plan.name, plan.n_epochs * per_epoch)
            if done:
                self.progress.advance(done * per_epoch)
        for epoch in range(done, plan.n_epochs):
            found = self._epoch(plan, stage, epoch)
            if stage.close:
                stage.close()
            values = stage.assess(found)
            check_inside(self.trace)
            row = {"stage": plan.name, "epoch": epoch + 1, **values, **totals(self.trace)}
            self.history.append(row | {"wall_seconds": self.elapsed})
            after(epoch + 1)
        if self.progress:
            self.progress.finish()

    def _epoch(self, plan: Plan, stage: Stage, epoch: int) -> Values:
        """Train one epoch; return the mean values over it."""
        count = self.train.count
        per_epoch = math.ceil(count / stage.rows)
        every = steps_between_looks(per_epoch)
        rates = self._rates(plan, stage, epoch)
        order = self.shuffled(stage.shuffle)
        sums: Values = {}
        seen = reported = 0
        for number in range(per_epoch):
            index = order[seen : seen + stage.rows]
            with one_step(self.trace, plan.name):
                stage.take(index, rates[number * stage.in_flight :][: stage.in_flight])
            self._count(plan, stage, index)
            seen += index.shape[0]
            if (number + 1) % every and number + 1 < per_epoch:
                continue
            fresh = stage.read()
            self._check(fresh, plan.name, epoch, number)
            sums = {key: sums.get(key, 0.0) + value for key, value in fresh.items()}
            if self.progress:
                done = (number % every) + 1
                self.progress.advance(done, loss=fresh["loss"] / (seen - reported))
            reported = seen
        return {key: value / count for key, value in sums.items()}

    def _rates(self, plan: Plan, stage: Stage, epoch: int) -> list[float]:
        """Return the learning rate of every batch of an epoch."""
        batches = math.ceil(self.train.count / stage.batch_size)
        done, total = epoch * batches, plan.n_epochs * batches
        return [learning_rate(*stage.rate, done + number, total) for number in range(batches)]

    def _count(self, plan: Plan, stage: Stage, index: Array) -> None:
        rows = index.shape[0] if stage.counts_samples else 0
        if plan.part == HEAD:
            self.head_steps += 1
            self.head_samples += rows
        else:
            self.steps += 1
            self.samples += rows

    def result(self, weights: dict[str, np.ndarray]) -> AlgorithmResult:
        """Return what there is so far."""
        return AlgorithmResult(
            algorithm=self.algorithm,
            test_error=self.test_error,
            train_error=self.train_error,
            steps=self.steps,
            samples=self.samples,
            head_steps=self.head_steps,
            head_samples=self.head_samples,
            wall_seconds=self.elapsed,
            history=self.history.frame(),
            traffic=traffic_table(self.trace),
            signatures=signature_table(self.trace),
            weights=weights,
            wrong=self.wrong,
        )

    def _check(self, sums: Values, stage: str, epoch: int, number: int) -> None:
        if "loss" not in sums:
            raise FfenergyError(
                f"{self.algorithm}: stage {stage} reads {', '.join(sums) or 'nothing'}, no loss; "
                "let its read return one, summed over all cases"
            )
        for key, value in sums.items():
            if not math.isfinite(value):
                raise NotFiniteError(
                    f"{self.algorithm}: {key} of stage {stage} is {value} in epoch {epoch + 1}, "
                    f"step {number + 1}; lower the learning rate"
                )
