"""Training one algorithm: stage after stage, from the start or from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ffenergy.network import Tracer
from ffenergy.rules import registry
from ffenergy.rules.kit.stages import HEAD, Plan, Rule, check_inside
from ffenergy.runs.results import AlgorithmResult
from ffenergy.settings import Settings
from ffenergy.training.bits import flushed
from ffenergy.training.checkpoints import Checkpoints, restore, take
from ffenergy.training.session import (
    AfterEpoch,
    Diverged,
    Interrupted,
    NotFiniteError,
    Progress,
    Session,
)
from instrumented import Trace, Untraced

if TYPE_CHECKING:
    from ffenergy.data import Dataset


class Watch(Protocol):
    """Looks on while a run trains."""

    def __call__(self, plans: Sequence[Plan], history: Sequence[Mapping[str, Any]]) -> None:
        """An epoch is over: the stages planned, and the history's rows so far."""


def train(
    algorithm: str,
    settings: Settings,
    data: Dataset,
    *,
    traced: bool = True,
    progress: Progress | None = None,
    after_epoch: AfterEpoch | None = None,
    checkpoints: Checkpoints | None = None,
    watch: Watch | None = None,
) -> AlgorithmResult:
    """Train a learning rule, by name, on ``data`` and measure its error.

    The same seed gives the same bits with and without tracing, and with and without a stop at a
    checkpoint: with ``checkpoints`` the state is saved after epochs, and a state saved earlier is
    taken up. ``watch`` is told of every epoch. What ``after_epoch`` or ``watch`` raises ends the
    training and is raised as it is.

    Raises:
        SettingsError: unknown algorithm, or settings that do not fit the data.
        OutputError: a checkpoint cannot be written; the one before it is still there.
        RuleFailedError: a rule of another package raised, or counted something outside of steps.
        Diverged: the loss, or a weight in the last step, became NaN or infinite; carries the
            partial result.
        Interrupted: Ctrl-C; carries the partial result.
    """
    kind = registry.find(algorithm)
    trace: Tracer = Trace(strict=True) if traced else Untraced()
    session = Session(algorithm, settings, data, trace, progress)
    with registry.answering(algorithm):
        rule = kind(session)
        try:
            with np.errstate(all="ignore"), flushed():  # what matters is reported as Diverged
                _carry_out(session, rule, after_epoch, checkpoints, watch)
        except NotFiniteError as error:
            raise Diverged(str(error), session.result(rule.weights())) from None
        except KeyboardInterrupt:
            raise Interrupted(session.result(rule.weights())) from None
        return session.result(rule.weights())


def _carry_out(
    session: Session,
    rule: Rule,
    after_epoch: AfterEpoch | None,
    checkpoints: Checkpoints | None,
    watch: Watch | None,
) -> None:

    def weights() -> dict[str, np.ndarray]:
        with registry.answering(session.algorithm):
            return rule.weights()

    saved = checkpoints.latest(session.algorithm) if checkpoints else None
    plans = rule.plans()
    for number, plan in enumerate(plans):
        if saved and number < saved.stage:
            continue
        if saved:  # a stage opens on the layers as they are when those before it are over
            rule.load(saved.arrays)
        stage = plan.open()
        done = 0
        if saved:
            restore(saved, session, rule)
            done, saved = saved.epoch, None

        def after(epoch: int, *, name: str = plan.name, number: int = number) -> None:
            with registry.looking_on():
                if after_epoch:
                    after_epoch(name, epoch, weights)
                if watch:
                    watch(plans, session.history)
            if checkpoints and checkpoints.due():
                checkpoints.save(take(session, rule, number, epoch))
            follows = plans[number + 1].part if number + 1 < len(plans) else ""
            if checkpoints and follows == HEAD and epoch == plans[number].n_epochs:
                checkpoints.keep_layers(lambda: take(session, rule, number, epoch))

        session.carry_out(plan, stage, after, done=done)
    rule.finish()
    check_inside(session.trace)
    _check_finite(session, rule)


def _check_finite(session: Session, rule: Rule) -> None:
    """Look at what the last step made: no loss was taken of it. Raises NotFiniteError."""
    with registry.answering(session.algorithm):
        weights = rule.weights()
    for name, array in weights.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise NotFiniteError(
                f"{session.algorithm}: {name} has values that are not finite at the end of the "
                "training; lower the learning rate"
            )
