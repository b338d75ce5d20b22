"""Hold commit messages against the house's form: a subject of at most 72 characters, a blank line.

python scripts/commit_subjects.py main..HEAD       # the commits of a branch
python scripts/commit_subjects.py --message FILE   # one message, as a commit-msg hook gives it
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import click

LONGEST = 72
COMMENT, SCISSORS = "#", "# ------------------------ >8 ------------------------"


def problems(message: str) -> list[str]:
    """Return what is wrong with a commit message, nothing if it is as it should be."""
    written = message.partition(SCISSORS)[0].splitlines()
    subject, *body = [line for line in written if not line.startswith(COMMENT)] or [""]
    found = []
    if not subject.strip():
        found.append("the subject is empty")
    if len(subject) > LONGEST:
        found.append(f"the subject has {len(subject)} characters, at most {LONGEST} are allowed")
    if subject.endswith("."):
        found.append("the subject ends with a full stop")
    if body and body[0].strip():
        found.append("a blank line between subject and body is missing")
    return found


def messages(commits: str) -> dict[str, str]:
    """Return the messages of a range of commits by abbreviated hash."""
    command = ["git", "log", "-z", "--no-merges", "--format=%h%n%B", commits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    if done.returncode:
        raise click.UsageError(f"{commits}: {done.stderr.strip().splitlines()[0]}")
    entries = [entry.partition("\n") for entry in done.stdout.split("\0") if entry]
    return {name: message for name, _, message in entries}


@click.command()
@click.argument("commits", required=False, metavar="[A..B]")
@click.option("--message", type=click.Path(path_type=Path), help="File with one message.")
def main(commits: str | None, message: Path | None) -> None:
    """Say which commit messages are not in the house's form; exit code 1 if any."""
    if (commits is None) == (message is None):
        raise click.UsageError("give a range of commits, or a file with --message")
    told = messages(commits) if commits else {}
    if message is not None:
        told = {message.name: message.read_text(encoding="utf-8")}
    wrong = [f"{name}: {what}" for name, text in told.items() for what in problems(text)]
    for line in wrong:
        click.echo(line, err=True)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
