"""Small changes to the source of the instrument: is every one that changes a count noticed?

Each mutant differs from the source in one place: an operator, a comparison, a whole number, a
condition. It is noticed if the counts of :mod:`validation.counts` change, or if a count worked by
hand (``tests/instrumented/rules``) is another. Mutants run in processes of their own, compiled
loops as plain Python.

Takes about a second of processor time a mutant, and eight more if no count changes.
"""

from __future__ import annotations

import ast
import copy
import csv
import os
import resource
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = Path(__file__).parent / "mutation.csv"
LIMIT = 120
"""Seconds of processor time that a mutant may take."""

HAND_WORKED = (
    "tests/instrumented/rules", "--ignore-glob=*random_programs*", "--ignore-glob=*completeness*"
)  # fmt: skip
"""Arguments of pytest: rules and books are held to the counts worked by hand, too."""
TARGETS = (
    "instrumented/books/ledger.py",
    "instrumented/books/operand.py",
    "instrumented/books/counters.py",
    *sorted(
        path.relative_to(ROOT).as_posix()
        for room in ("rules", "lowering")
        for path in (ROOT / "instrumented" / room).glob("*.py")
    ),
    "instrumented/distances/stack.py",
    "instrumented/distances/stack_kernels.py",
    "instrumented/distances/bytedmd.py",
)
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
    """One change: file, line, what was changed into what, and what became of it."""

    file: str
    line: int
    before: str
    after: str
    fate: str


def mutants(file: str) -> Iterator[tuple[Mutant, ast.Module]]:
    """Yield every mutant of a source file with its tree, which the next one changes again."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for node in [node for node in ast.walk(tree) if _changeable(node)]:
        before = copy.copy(node)
        changed = Mutant(file, getattr(node, "lineno", 0), ast.unparse(node), "", "")
        _change(node)
        yield replace(changed, after=ast.unparse(node)), tree
        node.__dict__.update(before.__dict__)


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


def fate(mutant: Mutant, tree: ast.Module) -> str:
    """Run the counts under a mutant in a child; return ``noticed`` or ``survived``."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
            resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
            sys.meta_path.insert(0, _Finder(mutant.file, ast.fix_missing_locations(tree)))
            from validation import counts

            code = 0 if counts.counts() == counts.committed() and _passes(mutant.file) else 1
        except BaseException:  # noqa: BLE001 - what fails is noticed
            code = 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return "survived" if status == 0 else "noticed"


def _passes(file: str) -> bool:
    """Return whether the counts worked by hand hold; other rooms have none."""
    if Path(file).parent.name not in ("rules", "books"):
        return True
    import pytest

    return pytest.main(["-qx", "-n0", "-p", "no:cacheprovider", *HAND_WORKED]) == 0


def main(every: int = 1, files: Sequence[str] = TARGETS) -> int:
    """Try every mutant (or one in ``every``); write survivors; return how many are unexplained."""
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    import numba  # noqa: F401 - loaded once, for all children
    import pandas as pd  # noqa: F401

    if "instrumented" in sys.modules:
        raise RuntimeError("mutants need a process that has not loaded the instrument")
    reasons = {row.key: row.reason for row in explained()}
    found: list[Mutant] = []
    for file in files:
        for number, (mutant, tree) in enumerate(mutants(file)):
            if number % every == 0:
                found.append(replace(mutant, fate=fate(mutant, tree)))
    survivors = [mutant for mutant in found if mutant.fate == "survived"]
    print(f"{len(found)} mutants, {len(found) - len(survivors)} noticed, {len(survivors)} survived")
    open_ones = [mutant for mutant in survivors if _key(mutant) not in reasons]
    for mutant in open_ones:
        print(f"  {mutant.file}:{mutant.line}: {mutant.before} -> {mutant.after}")
    with (FIGURES.parent / "survivors.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "line", "before", "after", "reason"])
        for mutant in survivors:
            writer.writerow([*astuple(mutant)[:-1], reasons.get(_key(mutant), "")])
    _write_totals(found)
    return len(open_ones)


@dataclass(frozen=True)
class Explained:
    """A survivor that was looked at: which, and why it changes no count."""

    key: tuple[str, str, str]
    reason: str


def explained() -> list[Explained]:
    """Read the survivors that were looked at, from the committed list."""
    path = FIGURES.parent / "survivors.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        Explained((row["file"], row["before"], row["after"]), row["reason"])
        for row in rows
        if row["reason"]
    ]


def _key(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.file, mutant.before, mutant.after


def _write_totals(found: list[Mutant]) -> None:
    """Write mutants and those noticed per file."""
    with FIGURES.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["file", "mutants", "noticed"])
        for file in dict.fromkeys(mutant.file for mutant in found):
            here = [mutant for mutant in found if mutant.file == file]
            noticed = sum(mutant.fate == "noticed" for mutant in here)
            writer.writerow([file, len(here), noticed])
