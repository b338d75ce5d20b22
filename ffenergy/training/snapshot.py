"""The whole state of a run after an epoch: taken from it, put back into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ffenergy.rules.kit.stages import Rule
from ffenergy.training.history import History, Row
from ffenergy.training.session import Session
from instrumented import Trace
from instrumented.books.ledger import ledger_from, plain_ledger

SCALARS: Final = (
    "steps",
    "samples",
    "head_steps",
    "head_samples",
    "test_error",
    "train_error",
    "elapsed",
)


@dataclass(frozen=True)
class Snapshot:
    """A run after ``epoch`` epochs of its stage number ``stage`` (from 0).

    arrays: parameters, optimiser state, running means. values: everything else, as JSON holds
    it: counters, random states, and the trace's ledger (None if untraced). history: a row per
    epoch so far.
    """

    algorithm: str
    stage: int
    epoch: int
    arrays: dict[str, np.ndarray]
    values: dict[str, Any]
    history: Sequence[Row] = ()


def take(session: Session, rule: Rule, stage: int, epoch: int) -> Snapshot:
    """Return the state of ``session`` now, between two epochs."""
    values = {name: getattr(session, name) for name in SCALARS}
    values["random"] = {key: r.bit_generator.state for key, r in session.random.items()}
    values["ledger"] = (
        plain_ledger(session.trace.ledger) if isinstance(session.trace, Trace) else None
    )
    return Snapshot(session.algorithm, stage, epoch, rule.state(), values, session.history)


def restore(snapshot: Snapshot, session: Session, rule: Rule) -> None:
    """Bring ``session``, whose stage has just been opened, to where the snapshot was taken.

    What opening the stage again has drawn and moved is undone: random states and counters become
    those of the snapshot.
    """
    rule.load(snapshot.arrays)
    for key, stream in session.random.items():
        stream.bit_generator.state = snapshot.values["random"][key]
    for name in SCALARS:
        setattr(session, name, snapshot.values[name])
    session.history = History(snapshot.history)
    if isinstance(session.trace, Trace):
        session.trace.continue_from(ledger_from(snapshot.values["ledger"]))
