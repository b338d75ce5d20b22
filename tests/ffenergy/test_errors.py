"""User-facing errors: one line and an exit code per kind."""

from __future__ import annotations

import click
from click.testing import CliRunner

from ffenergy import errors

KINDS = [
    errors.FfenergyError,
    errors.SettingsError,
    errors.DataError,
    errors.OutputError,
    errors.TrainingError,
    errors.RunInterruptedError,
]


def test_exit_codes_are_distinct_and_none_means_success() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(KINDS)
    assert 0 not in codes


def test_click_prints_one_line_and_exits_with_the_code() -> None:
    @click.command()
    def fail() -> None:
        raise errors.DataError("train.gz:\n  wrong checksum;\treplace it")

    result = CliRunner().invoke(fail)
    assert result.exit_code == 3
    assert result.output == "Error: train.gz: wrong checksum; replace it\n"
