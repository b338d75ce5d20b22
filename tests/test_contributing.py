"""The recipes of CONTRIBUTING.md, word for word: their files are written, their commands are run.

A fenced block whose first line is a comment with a file name is that file. The indented lines of a
recipe are its commands, run in order in the folder that has its files.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from ffenergy.rules import registry

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (Add a.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
FILE = re.compile(r"^```\w+\n# ([\w.-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    (\S.*)$", re.MULTILINE)


def test_there_are_three() -> None:
    assert list(RECIPES) == ["Add a NumPy rule", "Add a learning rule", "Add a hardware profile"]


@pytest.mark.slow
@pytest.mark.parametrize("title", RECIPES)
def test_recipe(
    title: str, invoke: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = RECIPES[title]
    files = FILE.findall(text)
    commands = [shlex.split(line) for line in COMMAND.findall(FILE.sub("", text))]
    assert files
    assert commands
    for name, content in files:
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(registry, "_registered", dict(registry.rules()))
    monkeypatch.setattr(registry, "_referenced", {})
    for program, *arguments in commands:
        if program == "ffenergy":
            result = invoke(*arguments)
            assert result.exit_code == 0, f"{arguments}\n{result.output}"
            continue
        assert program in ("python", "pytest"), f"who runs {program!r}?"
        start = (
            [sys.executable]
            if program == "python"
            else [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        )
        done = subprocess.run([*start, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program} {arguments}\n{done.stdout}{done.stderr}"
