"""The command itself: its help is there at once, and says what the commands say of themselves."""

from __future__ import annotations

import subprocess
import sys

from ffenergy.cli import main
from ffenergy.cli.group import summary

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
