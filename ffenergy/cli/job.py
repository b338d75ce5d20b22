"""One job: algorithm after algorithm, each saved as soon as it is done, whatever comes next."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import click

from ffenergy.cli.progress import progress, warn_if_long_to_price
from ffenergy.data import Dataset
from ffenergy.energy import ChosenProfile
from ffenergy.errors import FfenergyError, RunInterruptedError, TrainingError
from ffenergy.report import files
from ffenergy.report.book import Book
from ffenergy.rules.kit.stages import Plan
from ffenergy.rules.registry import rules
from ffenergy.runs import progress_file as left
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.style import ALGORITHM_NAMES
from ffenergy.trained import examples
from ffenergy.training import AfterEpoch, Checkpoints, Diverged, Interrupted
from ffenergy.training import train as train_algorithm

WATCH_SECONDS: Final = 1.0


class Job:
    """The run so far and the directory that mirrors it."""

    def __init__(
        self,
        directory: RunDirectory,
        run: Run,
        settings: Settings,
        data: Dataset,
        profiles: Sequence[ChosenProfile] = (),
        *,
        traced: bool,
        quiet: bool,
        after_epoch: AfterEpoch | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.checkpoints = checkpoints
        self.told = -math.inf  # when word was last left of how far the algorithm is
        self.directory, self.run, self.settings, self.data = directory, run, settings, data
        self.profiles, self.traced, self.quiet = profiles, traced, quiet
        self.after_epoch = after_epoch
        self.book = Book(run)

    def say(self, line: str) -> None:
        """Tell the user something on standard error, unless quiet."""
        if not self.quiet:
            click.echo(line, err=True)

    def carry_out(self, algorithms: tuple[str, ...]) -> Run:
        """Train `algorithms` in turn, write the report, return the complete run.

        Those that the run has already are left as they are.

        Raises RunInterruptedError on Ctrl-C and TrainingError when a loss is no longer a number;
        by then the finished algorithms and the history of the unfinished one are saved.
        """
        current = ""
        if not set(algorithms) <= set(self.run.results):
            self.run = self.run.with_status("running")
        self.directory.write(self.run)
        try:
            for current in algorithms:
                if current not in self.run.results:
                    self._train(current)
            (self.directory.path / left.FILE).unlink(missing_ok=True)
            if self.checkpoints:
                self.checkpoints.clear()
            self._add_examples()
            self.run = self.run.with_status("complete")
            self.book = Book(self.run)
            self.directory.write(self.run, files.tables(self.book))
            if self.traced and self.profiles:
                self.say("Pricing a step of every kind …")
                if not self.quiet:
                    warn_if_long_to_price(self.run.results, self.settings)
                self.book = Book.of(self.run, self.profiles, self.say)
            self.say("Drawing the pictures …")
            self.directory.add(self.run, files.report(self.book))
        except KeyboardInterrupt as stop:
            if isinstance(stop, Interrupted):
                self.run = self.run.with_history(current, stop.partial.history)
            where = f"during {_named(current)}"
            if current in self.run.results:
                done = set(algorithms) <= set(self.run.results)
                where = "during the report" if done else f"after {_named(current)}"
            raise RunInterruptedError(self._keep("interrupted", where, current)) from None
        except Diverged as stop:
            self.run = self.run.with_history(current, stop.partial.history)
            raise TrainingError(self._keep("failed", stop.message, current)) from None
        except FfenergyError as error:
            self._keep("failed", error.message, current)
            raise
        return self.run

    def _train(self, algorithm: str) -> None:
        shown = progress(_named(algorithm), quiet=self.quiet)
        try:
            result = train_algorithm(
                algorithm,
                self.settings,
                self.data,
                traced=self.traced,
                progress=shown,
                after_epoch=self.after_epoch,
                checkpoints=self.checkpoints,
                watch=partial(self._watch, algorithm),
            )
        finally:
            if shown is not None:
                shown.close()
        self.run = self.run.with_result(result)
        self.directory.write(self.run, files.tables(Book(self.run)))

    def _watch(
        self, algorithm: str, plans: Sequence[Plan], history: Sequence[Mapping[str, Any]]
    ) -> None:
        """Leave word of how far the algorithm is, for `ffenergy status`; not at every instant."""
        if time.monotonic() - self.told < WATCH_SECONDS:
            return
        self.told = time.monotonic()
        planned = {plan.name: plan.n_epochs for plan in plans}
        left.leave(self.directory.path, algorithm, planned, history)

    def _add_examples(self) -> None:
        found = examples.hybrids(self.data, self.settings)
        weights = self.run.weights
        telling = [name for name, kind in rules().items() if kind.tells_hybrids]
        told = next((name for name in telling if name in self.run.results), None)
        if told is not None:
            head = f"{told}/"
            own = {k.removeprefix(head): w for k, w in weights.items() if k.startswith(head)}
            if own:  # weights.npz may have been deleted since; then what was drawn of it stays
                found |= examples.goodness(own, self.settings, self.data)
        self.run = self.run.with_examples({**self.run.examples, **found})

    def _keep(self, status: str, reason: str, current: str) -> str:
        """Save what there is; return one line that says what happened and what was kept.

        ``current`` is the algorithm that was trained last.
        """
        self.run = self.run.with_status(status, reason)
        self.directory.write(self.run, files.tables(Book(self.run)))
        kept = [_named(name) for name in self.run.results]
        started = self.run.history["algorithm"].unique()
        epochs = [f"the epochs of {_named(n)}" for n in started if n not in self.run.results]
        told = ", ".join(kept + epochs) or "the settings alone"
        unfinished = current not in self.run.results
        if self.checkpoints and unfinished and self.checkpoints.usable(current):
            told += ", a checkpoint to go on from with --resume"
        what = f"interrupted {reason}" if status == "interrupted" else reason
        return f"{what}; kept: {told} (in {self.directory.path})"


def _named(algorithm: str) -> str:
    return ALGORITHM_NAMES.get(algorithm, algorithm)
