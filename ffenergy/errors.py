"""Errors shown to the user: one line that says what was wrong, where, and what to do."""

from __future__ import annotations

import click


class FfenergyError(click.ClickException):
    """Base of every user-facing error; click prints its message and exits with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class SettingsError(FfenergyError):
    """A setting, preset or flag has a value that cannot be used (2, as click's usage errors)."""

    exit_code = 2


class DataError(FfenergyError):
    """A data file is missing, damaged, or not the data set it claims to be."""

    exit_code = 3


class OutputError(FfenergyError):
    """The output directory cannot be written, or holds an older run."""

    exit_code = 4


class TrainingError(FfenergyError):
    """Training met a value that is not finite; the message says in which layer and step."""

    exit_code = 5


class RunInterruptedError(FfenergyError):
    """The run was interrupted by the user (130, as shells report Ctrl-C)."""

    exit_code = 130
