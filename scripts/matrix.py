"""Run the tests under every Python and both ends of what the packages may be.

    python scripts/matrix.py                          # all six, in build/matrix
    python scripts/matrix.py --only 3.11-oldest       # one of them; may be repeated
    python scripts/matrix.py tests/instrumented       # other tests than all fast ones

`oldest` installs the lower bound of every dependency in pyproject.toml, `newest` whatever an index
offers now. A Python is looked for on PATH, then among pyenv's.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PACKAGES = ("oldest", "newest")
NAMES = tuple(f"{python}-{packages}" for python in PYTHONS for packages in PACKAGES)
SHOWN = ("numpy", "pandas", "numba", "matplotlib")


@dataclass(frozen=True)
class Outcome:
    """What came of one cell: the versions it ran with, what pytest said last, and how long."""

    name: str
    passed: bool
    versions: str
    told: str
    seconds: float


def lower_bounds() -> list[str]:
    """Return `name==version` for every dependency and those of the extra `test`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    found = [re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+).*", line) for line in wanted]
    missing = [line for line, match in zip(wanted, found, strict=True) if match is None]
    if missing:
        raise click.ClickException(f"no lower bound in pyproject.toml: {', '.join(missing)}")
    return [f"{match[1]}=={match[2]}" for match in found if match]


def interpreter(version: str) -> str:
    """Return the program of a Python, which must be installed."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    pyenvs = sorted(versions.glob(f"{version}.*/bin/python"))
    found = shutil.which(f"python{version}", path=os.defpath) or next(map(str, pyenvs), None)
    found = found or shutil.which(f"python{version}")
    if found is None:
        raise click.ClickException(f"Python {version} is not installed; leave it out with --only")
    return found


def said(command: list[str | Path], folder: Path = ROOT) -> tuple[int, str]:
    """Run a command; return its exit code and what it said."""
    done = subprocess.run(  # noqa: S603  # no shell, programs of this script's choice
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def run(name: str, folder: Path, tests: tuple[str, ...]) -> Outcome:
    """Install one cell from scratch and run its tests."""
    version, packages = name.split("-")
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    began = time.monotonic()
    python = place / "bin" / "python"
    constraints = folder / f"{name}.txt"
    constraints.write_text("\n".join(lower_bounds() if packages == "oldest" else []) + "\n")
    versions = "-"
    steps: list[list[str | Path]] = [
        [interpreter(version), "-m", "venv", place],
        [python, "-m", "pip", "install", "-q", "-c", constraints, "-e", ".[test]"],
    ]
    for command in steps:
        code, told = said(command)
        if code:
            break
    else:
        shown = "; ".join(f"print('{n}', importlib.metadata.version('{n}'))" for n in SHOWN)
        _, versions = said([python, "-c", f"import importlib.metadata; {shown}"])
        # an old package may warn of its newer company; its own tests did not
        old = ["-W", "ignore::DeprecationWarning"] if packages == "oldest" else []
        code, told = said([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *old, *tests])
    (folder / f"{name}.log").write_text(told, encoding="utf-8")
    last = (told.strip() or "nothing was said").splitlines()[-1].strip("= ")
    return Outcome(
        name, code == 0, ", ".join(versions.split("\n")[:-1]), last, time.monotonic() - began
    )


@click.command()
@click.argument("tests", nargs=-1)
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Cells to run; default all.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "matrix",
    help="Where environments and logs go.",
)
def main(tests: tuple[str, ...], only: tuple[str, ...], folder: Path) -> None:
    """Print a row for every cell; exit code 1 if one of them failed."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo("| Python, packages | versions | tests | minutes |\n|---|---|---|---:|")
    outcomes = []
    for name in only or NAMES:
        outcomes.append(cell := run(name, folder, tests))
        told = cell.told if cell.passed else f"FAILED: {cell.told} ({folder / f'{name}.log'})"
        click.echo(f"| {name} | {cell.versions} | {told} | {cell.seconds / 60:.1f} |")
    sys.exit(0 if all(outcome.passed for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
