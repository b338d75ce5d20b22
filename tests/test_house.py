"""The plan of the house: which room may import which, and no circle anywhere."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from ffenergy.rules.registry import rules

ROOT = Path(__file__).parent.parent
PACKAGES = ("instrumented", "ffenergy")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
}


def imports_of(name: str) -> set[str]:
    """Modules of the two packages that a module imports, anywhere in it; itself left out."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [whole if whole in MODULES else str(node.module) for whole in named]
        else:
            continue
        found.update(whole for whole in named if whole in MODULES)
    return found - {name}


@cache
def imports() -> dict[str, set[str]]:
    return {name: imports_of(name) for name in MODULES}


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph, or []: what is left after all modules without imports left."""
    left = {name: set(needs) for name, needs in graph.items()}
    while free := [name for name, needs in left.items() if not needs]:
        for name in free:
            del left[name]
        for needs in left.values():
            needs.difference_update(free)
    path: list[str] = []
    name = next(iter(sorted(left)), "")
    while name and name not in path:
        path.append(name)
        name = min(left[name])
    return path[path.index(name) :] if name else []


def test_a_circle_is_found():
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c"]
    assert circle_in({"a": {"b"}, "b": set()}) == []


def test_modules_import_in_no_circle():
    assert circle_in(imports()) == []


ROOMS = re.findall(
    r"^\| room of `(\w+)` .*\n\|[-|]+\n((?:\|.*\n)+)",
    (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def told_rooms(package: str) -> list[str]:
    """The rooms of a package in the order that the page gives them."""
    (table,) = (rows for whose, rows in ROOMS if whose == package)
    lines = re.findall(r"^\| `(\w+)/?` \| (.*?) \|$", table, flags=re.MULTILINE)
    assert all(purpose for _, purpose in lines)
    return [f"{package}.{room}" for room, _ in lines]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_page_names_every_room(package):
    doors = {package, f"{package}.__main__"}
    there = {room_of(name) for name in MODULES if name.startswith(package)} - doors
    told = told_rooms(package)
    assert sorted(told) == sorted(there), "add the room to docs/architecture.md, `Rooms`"


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_only_rooms_above_them(package):
    place = {room: k for k, room in enumerate(told_rooms(package))}
    against = [
        f"{name} imports {other}"
        for name, others in imports().items()
        for other in others
        if room_of(name) in place and other.startswith(package)
        if room_of(name) != room_of(other)
        if place.get(room_of(other), len(place)) > place[room_of(name)]
    ]
    assert against == []


def texts_in(name: str) -> set[str]:
    """Every text that a module holds, docstrings and those that are part of others too."""
    nodes = ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def test_only_its_own_module_knows_a_rule_by_name():
    """And ``registry.HEADLINE``, for the pair that a report's headline compares."""
    names = rules().keys() - {"random"}  # a word of many meanings
    free = ("ffenergy.rules", "ffenergy.report")
    for name in MODULES:
        if name.startswith("ffenergy") and room_of(name) not in free:
            assert texts_in(name) & names == set(), name


ONE_THING = {"errors", "screen", "tables"}
"""Names of modules that stand in several rooms for the same thing of each."""


def test_a_name_stands_for_one_thing():
    """Modules, but for commands, which are called as what they run; and public classes."""
    modules, classes = Counter[str](), Counter[str]()
    for name, path in MODULES.items():
        if path.name not in ("__init__.py", "__main__.py") and room_of(name) != "ffenergy.cli":
            modules[path.stem] += 1
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes.update(node.name for node in tree.body if isinstance(node, ast.ClassDef))
    assert {name for name, count in modules.items() if count > 1} == ONE_THING
    assert {name for name, count in classes.items() if count > 1 and name[0] != "_"} == set()


def test_the_page_names_modules_that_there_are():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:\w+/)*\w+\.py)`", page))
    paths = [path for folder in (*PACKAGES, "tests", "benchmarks") for path in there(folder)]
    missing = {name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in paths)}
    assert missing == set()


def there(folder: str) -> list[str]:
    """Python files under a folder, as paths from the root of the repository."""
    return [path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")]


MOST_LINES = 400


def test_no_module_asks_to_be_two():
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


SECTION = re.compile(r'§(\d+)\s+"([^"]+)"')
SOURCES = [path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")]


def test_references_to_the_metric_name_number_and_title_of_a_section():
    """As in `docs/metric.md §8 "Levels"`: who renumbers the page, or renames a section, is told."""
    page = (ROOT / "docs" / "metric.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\d+)\. (.+)$", page, flags=re.MULTILINE))
    count = 0
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        wrong = re.findall(r"(?:metric\.md`*,? +section|METRIC section)s? [\d]+", text)
        assert wrong == [], f"{path.relative_to(ROOT)}: write docs/metric.md §number and title"
        for number, title in SECTION.findall(text):
            if path != Path(__file__):
                assert sections.get(number) == " ".join(title.split()), path.relative_to(ROOT)
                count += 1
    assert count > 10
