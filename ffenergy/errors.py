"""Errors shown to the user: one line that says what was wrong, where, and what to do.

They know nothing of the command line, which gives every kind its exit code (`cli/group.py`).
"""

from __future__ import annotations

import errno
from typing import Final


class FfenergyError(Exception):
    """Base of every user-facing error; ``message`` is its one line."""

    def __init__(self, message: str) -> None:
        self.message = " ".join(message.split())
        super().__init__(self.message)


class SettingsError(FfenergyError):
    """A setting, preset or flag has a value that cannot be used."""


class EnergyError(FfenergyError):
    """Base of what cannot be priced."""


class ProfileError(EnergyError):
    """A hardware profile is unknown, unreadable, or breaks the schema."""


class PricingError(EnergyError):
    """Counts cannot be priced under a profile: a dtype, level, column or distance is foreign."""


class DataError(FfenergyError):
    """A data file is missing, damaged, or not the data set it claims to be."""


class OutputError(FfenergyError):
    """The output directory cannot be written, or holds an older run."""


class TrainingError(FfenergyError):
    """Training met a value that is not finite; the message says in which layer and step."""


class ThresholdError(FfenergyError):
    """A figure is where the user said that it should not be."""


class RunInterruptedError(FfenergyError):
    """The run was interrupted by the user."""


_REMEDIES: Final = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "change its permissions, or work in a copy of the folder",
    ),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make room and try again"),
    errno.EFBIG: "allow larger files (ulimit -f), or work on another disk",
}


def remedy_of(error: BaseException) -> str:
    """What to do about a failure of the machine, to end a message with; empty if nobody knows."""
    return _REMEDIES.get(getattr(error, "errno", None) or 0, "")
