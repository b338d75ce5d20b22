"""The command itself: its help is there at once, and says what the commands say of themselves."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ffenergy.cli import main
from ffenergy.cli.answering import where_it_is
from ffenergy.cli.group import summary, told

HEAVY = "import sys; found = {'numpy', 'pandas', 'matplotlib'} & set(sys.modules); print(found)"


def test_help_imports_nothing_that_takes_its_time() -> None:
    asked = "from ffenergy.cli import main; main(['--help'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{asked}; {HEAVY}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("Usage: ")
    assert done.stdout.splitlines()[-1] == "set()"


def test_summaries_are_those_of_the_commands() -> None:
    assert len(main.commands) > 10
    for name, command in main.commands.items():
        assert summary(name) == command.short_help != ""


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_no_room_for_the_help_is_one_line(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        if not kwargs.get("err"):
            raise OSError(errno.ENOSPC, "No space left on device")
        lines.append(str(args[0]))

    lines: list[str] = []
    monkeypatch.setattr("click.echo", full)
    monkeypatch.setattr("click.decorators.echo", full)
    with pytest.raises(SystemExit) as ended:
        main([flag])
    assert ended.value.code == 4
    assert lines == ["Error: standard output: No space left on device; make room and try again"]


@pytest.mark.parametrize("arguments", [["--help"], ["presets"]])
def test_full_standard_output_is_named(arguments: list[str]) -> None:
    command = [sys.executable, "-u", "-m", "ffenergy", *arguments]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 4
    told = "Error: standard output: No space left on device; make room and try again"
    assert done.stderr.splitlines()[0] == told


def test_a_folder_with_spaces_is_quoted_in_the_command_to_type() -> None:
    assert "ffenergy map 'my runs/first'" in where_it_is(Path("my runs/first"))[1]


def test_where_a_file_cannot_be_moved_to_is_named(tmp_path: Path) -> None:
    staged, place = tmp_path / ".summary.csv.tmp", tmp_path / "summary.csv"
    staged.touch()
    place.mkdir()
    with pytest.raises(OSError) as caught:  # noqa: PT011  # which one is the system's matter
        staged.replace(place)
    assert told(caught.value).message.startswith(f"{place}: ")
