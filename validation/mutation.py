"""Small changes to the source of the instrument: is every one that changes a count noticed?

Each mutant differs from the source in one place: an operator, a comparison, a whole number, a
condition. It is noticed if the counts of :mod:`validation.counts` change, or if a test of its room
fails. Mutants run in processes of their own, compiled loops as plain Python: some ten seconds of
processor time each, a minute where tests of distances find nothing.

Survivors that were judged stand in ``survivors.csv``, each with why it changes no count. They are
known by file, function and text, not by line.
"""

from __future__ import annotations

import ast
import copy
import csv
import os
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]
JUDGED = Path(__file__).parent / "survivors.csv"
LIMIT = 120
"""Seconds of processor time that a mutant may take."""
SHOWN = 80
"""Characters of the longest text that is shown around a whole number."""

COUNTED = tuple(
    path.relative_to(ROOT).as_posix()
    for pattern in ("rules/test_[!c]*.py", "books/*.py", "test_[!c]*.py", "rules/test_c*.py")
    for path in sorted((ROOT / "tests" / "instrumented").glob(pattern))
    if path.stem not in ("test_random_programs", "test_trace_html")
)
"""Counts worked by hand; what holds rules against NumPy's signatures takes longest, so last."""
BRIEF = "not near_the_bound and not below_its_bound and not distinct_blocks_not_the_trace"
"""Tests of large products take minutes as plain Python."""
TESTS: dict[str, tuple[str, ...]] = {
    "instrumented/rules/": COUNTED,
    "instrumented/books/": COUNTED,
    "instrumented/values.py": COUNTED,
    "instrumented/lowering/": (
        "tests/instrumented/lowering",
        "tests/instrumented/analysis/test_step.py",
    ),
    "instrumented/distances/": ("tests/instrumented/distances",),
}
"""Arguments of pytest, the tests that mutants are held to, by where their sources lie."""
SWAPPED: dict[type[ast.AST], type[Any]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One change: where, and what was changed into what.

    ``key`` has file, function, the text before and after: a mutant is known by it while lines
    come and go. ``lines`` are those of what is changed.
    """

    key: tuple[str, str, str, str]
    lines: range

    def __str__(self) -> str:
        file, function, before, after = self.key
        return f"{file}:{self.lines.start}: {function or 'module'}: {before} -> {after}"


def mutants(file: str) -> Iterator[tuple[Mutant, ast.Module]]:
    """Yield every mutant of a source file with its tree, which the next one changes again."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node, function, shown in list(_changeable_nodes(tree, (), "")):
        kept, before = copy.copy(node), ast.unparse(shown)
        _change(node)
        key = (file, function, before, ast.unparse(shown))
        yield Mutant(key, range(node.lineno, node.end_lineno + 1)), tree
        node.__dict__.update(kept.__dict__)


def _changeable_nodes(
    node: Any, around: tuple[ast.AST, ...], function: str
) -> Iterator[tuple[Any, str, ast.AST]]:
    """Yield what can be changed, the function that it is in and the text that shows it."""
    if _changeable(node):
        yield node, function, _shown(node, around)
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        function = f"{function}.{node.name}".lstrip(".")
    for child in ast.iter_child_nodes(node):
        yield from _changeable_nodes(child, (*around, node), function)


def _shown(node: ast.AST, around: tuple[ast.AST, ...]) -> ast.AST:
    """Return what shows a change: of a whole number, what it is a part of, unless that is long."""
    if isinstance(node, ast.Constant):
        for one in reversed(around):
            if isinstance(one, ast.expr | ast.keyword | ast.Return | ast.Assign | ast.AnnAssign):
                if isinstance(one, ast.UnaryOp | ast.FormattedValue):
                    continue
                return one if len(ast.unparse(one)) <= SHOWN else node
            break
    return node


def _changeable(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return type(node.op) in SWAPPED
    if isinstance(node, ast.Compare):
        return type(node.ops[0]) in SWAPPED
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    return isinstance(node, ast.BoolOp | ast.IfExp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


def _change(node: Any) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1
    elif isinstance(node, ast.Compare):
        node.ops = [SWAPPED[type(node.ops[0])](), *node.ops[1:]]
    elif isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    else:
        node.op = SWAPPED[type(node.op)]()


class _Mutated(SourceFileLoader):
    tree: ast.Module

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.tree, self.path, "exec")


class _Finder(MetaPathFinder):
    """Puts a mutated tree in the place of one module."""

    def __init__(self, file: str, tree: ast.Module) -> None:
        self._origin = str(ROOT / file)
        self._tree = tree

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if not fullname.startswith("instrumented"):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin != self._origin:
            return None
        loader = _Mutated(fullname, self._origin)
        loader.tree = self._tree
        return spec_from_file_location(fullname, self._origin, loader=loader)


def survives(file: str, tree: ast.Module) -> bool:
    """Return whether counts and tests, run in a child, stay as they are with a file changed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            os.chdir(ROOT)
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
            sys.meta_path.insert(0, _Finder(file, ast.fix_missing_locations(tree)))
            from validation import counts

            code = 0 if counts.counts() == counts.committed() and _passes(file) else 1
        except BaseException:  # noqa: BLE001 - what fails is noticed
            code = 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return status == 0


def _passes(file: str) -> bool:
    """Return whether the tests hold that the mutants of a file are held to."""
    import pytest

    overflow = "ignore:overflow:RuntimeWarning"  # of hashes, which compiled loops do not tell
    options = ("-qx", "-n0", "-p", "no:cacheprovider", "-W", overflow)
    return pytest.main([*options, "-k", BRIEF, *TESTS[_room_of(file)]]) == 0


def _room_of(file: str) -> str:
    return next(room for room in TESTS if file.startswith(room))


def files(within: str = "") -> list[str]:
    """Return the sources whose mutants are tried, those whose path begins so."""
    paths = (path.relative_to(ROOT).as_posix() for path in ROOT.glob("instrumented/**/*.py"))
    return [
        path for path in sorted(paths) if path.startswith(tuple(TESTS)) and path.startswith(within)
    ]


def changed_lines(commit: str) -> dict[str, set[int]]:
    """Return the lines of every source that are not as they were at a commit.

    Raises:
        ValueError: git cannot compare with it.
    """
    command = ["git", "diff", "-U0", "--no-color", "--no-ext-diff", commit, "--", "instrumented"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        raise ValueError(f"--since {commit}: {told.stderr.strip().splitlines()[0]}")
    lines: dict[str, set[int]] = {}
    file = ""
    for line in told.stdout.splitlines():
        if line.startswith("+++ "):
            file = line.removeprefix("+++ b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first = int(hunk[1])
            lines.setdefault(file, set()).update(range(first, first + int(hunk[2] or 1)))
    return lines


def main(since: str | None = None, within: str = "") -> int:
    """Try every mutant, or those of lines changed since a commit; return how many to judge.

    Raises:
        ValueError: git does not know the commit, or no source begins with ``within``.
        RuntimeError: counts or tests are not as they should be without any change.
    """
    if not (chosen := files(within)):
        raise ValueError(f"--within {within}: no source in {', '.join(TESTS)} begins so")
    lines = None if since is None else changed_lines(since)
    if "instrumented" in sys.modules:
        raise RuntimeError("mutants need a process that has not loaded the instrument")
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import numba  # noqa: F401 - loaded once, for all children
    import pandas as pd  # noqa: F401
    import pytest  # noqa: F401

    judged = Counter(key for key, _ in survivors())
    totals: Counter[str] = Counter()
    sound: set[str] = set()
    for file in chosen:
        counted: Counter[str] = Counter()
        for mutant, tree in mutants(file):
            if lines is not None and lines.get(file, set()).isdisjoint(mutant.lines):
                continue
            if (room := _room_of(file)) not in sound:
                if not survives(file, ast.parse((ROOT / file).read_text(encoding="utf-8"))):
                    raise RuntimeError(f"without a change, counts or tests of {room} fail already")
                sound.add(room)
            if not survives(file, tree):
                counted["noticed"] += 1
            elif judged[mutant.key] > 0:
                judged[mutant.key] -= 1  # what is written twice stands for two
                counted["judged"] += 1
            else:
                counted["open"] += 1
                print(f"  {mutant}", flush=True)
        if counted:
            print(_summary(file, counted), flush=True)
        totals += counted
    print(_summary("all", totals))
    return totals["open"]


def _summary(name: str, counted: Counter[str]) -> str:
    return (
        f"{name}: {counted.total()} mutants, {counted['noticed']} noticed, "
        f"{counted['judged']} survived and judged, {counted['open']} not judged"
    )


def survivors() -> list[tuple[tuple[str, str, str, str], str]]:
    """Read the survivors that were judged, each with why it changes no count."""
    with JUDGED.open(newline="", encoding="utf-8") as file:
        return [
            ((row["file"], row["function"], row["before"], row["after"]), row["reason"])
            for row in csv.DictReader(file)
        ]
