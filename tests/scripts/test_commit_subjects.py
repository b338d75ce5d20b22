"""Commit messages: what is held against the house's form, on made-up messages and on a real log."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "commit_subjects.py"
SPEC = importlib.util.spec_from_file_location("commit_subjects", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("x" * 72, []),
        ("x" * 73, ["the subject has 73 characters, at most 72 are allowed"]),
        ("Why\n\nBecause.\n# a comment of git\n", []),
        ("# a comment of git\nWhy\n", []),
        ("Why\nBecause.\n", ["a blank line between subject and body is missing"]),
        ("Why.\n", ["the subject ends with a full stop"]),
        ("\n", ["the subject is empty"]),
        ("# only a comment\n", ["the subject is empty"]),
        (f"Why\n{script.SCISSORS}\ndiff of a verbose commit", []),
    ],
)
def test_messages(message: str, told: list[str]) -> None:
    assert script.problems(message) == told


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_range_names_the_commits(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    for subject in ("Begin", "Go on", "y" * 80):
        git("commit", "-q", "--allow-empty", "-m", subject)
    assert run(tmp_path, "HEAD~2..HEAD~1").returncode == 0
    done = run(tmp_path, "HEAD~2..HEAD")
    assert done.returncode == 1
    name = git("rev-parse", "--short", "HEAD")
    assert done.stderr == f"{name}: the subject has 80 characters, at most 72 are allowed\n"


def test_a_file_as_the_hook_gives_it(tmp_path: Path) -> None:
    (tmp_path / "MSG").write_text("z" * 80, encoding="utf-8")
    done = run(tmp_path, "--message", "MSG")
    assert done.returncode == 1
    assert done.stderr.startswith("MSG: the subject has 80")
    assert run(tmp_path, "nowhere..HEAD").returncode == 2
    assert run(tmp_path).returncode == 2
