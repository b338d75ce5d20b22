"""A managed memory: what the same accesses move at the least, between two estimates.

Whoever manages the memory knows every access to come. At the moment of an access its block is on
the chip; the micro-tiles of a product are there together, elementwise work takes its blocks one
after the other. Between two accesses a block is kept, or it is brought back; a written value that
was not kept up to the last of its reads, or lives on, has gone out once.

*Upper*: a schedule that exists. Keeps are taken in the order of their ends, whole, as far as they
fit: Belady's choice, since whoever is left out is used again later than all that are kept. One
whose bytes save a write-back too counts as if it ended the sooner. What a small memory keeps, a
larger one keeps too, so the result is a distance for every access: the least capacity at which it
hits.

*Lower*: what no schedule goes below. The bytes of blocks may be kept one by one; then the same
order is optimal for reads alone, and for write-backs alone (a value kept from its birth to its last
read), and any schedule pays at least the one least and the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined, int64
from instrumented.distances.packing import kept_at
from instrumented.distances.stack import COLD, NEVER
from instrumented.distances.sums import READ, WRITTEN, Cells, Sums, add
from instrumented.lowering.generate import Chunk
from instrumented.lowering.stream import Accesses

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]

PRICE = 1
NOBODY = -1
MOMENT, SEEN, BORN, PLACE, MOVED, VALUE, WIDTH = range(7)
"""Per block: the moment of its last access (0: the record's beginning), the instruction of that;
of its value the moment when it was written (NOBODY: before the record, or it is dead), by whom
(NOBODY: not in the step in question), how many bytes, and its row of ``Record.values`` (NOBODY:
none yet)."""
MOMENTS, KEEPS, VALUES, OPEN = range(4)
"""Counts: moments so far, keeps, values, and values whose last read is not known yet."""
START, END, BLOCK, READER, BYTES, WHOSE = range(6)
"""Columns of a keep: the two accesses, the block, the place of the second (NOBODY: not in the step
in question) and its bytes, and the value."""
WRITER, SIZE, FIRST, LAST, DEAD = range(5)
"""Columns of a value: place and bytes of its write, the moments of that and of its last read, and
whether it is dead after that."""


class Record(NamedTuple):
    """Per block ``kept``; per moment ``held`` bytes; ``keeps`` `(6, n)`, ``values`` `(5, n)`."""

    kept: Ints
    held: Ints
    keeps: Words
    values: Words
    counts: Ints


class Blocks(NamedTuple):
    """Per block ``sizes``, per operand ``places`` and ``product``; ``rows`` as in ``State``.

    ``near`` is the least capacity of all; ``bottom`` one that holds all blocks and data sets.
    """

    sizes: Ints
    places: Ints
    product: Flags
    rows: int
    near: int
    bottom: int


@inlined
def die(block: int, record: Record, near: int, cells: Cells) -> None:
    """The value of a block is not needed any more."""
    kept, _, _, values, counts = record
    if kept[block, BORN] == NOBODY:
        return
    kept[block, BORN] = NOBODY
    value = kept[block, VALUE]
    if value != NOBODY:
        values[LAST, value] = kept[block, MOMENT]
        values[DEAD, value] = 1
    elif kept[block, PLACE] != NOBODY:
        add(cells, kept[block, PLACE], near, WRITTEN, kept[block, MOVED])
    counts[OPEN] -= kept[block, PLACE] != NOBODY


@inlined
def note_read(
    block: int, moment: int, place: int, moved: int, record: Record, near: int, cells: Cells
) -> None:
    """Note that a block is read again, and what keeping it until now would have taken."""
    kept, _, keeps, values, counts = record
    since = kept[block, MOMENT]
    if since == NOBODY or since + 1 >= moment:
        if place != NOBODY and moved:
            add(cells, place, COLD if since == NOBODY else near, READ, moved)
        return
    value = kept[block, VALUE]
    if value == NOBODY and kept[block, BORN] != NOBODY:
        value = counts[VALUES]
        counts[VALUES] += 1
        kept[block, VALUE] = value
        values[WRITER, value] = kept[block, PLACE]
        values[SIZE, value] = kept[block, MOVED]
        values[FIRST, value] = kept[block, BORN]
        values[DEAD, value] = 0
    one = counts[KEEPS]
    counts[KEEPS] += 1
    keeps[START, one] = since
    keeps[END, one] = moment
    keeps[BLOCK, one] = block
    keeps[READER, one] = place
    keeps[BYTES, one] = moved
    keeps[WHOSE, one] = value


@compiled
def note(
    chunk: Chunk,
    marked: Bits,
    pricing: bool,
    blocks: Blocks,
    record: Record,
    cells: Cells,
) -> None:
    """Note whole instructions."""
    block, operand, nbytes, write, instruction = chunk
    sizes, places, product, rows, near, bottom = blocks
    kept, held, _, _, counts = record
    before, moment = NOBODY, NOBODY
    for i in range(block.size):
        b, moved, number = block[i], nbytes[i], instruction[i]
        place = places[operand[i]] if pricing else NOBODY
        if b < 0 or b >= rows:  # rows gathered at random: who knows which
            if pricing and moved:
                add(cells, place, bottom, READ, moved)
            continue
        if number != before or not product[operand[i]]:
            moment = counts[MOMENTS]
            counts[MOMENTS] += 1
            held[moment] = 0
            before = number
        here = kept[b, SEEN] == number
        if not here or not product[operand[i]]:
            held[moment] += sizes[b]
        if not write[i]:
            if not here:
                note_read(b, moment, place, moved, record, near, cells)
            elif pricing and moved:  # an operand that appears twice is fetched once
                add(cells, place, near, READ, moved)
            kept[b, MOMENT] = moment
            if marked[i]:
                die(b, record, near, cells)
        else:
            die(b, record, near, cells)
            kept[b, MOMENT] = moment
            kept[b, VALUE] = NOBODY
            if marked[i]:
                kept[b, BORN] = moment
                kept[b, PLACE] = place if moved else NOBODY
                kept[b, MOVED] = moved
                counts[OPEN] += kept[b, PLACE] != NOBODY
            elif pricing and moved:
                add(cells, place, NEVER, WRITTEN, moved)
        kept[b, SEEN] = number


@compiled
def close(kept: Flags, near: int, record: Record, cells: Cells) -> None:
    """Settle the values that were not overwritten: those of ``kept`` blocks live on."""
    for b in range(kept.size):
        if not kept[b]:
            die(b, record, near, cells)
            continue
        place = record.kept[b, PLACE] if record.kept[b, VALUE] == NOBODY else NOBODY
        if record.kept[b, BORN] != NOBODY and place != NOBODY:
            add(cells, place, COLD, WRITTEN, record.kept[b, MOVED])


@compiled
def book(
    keeps: Words, values: Words, level: Words, capacities: Ints, far: Ints, cells: Cells
) -> None:
    """Book every read at the least capacity at which it hits, and every value at its farthest.

    ``far`` begins with zeros.
    """
    for i in range(level.size):
        distance = capacities[level[i]] if level[i] < capacities.size else COLD
        if keeps[READER, i] != NOBODY and keeps[BYTES, i]:
            add(cells, int64(keeps[READER, i]), distance, READ, keeps[BYTES, i])
        value = keeps[WHOSE, i]
        if value != NOBODY and far[value] != COLD:
            far[value] = COLD if distance == COLD else max(far[value], distance)
    for value in range(far.size):
        if values[WRITER, value] != NOBODY:
            distance = far[value] if values[DEAD, value] else COLD
            add(cells, int64(values[WRITER, value]), distance, WRITTEN, values[SIZE, value])


class Estimates(NamedTuple):
    """What a managed memory moves: ``upper`` sums, by place and capacity at which accesses hit.

    ``lower`` has a row per capacity, `(n, 3)`: the capacity, bytes read and bytes written.
    """

    upper: Sums
    lower: Ints


class Managed:
    """The managed memory, through which parts of a stream run in order.

    Args:
        sizes: bytes of every block.
        places: the place of every operand, under which its bytes are summed up.
        product: whether an operand is one of a product.
        capacities: sizes of memory, in bytes, at which it is managed.
        rows: the first of the blocks that hold rows gathered from a data set.
        data_bytes: bytes of the data sets that are gathered from.
        empty: it holds nothing before the record begins; else it may hold anything.
    """

    def __init__(
        self,
        sizes: Ints,
        places: Ints,
        product: Flags,
        capacities: Iterable[int],
        *,
        rows: int,
        data_bytes: int,
        empty: bool,
    ) -> None:
        self.capacities = np.array(sorted(set(capacities)), np.int64)
        near, bottom = int(self.capacities[0]), int(sizes.sum()) + data_bytes
        self.blocks = Blocks(sizes, places, product, rows, near, bottom)
        self.sums = Sums()
        self.record = Record(
            np.full((sizes.size, WIDTH), NOBODY, np.int64),
            np.zeros(1 << 12, np.int64),
            np.zeros((6, 1 << 12), np.int32),
            np.zeros((5, 1 << 12), np.int32),
            np.array([1, 0, 0, 0]),  # moments, the record's beginning among them
        )
        if not empty:
            self.record.kept[:, MOMENT] = 0

    def run(self, part: Accesses, phase: int) -> None:
        """Let accesses pass, whole instructions; phases as those of a ``Memory``."""
        chunk, marked = part.chunk, part.marked
        more = chunk.block.size
        moments, keeps, values, _ = self.record.counts.tolist()
        self.record = self.record._replace(
            held=_with_room(self.record.held, moments + more),
            keeps=_with_room(self.record.keeps, keeps + more),
            values=_with_room(self.record.values, values + more),
        )
        self.sums.make_room(2 * more)
        note(chunk, marked, phase == PRICE, self.blocks, self.record, self.sums.cells)

    def settled(self, group: int, last: Ints) -> bool:
        """Whether it is known of all writes of the step when they are read last."""
        return int(self.record.counts[OPEN]) == 0

    def finish(self, kept: Flags) -> Estimates:
        """Keep what fits, at every capacity; ``kept`` blocks live on."""
        places = int(self.blocks.places.max(initial=0)) + 1
        self.sums.make_room(2 * places * (self.capacities.size + 1))
        close(kept, self.blocks.near, self.record, self.sums.cells)
        moments, count, born, _ = self.record.counts.tolist()
        held = self.record.held[:moments]
        keeps, values = self.record.keeps[:, :count], self.record.values[:, :born]
        lower = self._lower(held, keeps, values)
        level, far = self._upper(held, keeps, values), np.zeros(born, np.int64)
        book(keeps, values, level, self.capacities, far, self.sums.cells)
        _, distance, booked = self.sums.rows()
        for row in lower:  # of one step's share the lower estimate may be the larger by a little
            beyond = booked[(distance == COLD) | (distance > row[0])].sum(axis=0)
            row[1:] = np.minimum(row[1:], beyond[[READ - 1, WRITTEN - 1]])
        return Estimates(self.sums, lower)

    def _upper(self, held: Ints, keeps: Words, values: Words) -> Words:
        """Return the number of the least capacity at which each keep fits, whole."""
        left = self.blocks.sizes[keeps[BLOCK]].astype(np.int32)
        level = np.zeros(left.size, np.int32)
        turn = np.argsort(_turns(keeps, values, left), kind="stable")
        for k, waiting in enumerate(
            kept_at(self.capacities, held, keeps[:2], left, turn, whole=True)
        ):
            level[waiting] = k + 1
        return level

    def _lower(self, held: Ints, keeps: Words, values: Words) -> Ints:
        """Return capacity, bytes read and bytes written at the least, a row per capacity."""
        size = self.blocks.sizes[keeps[BLOCK]].astype(np.int32)
        part = np.minimum(size, keeps[BYTES])
        dead = np.flatnonzero(values[DEAD])
        order = dead[np.argsort(values[LAST, dead], kind="stable")]
        alive = values[FIRST : LAST + 1, order]
        moved = values[SIZE, order]
        _, distance, booked = self.sums.rows()
        lives_on = (values[WRITER] != NOBODY) & (values[DEAD] == 0)
        found = np.zeros((self.capacities.size, 3), np.int64)
        found[:, 0] = self.capacities
        by_whom, always = values[WRITER, order] != NOBODY, values[SIZE, lives_on].sum()
        nothing = np.zeros_like(held)  # a value that is kept is in use now and then itself
        for column, used, times, left, priced, fixed in (
            (READ, held, keeps[:2], part, keeps[READER] != NOBODY, 0),
            (WRITTEN, nothing, alive, moved, by_whom, always),
        ):
            at = 1 + (column == WRITTEN)
            turn = np.flatnonzero(left)
            parts = kept_at(self.capacities, used, times, left, turn, whole=False)
            for k, _ in enumerate(parts):
                far = (distance == COLD) | (distance > self.capacities[k])
                surely = fixed + booked[far, column - READ].sum()
                found[k, at] = surely + left[priced].sum(dtype=np.int64)
        return found


def _turns(keeps: Words, values: Words, size: Words) -> npt.NDArray[np.float64]:
    """Return when each keep would end if it were shorter by as much as its bytes save more.

    A byte kept saves its read, and its share of the write-back of a value that dies.
    """
    whose = keeps[WHOSE]
    count = np.bincount(whose[whose != NOBODY], minlength=values.shape[1])
    written = np.where(values[DEAD] == 1, values[SIZE] / count, 0.0)
    saved = keeps[BYTES] + np.where(whose == NOBODY, 0.0, np.append(written, 0.0)[whose])
    length = (keeps[END] - keeps[START]) * size.astype(np.float64)
    turns: npt.NDArray[np.float64] = keeps[START] + length / np.maximum(saved, 0.5)
    return turns


def _with_room(array: npt.NDArray[Any], needed: int) -> npt.NDArray[Any]:
    """Return an array whose last axis has the room that is needed."""
    if needed <= array.shape[-1]:
        return array
    larger = np.zeros((*array.shape[:-1], 1 << needed.bit_length()), array.dtype)
    larger[..., : array.shape[-1]] = array
    return larger
