"""Errors of the instrument; every one says what was wrong and what to do."""


class InstrumentError(Exception):
    """Base of every error the instrument raises on purpose."""


class UncountedOperationError(InstrumentError, TypeError):
    """An operation has no traffic rule, so it is refused rather than guessed."""


class EscapeError(InstrumentError, TypeError):
    """A traced value was about to leave the trace without being recorded."""


class BareArrayError(InstrumentError, TypeError):
    """A plain NumPy array met a traced one while the trace was strict."""
