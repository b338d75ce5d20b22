"""One grid of cuts: where the loops of every nest are cut, so that blocks of all operations nest.

A product is cut at every 16th element of m, n and k (an *atom*: three tiles of 1 KiB of float32),
several loops that are its rows together, so that a tile has 16 rows at most.
Whatever else works on the same matrices follows their cuts; where no product sets any, a block
holds 256 elements. Cuts do not depend on a memory's size: one trace is read at every capacity.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from instrumented.books.events import BufferInfo
from instrumented.lowering.fusion_scopes import NO_SCOPE
from instrumented.lowering.layout import (
    FIXED,
    DigitGrid,
    DigitRun,
    Ints,
    Use,
    View,
    grid_of,
    view_of,
)
from instrumented.lowering.nest import Nest, Operand, Touch

Cuts = tuple[tuple[int, ...], ...]
SPARE = 8  # tiles to which one more is hardly more


class Atom(NamedTuple):
    """Elements of one instruction.

    ``product`` along m, n and k; ``rows`` and ``columns`` of any other block of a matrix, which
    holds at most ``block`` elements where no product cuts it.
    """

    product: int = 16
    rows: int = 16
    columns: int = 16
    block: int = 256


ATOM = Atom()
PACKED_ATOM = Atom(rows=4, columns=1 << 12, block=1 << 12)
"""Blocks of four whole rows: the slices of a packed product's kernel are unions of them."""


class CutNest(NamedTuple):
    """A loop nest of an event, and where its loops are cut: an instruction is one tile of each."""

    event: int
    nest: Nest
    cuts: Cuts


def cut_nests(
    found: Sequence[tuple[int, Nest]],
    buffers: Mapping[int, BufferInfo],
    scope: Ints,
    atom: Atom = ATOM,
) -> list[CutNest]:
    """Cut the loops of every nest: products first, then flat runs through matrices, then the rest.

    What follows takes over the cuts of the largest array that it works on. Like loops of a fusion
    scope, those over a product's result too, are cut alike, so that they can go tile by tile: as
    the first of them that works on an array with cuts, if one does.

    Args:
        found: nests, with the number of their event.
        buffers: the buffers that they touch.
        scope: fusion scope instance of every event, NO_SCOPE for none.
        atom: extents of an instruction.
    """
    nests = {id(nest): nest for _, nest in found}
    cutter = _Cutter(buffers, _grids(nests.values(), buffers), atom)
    order = {number: cutter.turn(nest) for number, nest in nests.items()}
    turns = [order[id(nest)] for _, nest in found]
    cuts: list[Cuts] = [()] * len(found)
    for turn in range(4):
        for k, (event, nest) in enumerate(found):
            if turn == turns[k] == 2 and cutter.waits(nest, int(scope[event])):
                turns[k] = 3
            elif turn == turns[k]:
                cuts[k] = cutter.cut(nest, int(scope[event]))
    return [CutNest(event, nest, cuts[k]) for k, (event, nest) in enumerate(found)]


def use_of(operand: Operand, cuts: Cuts) -> Use:
    """Return the view of an operand with the cuts of the loops that move it."""
    view = view_of(operand.access)
    along = (
        cuts[loop] if loop >= 0 and cuts else (0, extent)
        for loop, extent in zip(operand.axes, view.shape, strict=True)
    )
    return Use(view, tuple(along))


def followed(nest: Nest, cuts: Cuts) -> tuple[tuple[int, ...], Cuts]:
    """Return the loops over a product's result, as it lies, and their cuts.

    A vector's missing loop is among them.
    """
    (result,) = nest.writes
    kept = len(nest.loops) - nest.product[-1]
    if len(result.axes) < kept:
        return nest.loops[:kept], cuts[:kept]
    return result.access.shape, use_of(result, cuts).cuts


def _grids(nests: Iterable[Nest], buffers: Mapping[int, BufferInfo]) -> dict[int, DigitGrid | None]:
    views: dict[int, set[View]] = defaultdict(set)
    for nest in nests:
        for operand in _placed(nest):
            views[operand.access.buffer].add(view_of(operand.access))
    return {
        buffer: grid_of(buffers[buffer].nbytes, frozenset(found)) for buffer, found in views.items()
    }


class _Places:
    """Where a digit is cut, in order."""

    def __init__(self) -> None:
        self._all: set[int] = set()
        self._sorted: list[int] = []

    def add(self, places: Sequence[int]) -> None:
        """Add places, of which some may be known."""
        if not self._all.issuperset(places):
            self._all.update(places)
            self._sorted = sorted(self._all)

    def between(self, start: int, stop: int) -> list[int]:
        """Return the places behind ``start`` and before ``stop``."""
        found = self._sorted
        return found[bisect_right(found, start) : bisect_left(found, stop)]


class _Cutter:
    """Cuts nests and remembers the cuts of every digit of every buffer."""

    def __init__(
        self,
        buffers: Mapping[int, BufferInfo],
        grids: Mapping[int, DigitGrid | None],
        atom: Atom,
    ) -> None:
        self.sizes = {buffer: buffers[buffer].nbytes for buffer in grids}
        self.grids, self.atom = grids, atom
        self.known: dict[tuple[int, int], _Places] = defaultdict(_Places)
        self.whole: dict[tuple[int, int], set[tuple[int, int]]] = defaultdict(set)  # in one band
        self.cuts_of: dict[object, Cuts] = {}
        self.same: dict[int, Cuts] = {}  # by the identity of a nest
        self.located: dict[int, tuple[DigitRun, ...]] = {}  # by the identity of an operand
        self.below: dict[int, Cuts] = {}  # those of a product's result, by the product's
        self.shared: dict[tuple[int, tuple[int, ...]], Cuts] = {}  # by scope and loops

    def turn(self, nest: Nest) -> int:
        """Return when a nest is cut: 0 if it sets cuts, 1 on flat runs through a matrix, else 2."""
        if nest.product or nest.steps:
            return 0
        return 1 if any(map(self._flat_run, (*nest.reads, *nest.writes))) else 2

    def _flat_run(self, operand: Operand) -> DigitGrid | None:
        """Return the grid of a matrix through which an operand is a flat run, or None."""
        grid = self.grids.get(operand.access.buffer)
        if grid is None or self._located(operand) or not grid.is_flat_run(view_of(operand.access)):
            return None
        return grid

    def waits(self, nest: Nest, scope: int) -> bool:
        """Whether a nest finds no cuts, where a like one of its fusion scope still may."""
        if scope == NO_SCOPE or (scope, nest.loops) in self.shared:
            return False
        operands = _placed(nest)
        return all(self._inherited(operands, loop) is None for loop in range(len(nest.loops)))

    def cut(self, nest: Nest, scope: int) -> Cuts:
        """Cut one nest of a fusion scope, or of none."""
        if scope == NO_SCOPE or nest.steps:
            return self._cut(nest)
        if nest.product:
            cuts = self._cut(nest)
            shape, below = followed(nest, cuts)
            below = self.below.setdefault(id(cuts), below)
            self.shared.setdefault((scope, shape), below)
            return cuts
        key = (scope, nest.loops)
        if key not in self.shared:
            self.shared[key] = self._cut(nest)
        return self.shared[key]

    def _cut(self, nest: Nest) -> Cuts:
        """Cut one nest; like nests on the same views are cut once."""
        if id(nest) in self.same:
            return self.same[id(nest)]
        operands = _placed(nest)
        key = (nest.loops, nest.product, nest.steps, tuple((o.access, o.axes) for o in operands))
        if key not in self.cuts_of:
            cuts = tuple(
                self._along(nest, operands, loop, extent) for loop, extent in enumerate(nest.loops)
            )
            self._remember(operands, cuts, turn=self.turn(nest))
            self.cuts_of[key] = cuts
        self.same[id(nest)] = self.cuts_of[key]
        return self.cuts_of[key]

    def _along(
        self, nest: Nest, operands: Sequence[Operand], loop: int, extent: int
    ) -> tuple[int, ...]:
        if nest.steps:
            return _every(nest.steps[loop], extent)
        if nest.product:
            return _every(_product_steps(nest, self.atom.product)[loop], extent)
        inherited = self._inherited(operands, loop) if self.turn(nest) == 2 else None
        if inherited is not None:
            return (0, *sorted(inherited), extent)
        quantum, first, step = self._own(nest, operands, loop)
        step = max(quantum, step // quantum * quantum)
        return (0, *range(first or step, extent, step), extent)

    def _inherited(self, operands: Sequence[Operand], loop: int) -> set[int] | None:
        """Return the cuts along a loop that the largest buffer cut there has; None: none is.

        A flat run inside one band of a matrix has been cut, and has no cuts.
        """
        found: set[int] | None = None
        largest = 0
        for buffer, digit, run in self._runs(operands, loop):
            size = self.sizes[buffer]
            known = self.known[buffer, digit].between(run.start, run.stop)
            uncut = (run.start, run.stop) in self.whole.get((buffer, digit), ())
            if (known or uncut) and size > largest:
                largest = size
                ahead = (run.stop - p if run.reverse else p - run.start for p in known)
                found = {steps * run.quantum for steps in ahead}
        return found

    def _own(self, nest: Nest, operands: Sequence[Operand], loop: int) -> tuple[int, int, int]:
        """Return quantum, first cut and step of a loop that no product cuts.

        Cuts lie at multiples of the step from the start of the buffer, so that slices of one
        array share them. A flat run through a matrix is cut where every so many rows begin.
        """
        for operand in operands:
            grid = self._flat_run(operand) if loop in operand.axes else None
            if grid is not None:
                band = grid.extents[1] * self.atom.rows
                return band, -(operand.access.offset // operand.access.itemsize) % band, band
        step = _default_steps(nest.loops, self.atom)[loop]
        quantum, first = 1, 0
        for _, _, run in self._runs(operands, loop):
            if run.quantum > 1:  # whole rows of a matrix seen as a vector
                step = max(step, self.atom.rows * run.quantum)
            digits = step // run.quantum
            if run.quantum >= quantum:
                quantum = run.quantum
                first = (0 if run.reverse else -run.start % digits) * quantum
        return quantum, first, step

    def _runs(self, operands: Sequence[Operand], loop: int) -> Iterator[tuple[int, int, DigitRun]]:
        """Yield buffer, digit and run of every operand that the loop moves along a digit."""
        for operand in operands:
            for digit, run in enumerate(self._located(operand)):
                if run.axis != FIXED and operand.axes[run.axis] == loop:
                    yield operand.access.buffer, digit, run

    def _located(self, operand: Operand) -> tuple[DigitRun, ...]:
        """Return the rectangle of an operand; () if it is none."""
        if id(operand) not in self.located:
            grid = self.grids.get(operand.access.buffer)
            found = grid.locate(view_of(operand.access)) if grid is not None else None
            self.located[id(operand)] = found or ()
        return self.located[id(operand)]

    def _remember(self, operands: Sequence[Operand], cuts: Cuts, *, turn: int) -> None:
        """Note the cuts of a nest; unless it sets them, only where a buffer has none so far."""
        for operand in operands:
            for digit, run in enumerate(self._located(operand)):
                loop = operand.axes[run.axis] if run.axis != FIXED else -1
                known = self.known[operand.access.buffer, digit]
                if loop < 0 or (turn and known.between(run.start, run.stop)):
                    continue
                if turn == 1 and len(cuts[loop]) == 2:
                    self.whole[operand.access.buffer, digit].add((run.start, run.stop))
                steps = [cut // run.quantum for cut in cuts[loop][1:-1]]
                known.add([run.stop - n if run.reverse else run.start + n for n in steps])


def _placed(nest: Nest) -> list[Operand]:
    """Operands of a nest, but for random rows of a data set."""
    return [one for one in (*nest.reads, *nest.writes) if one.touch is not Touch.BOTTOM]


def _every(step: int, extent: int) -> tuple[int, ...]:
    return (0, *range(step, extent, step), extent)


def _product_steps(nest: Nest, most: int) -> list[int]:
    """Return the extents of a product's tiles: ``most`` rows, columns and deep at most."""
    first = len(nest.loops) - sum(nest.product)
    steps = [1] * first
    for count in nest.product:
        steps += _together(nest.loops[first : first + count], most)
        first += count
    return steps


@functools.cache
def _together(loops: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return the extents of tiles of ``most`` elements at most, of loops that run as one.

    Of those with hardly more tiles than one long loop has, the longest along the last loop, which
    others cut by 16, too; else those with the fewest tiles.
    """
    *others, last = loops
    if not others:
        return (most,)
    found = [
        (*_together(tuple(others), most // step), step) for step in range(min(last, most), 0, -1)
    ]
    tiles = [math.prod(map(_parts, loops, steps)) for steps in found]
    enough = max(min(tiles), _parts(math.prod(loops), most) * (SPARE + 1) // SPARE)
    return next(steps for steps, count in zip(found, tiles, strict=True) if count <= enough)


def _parts(extent: int, step: int) -> int:
    return -(-extent // step)


def _default_steps(loops: Sequence[int], atom: Atom) -> list[int]:
    """Return block extents: some columns of some rows, together at most ``atom.block`` elements."""
    steps = [1] * len(loops)
    left = atom.block
    limit = atom.columns if any(extent > 1 for extent in loops[:-1]) else left
    for loop in reversed(range(len(loops))):
        fits = min(left, limit)
        steps[loop] = loops[loop] if loops[loop] <= fits else 1 << (fits.bit_length() - 1)
        left = max(1, left // steps[loop])
        limit = left
    return steps
