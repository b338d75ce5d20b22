"""User-facing errors: one line and an exit code per kind, known to the command line alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ffenergy import errors
from ffenergy.cli.group import EXIT_CODES, MEANINGS, OneLineErrors, exit_code
from ffenergy.energy import ProfileError
from ffenergy.errors import FfenergyError
from ffenergy.runs.directory import RunDirectoryError
from ffenergy.sweeps.specification import SpecificationError
from instrumented import EscapeError

PAGE = Path(__file__).parents[3] / "docs" / "exit-codes.md"


def test_every_kind_has_a_code_and_none_means_success() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    direct = [kind for kind in kinds if FfenergyError in (kind, *kind.__bases__)]
    assert set(direct) <= set(EXIT_CODES)
    assert {0, *EXIT_CODES.values()} == set(MEANINGS)
    others = [kind for kind in direct if kind is not errors.EnergyError]  # a setting's code
    assert len({EXIT_CODES[kind] for kind in others}) == len(others)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FfenergyError("x"), 1),
        (SpecificationError("x"), 2),
        (ProfileError("x"), 2),
        (RunDirectoryError("x"), 4),
    ],
)
def test_a_kind_without_a_code_has_the_one_above(error: FfenergyError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (errors.DataError("a.gz:\n  bad;\treplace it"), 3, "a.gz: bad; replace it"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "out"), 4, "out: Permission denied; change its"),
        (OSError(27, "File too large", "out"), 4, "out: File too large; allow larger files"),
        (MemoryError("8 GiB"), 1, "out of memory (8 GiB); lower"),
        (EscapeError("float(x)"), 1, "the trace refused an operation: float(x)"),
    ],
)
def test_a_failure_is_one_line_and_its_code(raised: BaseException, code: int, line: str) -> None:
    group = OneLineErrors("program")

    @group.command()
    def fail() -> None:
        raise raised

    result = CliRunner().invoke(group, ["fail"])
    assert result.exit_code == code
    assert result.output.startswith(f"Error: {line}")
    assert result.output.count("\n") == 1


def test_a_mistake_of_ours_is_no_error_of_the_user() -> None:
    group = OneLineErrors("program")

    @group.command()
    def fail() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(group, ["fail"]).exception, ZeroDivisionError)


def test_the_page_has_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(code) for code, _ in rows] == list(MEANINGS)
    for code, told in rows:
        assert told.replace("`", "").startswith(MEANINGS[int(code)])


def test_errors_know_no_click() -> None:
    code = "import sys; import ffenergy.errors; raise SystemExit('click' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
