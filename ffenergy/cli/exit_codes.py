"""The exit code of every kind of error, as in `ffenergy --help` and docs/exit-codes.md."""

from __future__ import annotations

from ffenergy.errors import (
    DataError,
    EnergyError,
    FfenergyError,
    OutputError,
    RunInterruptedError,
    SettingsError,
    ThresholdError,
    TrainingError,
)

EXIT_CODES: dict[type[FfenergyError], int] = {
    FfenergyError: 1,
    SettingsError: 2,  # as click's own usage errors
    EnergyError: 2,
    DataError: 3,
    OutputError: 4,
    TrainingError: 5,
    ThresholdError: 6,
    RunInterruptedError: 130,  # as shells report Ctrl-C
}
"""By kind of error; a kind that is not here has the code of the nearest one above it."""
MEANINGS = {
    0: "done",
    1: "other failure",
    2: "bad flag or setting",
    3: "bad data",
    4: "output directory",
    5: "training diverged",
    6: "a --fail-if threshold was crossed",
    130: "interrupted (what was finished is kept)",
}


def exit_code(error: FfenergyError) -> int:
    """Return the exit code of an error: that of its own kind or of the nearest one above."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)
