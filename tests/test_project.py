"""What pyproject.toml, the papers beside it and the installation say agrees with the code."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = CONFIGURATION["project"]
EXTRAS = PROJECT["optional-dependencies"]
MODULES = {"PIL": "pillow"}  # where a package is imported under another name


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def imported(folder: str) -> set[str]:
    """Top-level names that the modules of a folder import, wherever in the file."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names)


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    ours = {"ffenergy", "instrumented"}
    needed = {MODULES.get(name, name) for name in imported("ffenergy") | imported("instrumented")}
    declared = {Requirement(line).name for line in PROJECT["dependencies"]}
    optional = {Requirement(line).name for name in ("cluster", "parquet") for line in EXTRAS[name]}
    assert needed - ours - optional == declared


def test_the_instrument_needs_numpy_and_little_else() -> None:
    assert imported("instrumented") == {"click", "instrumented", "numba", "numpy", "pandas"}


def test_every_dependency_has_its_reason() -> None:
    wanted = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    wanted += CONFIGURATION["build-system"]["requires"]
    names = {Requirement(line).name for line in wanted} - {"ffenergy"}
    table = text("docs/architecture.md").split("## Why")[1]
    reasons = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\|([^|]+)\|", table, re.MULTILINE))))
    assert names - reasons == set()


REFERENCES = (
    "validation"  # two frameworks that hold the instrument's counts; nobody else needs them
)


def test_the_lock_file_has_every_tool_in_a_version_that_is_allowed() -> None:
    lines = text("requirements-dev.lock").splitlines()
    locked: dict[str, list[str]] = {}
    for line in lines:
        if found := re.match(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.]+)", line):
            locked.setdefault(found[1], []).append(found[2])
    wanted = [
        *PROJECT["dependencies"],
        *(line for name in EXTRAS if name != REFERENCES for line in EXTRAS[name]),
    ]
    for requirement in map(Requirement, wanted):
        if requirement.name != "ffenergy":
            versions = locked[requirement.name]
            assert all(map(requirement.specifier.contains, versions)), requirement
    assert "://" not in text("requirements-dev.lock")


def test_versions_and_dates_agree() -> None:
    version = PROJECT["version"]
    heads = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ – \d{4}-\d\d-\d\d", head) for head in heads)
    newest, date = heads[0].split(" – ")
    dates = [head.split(" – ")[1] for head in heads]
    assert dates == sorted(dates, reverse=True)
    assert newest == version
    citation = dict(re.findall(r"^([\w-]+): (.+)$", text("CITATION.cff"), re.MULTILINE))
    assert citation["version"] == version
    assert citation["date-released"] == date


def test_no_address_is_made_up_and_all_are_the_same() -> None:
    """As long as there is none, metadata names none; CONTRIBUTING.md says what to add."""
    told = {name: text(name) for name in ("pyproject.toml", "CITATION.cff", "README.md")}
    assert [
        name for name, content in told.items() if re.search(r"\.(example|invalid)\b", content)
    ] == []
    home = re.search(r'^repository-code: "(.+)"$', told["CITATION.cff"], re.MULTILINE)
    assert (home and home[1]) == PROJECT.get("urls", {}).get("Repository")


@pytest.mark.parametrize("package", ["ffenergy", "instrumented"])
def test_a_folder_named_like_the_package_does_not_shadow_it(package: str, tmp_path: Path) -> None:
    """As in the folder above a clone: `python -c` looks there first."""
    (tmp_path / package / "docs").mkdir(parents=True)
    module = {"ffenergy": "ffenergy.errors", "instrumented": "instrumented.errors"}[package]
    command = [sys.executable, "-c", f"import {module}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
