"""Reads the text of a program that XLA compiled: the arrays that its kernels hand to each other.

Every instruction of the entry is one kernel. It reads its operands and writes its results; what
lies between the program's operands and its results is handed from kernel to kernel.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

ITEM = {
    "pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s32": 4, "u32": 4,
    "f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16,
}  # fmt: skip
"""Bytes of an element of each of XLA's types."""

_ARRAY = re.compile(r"\b(pred|bf16|[sufc]\d+)\[([\d,]*)\]")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.-]+) \(.*\) -> .* \{$")
_LINE = re.compile(r"^ {2}(ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\((.*)$")
_NAME = re.compile(r"%([\w.-]+)")
_CALLED = re.compile(r"(?:to_apply|body|condition|calls)=%([\w.-]+)")
SHOWN = frozenset({"parameter", "constant", "get-tuple-element", "bitcast", "after-all"})
"""Instructions that move nothing."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name, its kind, bytes of its result, names of its operands."""

    name: str
    kind: str
    size: int
    arrays: int
    operands: tuple[str, ...]
    called: tuple[str, ...]
    is_root: bool
    is_tuple: bool


@dataclass(frozen=True)
class Program:
    """What the kernels of a program read and write, its calls of libraries, its loops."""

    moved: int
    libraries: int
    loops: int
    table_of_results: int


def bytes_of(shape: str) -> int:
    """Return the bytes of the arrays in a type as XLA writes it: ``f32[30,20]``."""
    return sum(
        ITEM[kind] * math.prod(int(n) for n in extents.split(",") if n)
        for kind, extents in _ARRAY.findall(shape)
    )


def computations(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """Return the instructions of every computation, and the name of the entry."""
    found: dict[str, list[Instruction]] = {}
    entry = current = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            current = head[2]
            found[current] = []
            entry = current if head[1] else entry
        elif current and (part := _LINE.match(line)):
            root, name, shape, kind, rest = part.groups()
            inside = rest.partition(")")[0]
            found[current].append(
                Instruction(
                    name,
                    kind,
                    bytes_of(shape),
                    len(_ARRAY.findall(shape)),
                    tuple(_NAME.findall(inside)),
                    tuple(_CALLED.findall(rest)),
                    root is not None,
                    shape.startswith("("),
                )
            )
    return found, entry


def read(text: str) -> Program:
    """Return what a compiled program's kernels move, its calls of libraries and its loops."""
    found, entry = computations(text)

    def walked(name: str) -> Program:
        sizes = {one.name: one.size for one in found[name]}
        moved = libraries = loops = 0
        for one in found[name]:
            if one.kind == "custom-call":
                libraries += 1
            elif one.kind in ("while", "call", "conditional"):
                parts = [walked(called) for called in one.called]
                moved += sum(part.moved for part in parts)
                libraries += sum(part.libraries for part in parts)
                loops += (one.kind == "while") + sum(part.loops for part in parts)
            elif one.kind == "fusion":
                moved += _fused(found[one.called[0]], one, sizes)
            elif one.kind not in SHOWN:
                moved += _moved(one, sizes)
        root = next(one for one in found[name] if one.is_root)
        table = 8 * root.arrays if root.is_tuple else 0
        return Program(moved, libraries, loops, table)

    return walked(entry)


def _moved(one: Instruction, sizes: dict[str, int]) -> int:
    """Bytes that an instruction outside of fused kernels reads and writes."""
    operands = [sizes[operand] for operand in one.operands]
    if one.kind == "tuple":
        return 8 * one.arrays
    if one.kind == "slice":
        return 2 * one.size
    if one.kind == "dynamic-slice":
        return 2 * one.size + operands[1]
    if one.kind == "dynamic-update-slice":
        return 2 * operands[1] + operands[2]
    if one.kind == "gather":
        return 2 * one.size + operands[1]
    return one.size + sum(operands)


def _fused(inside: list[Instruction], fusion: Instruction, outside: dict[str, int]) -> int:
    """Bytes of a fused kernel: its results, and of each operand what is read of it."""
    sizes = {one.name: one.size for one in inside}
    kinds = {one.name: one for one in inside}
    (root,) = [one for one in inside if one.is_root]
    results = [kinds[name] for name in root.operands] if root.kind == "tuple" else [root]
    moved = sum(
        sizes[one.operands[1]] if one.kind == "dynamic-update-slice" else one.size
        for one in results
    )
    for parameter in (one for one in inside if one.kind == "parameter"):
        streamed = False
        for user in inside:
            if parameter.name not in user.operands:
                continue
            first = user.operands[0] == parameter.name
            if user.kind == "slice" or (user.kind == "dynamic-slice" and first):
                moved += user.size
            elif user.kind in ("broadcast", "reshape"):
                moved += parameter.size
            elif not (streamed or (user.kind == "dynamic-update-slice" and first)):
                streamed = True
                moved += parameter.size
    return moved
