"""Arithmetic of ``numpy.einsum``: one loop over every index, products and sums inside."""

from __future__ import annotations

import math
from collections.abc import Iterable

from instrumented.books.counters import Work


def einsum_work(subscripts: str, shapes: list[tuple[int, ...]]) -> Work:
    """Return the arithmetic of an unoptimised einsum.

    The loop runs over all indices, p points in all, and writes q elements. Each point takes
    (operands - 1) multiplications. If any index is summed over, products are added up: one
    addition per point when there are several operands (a multiply-add, as in matmul: 2·m·k·n
    for ``ij,jk->ik``), p - q additions for a single operand (a plain sum).
    """
    inputs, output = labels_of(subscripts, [len(shape) for shape in shapes])
    extent = _extents(inputs, shapes)
    return _loop_work(extent, output, extent, len(shapes))


def _extents(inputs: list[list[str]], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    extent: dict[str, int] = {}
    for labels, shape in zip(inputs, shapes, strict=True):
        for label, length in zip(labels, shape, strict=True):
            extent[label] = max(extent.get(label, 1), length) if length else 0
    return extent


def labels_of(subscripts: str, ndims: list[int]) -> tuple[list[list[str]], list[str]]:
    """Split ``"ij,...j->i..."`` into labels per operand and labels of the result."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    named = [len(term.replace("...", "")) for term in terms]
    hidden = max(
        (n - k for term, n, k in zip(terms, ndims, named, strict=True) if "..." in term), default=0
    )
    inputs = [_labels(term, n - k) for term, n, k in zip(terms, ndims, named, strict=True)]
    if arrow:
        return inputs, _labels(right, hidden)
    letters = left.replace(",", "").replace("...", "")
    implicit = sorted(letter for letter in set(letters) if letters.count(letter) == 1)
    return inputs, _ellipsis(hidden) + implicit


def _labels(term: str, hidden: int) -> list[str]:
    before, dots, after = term.partition("...")
    return [*before, *(_ellipsis(hidden) if dots else []), *after]


def _ellipsis(axes: int) -> list[str]:
    """Name the axes under ``...`` from the last one, so that they align by broadcasting."""
    return [f"...{axes - k}" for k in range(axes)]


def einsum_work_in_pairs(
    subscripts: str, shapes: list[tuple[int, ...]], path: list[tuple[int, ...]]
) -> Work:
    """Return the arithmetic of an einsum contracted in the order of ``numpy.einsum_path``.

    Each entry of ``path`` takes operands out of the list and appends what it makes of them,
    which keeps the indices that a later operand or the result needs.
    """
    inputs, output = labels_of(subscripts, [len(shape) for shape in shapes])
    extent = _extents(inputs, shapes)
    work = Work()
    left = list(inputs)
    for taken in path:
        terms = [left[k] for k in taken]
        left = [labels for k, labels in enumerate(left) if k not in taken]
        needed = set(output).union(*left)
        loops = dict.fromkeys(label for labels in terms for label in labels)
        kept = [label for label in loops if label in needed] if left else list(output)
        work += _loop_work(loops, kept, extent, len(terms))
        left.append(kept)
    return work


def _loop_work(loops: Iterable[str], kept: list[str], extent: dict[str, int], terms: int) -> Work:
    points = math.prod(extent[label] for label in loops)
    results = math.prod(extent[label] for label in kept)
    multiply = points * (terms - 1)
    if set(kept) == set(loops):
        return Work(multiply=multiply)
    if terms == 1:
        return Work(add=max(0, points - results))
    return Work(add=points, multiply=multiply)
