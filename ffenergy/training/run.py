"""The run: epochs of batches, what is shown, checked and written down on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd

from ffenergy.data.validation import held_out
from ffenergy.network.arrays import Array, Tracer
from ffenergy.network.head import one_hot, wrong_answers
from ffenergy.network.optimizers import learning_rate
from ffenergy.runs.results import AlgorithmResult, signature_table, totals, traffic_table
from ffenergy.settings import Settings
from ffenergy.training.examples import Examples
from ffenergy.training.outcomes import NotFiniteError
from ffenergy.training.streams import random_streams

if TYPE_CHECKING:
    from ffenergy.data import Dataset
    from ffenergy.training.stages import Plan, Stage, Values

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


class Run:
    """One algorithm being trained: the trace, the data, the history so far."""

    def __init__(
        self,
        algorithm: str,
        settings: Settings,
        data: Dataset,
        trace: Tracer,
        progress: Progress | None,
    ) -> None:
        self.algorithm, self.settings, self.trace = algorithm, settings, trace
        self.progress = progress
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
        self.started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds of training so far, those before a resumption included."""
        return time.perf_counter() - self.started

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self.started = time.perf_counter() - seconds

    def carry_out(
        self, plan: Plan, stage: Stage, after: Callable[[int], None], *, done: int = 0
    ) -> None:
        """Train the epochs of a stage after the first ``done`` ones; call ``after(epoch)`` each.

        Epochs count from 1. The last batch of an epoch may be short.
        """
        per_epoch = math.ceil(self.train.images.shape[0] / stage.batch_size)
        if self.progress:
            self.progress.start(plan.name, plan.n_epochs * per_epoch)
            if done:
                self.progress.advance(done * per_epoch)
        for epoch in range(done, plan.n_epochs):
            values = stage.assess(self._epoch(plan, stage, epoch))
            row = {"stage": plan.name, "epoch": epoch + 1, **values, **totals(self.trace)}
            self.history.append(row | {"wall_seconds": self.elapsed})
            after(epoch + 1)
        if self.progress:
            self.progress.finish()

    def _epoch(self, plan: Plan, stage: Stage, epoch: int) -> Values:
        """Train one epoch; return the mean values over it."""
        count: int = self.train.images.shape[0]
        per_epoch = math.ceil(count / stage.batch_size)
        total, every = plan.n_epochs * per_epoch, math.ceil(per_epoch / REPORTS)
        schedule, rate = stage.rate
        with self.trace.step("shuffle"), self.shuffle_scope:
            permutation = self.random[stage.shuffle].permutation(count)
            order = self.trace.made(permutation, operation="permutation")
        sums: Values = {}
        seen = reported = 0
        for number in range(per_epoch):
            index = order[seen : seen + stage.batch_size]
            stage.step(index, learning_rate(schedule, rate, epoch * per_epoch + number, total))
            self._count(stage, index)
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

    def _count(self, stage: Stage, index: Array) -> None:
        rows = index.shape[0] if stage.counts_samples else 0
        if stage.is_head:
            self.head_steps += 1
            self.head_samples += rows
        else:
            self.steps += 1
            self.samples += rows

    def error_rate(self, scores: Callable[[Array], Array], inputs: Array, labels: Array) -> float:
        """Return the percentage of ``inputs`` (n, …) whose largest score is not at the label."""
        count: int = inputs.shape[0]
        wrong = 0
        for start in range(0, count, CHUNK):
            with self.trace.step("evaluate"), self.evaluate_scope:
                rows = slice(start, start + CHUNK)
                wrong += int(self.trace.escape(wrong_answers(scores(inputs[rows]), labels[rows])))
        return 100 * wrong / count

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
            history=pd.DataFrame(self.history),
            traffic=traffic_table(self.trace),
            signatures=signature_table(self.trace),
            weights=weights,
        )

    def _check(self, sums: Values, stage: str, epoch: int, number: int) -> None:
        for key, value in sums.items():
            if not math.isfinite(value):
                raise NotFiniteError(
                    f"{self.algorithm}: {key} of stage {stage} is {value} in epoch {epoch + 1}, "
                    f"step {number + 1}; lower the learning rate"
                )
