"""Errors of the instrument; every one says what was wrong and what to do."""


class InstrumentError(Exception):
    """Base of every error the instrument raises on purpose."""


class UncountedOperationError(InstrumentError, TypeError):
    """An operation has no traffic rule, so it is refused rather than guessed."""


class EscapeError(InstrumentError):
    """A traced value was about to leave the trace without being recorded.

    No ``TypeError``: NumPy and Python take one from ``__index__`` or ``__float__`` for "this is no
    number" and say something else in its place.
    """


class BareArrayError(InstrumentError, TypeError):
    """A plain NumPy array met a traced one while the trace was strict."""
