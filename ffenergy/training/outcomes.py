"""How a training may end before its end; each carries what there is so far."""

from __future__ import annotations

from ffenergy.errors import TrainingError
from ffenergy.runs.results import AlgorithmResult


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


class NotFiniteError(Exception):
    """A loss is no longer a number; becomes :class:`Diverged` once the result is at hand."""
