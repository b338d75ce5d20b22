"""The generator: compiled code that unrolls a table of loop nests into chunks of accesses.

Nests of a group run side by side, each instruction at its place in its operation, from 0 to 1. A
product runs through its micro-tiles in the order of ``walk.py``; whatever follows its tiles (a
fused epilogue) comes right after the last visit of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined, int64
from instrumented.lowering.layout import Ints
from instrumented.lowering.table import CHUNK, Blocks, Mode, NestColumn, NestTable, SlotColumn
from instrumented.lowering.walk import WALKER, advance, begin

Places = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
RADIX, OUTER, M, N, K = (
    int(c) for c in (NestColumn.RADIX, NestColumn.OUTER, NestColumn.M, NestColumn.N, NestColumn.K)
)
COUNT, FIRST, END = int(NestColumn.COUNT), int(NestColumn.FIRST), int(NestColumn.END)
PRODUCT, FOLLOWS, WALKS = (
    int(c) for c in (NestColumn.PRODUCT, NestColumn.FOLLOWS, NestColumn.WALKER)
)
PTR, BLOCKS, MOVED, BASE, OPERAND, MODE, WEIGHTS, VISITS, TOTAL = (int(c) for c in SlotColumn)
READ, WRITE, SOME, BOTTOM = (int(mode) for mode in Mode)
BOTTOM_BLOCK = -1
GROUP, OPEN, INSTRUCTION = range(3)
"""State of the generator: group, whether it has begun, next instruction."""


class Chunk(NamedTuple):
    """Accesses in program order, reads of an instruction before its writes.

    ``block`` (BOTTOM_BLOCK: random rows of a data set), ``operand`` (a row of NestTable.operands),
    ``nbytes`` moved, ``write``, and the number of the ``instruction``.
    """

    block: Blocks
    operand: Blocks
    nbytes: Blocks
    write: npt.NDArray[np.uint8]
    instruction: Ints

    def start(self, count: int) -> Chunk:
        """Return the first accesses, in the same memory."""
        return Chunk(
            self.block[:count],
            self.operand[:count],
            self.nbytes[:count],
            self.write[:count],
            self.instruction[:count],
        )


class Nests(NamedTuple):
    """The arrays of a table that the generator reads."""

    group_start: Ints
    nests: Ints
    places: Places
    slots: Ints
    radix: Ints
    weights: Ints
    tile_ptr: Ints
    tile_blocks: Blocks
    tile_moved: Blocks


def nests_of(table: NestTable) -> Nests:
    """Return what compiled code reads of a table."""
    return Nests(*(getattr(table, name) for name in Nests._fields))


@inlined
def tile_of(nests: Nests, nest: int, slot: int, outer: int, at: Ints) -> int:
    """Return the number of a slot's tile at a position of the outer loops and a micro-tile."""
    loops = nests.nests[nest, OUTER]
    weight = nests.slots[slot, WEIGHTS]
    rows = weight + loops
    columns = rows + nests.nests[nest, M]
    depth = columns + nests.nests[nest, N]
    tile: int = nests.weights[rows + at[0]] + nests.weights[columns + at[1]]
    tile += nests.weights[depth + at[2]]
    for loop in range(loops - 1, -1, -1):
        step = nests.radix[nests.nests[nest, RADIX] + loop]
        tile += outer % step * nests.weights[weight + loop]
        outer //= step
    return tile


@inlined
def put_tile(
    nests: Nests, chunk: Chunk, n: int, slot: int, tile: int, write: int, whole: bool, number: int
) -> int:
    """Append the accesses of an instruction to a tile of a slot; return the accesses so far.

    They move the bytes of the tile, or none where it is not ``whole``.
    """
    slots, (blocks, operands, nbytes, writes, instructions) = nests.slots, chunk
    base, operand = slots[slot, BASE], slots[slot, OPERAND]
    start, first, shift = slots[slot, PTR] + tile, slots[slot, BLOCKS], slots[slot, MOVED]
    for entry in range(nests.tile_ptr[start], nests.tile_ptr[start + 1]):
        blocks[n] = nests.tile_blocks[first + entry] + base
        operands[n] = operand
        nbytes[n] = nests.tile_moved[shift + entry] if whole else 0
        writes[n] = write
        instructions[n] = number
        n += 1
    return n


@inlined
def put_instruction(
    nests: Nests,
    visits: Blocks,
    chunk: Chunk,
    n: int,
    nest: int,
    outer: int,
    at: Ints,
    number: int,
) -> int:
    """Append one instruction of a nest that is no product, at a position of its outer loops.

    Returns the accesses so far.
    """
    slots = nests.slots
    blocks, operands, nbytes, writes, instructions = chunk
    for write in range(2):  # reads and running partial results, then writes
        for slot in range(nests.nests[nest, FIRST], nests.nests[nest, END]):
            mode = slots[slot, MODE]
            if mode == BOTTOM:
                blocks[n] = slots[slot, BASE] if write else BOTTOM_BLOCK
                operands[n] = slots[slot, OPERAND]
                nbytes[n] = 0 if write else slots[slot, TOTAL]
                writes[n] = write
                instructions[n] = number
                n += 1
                continue
            if mode == READ and write:
                continue
            tile = tile_of(nests, nest, slot, outer, at)
            counter = slots[slot, VISITS]
            if mode == WRITE and not write and (counter < 0 or visits[counter + tile] == 0):
                continue
            n = put_tile(nests, chunk, n, slot, tile, write, write == 1 or mode != SOME, number)
            if write and counter >= 0:
                visits[counter + tile] += 1
    return n


@inlined
def put_product(
    nests: Nests,
    visits: Blocks,
    chunk: Chunk,
    n: int,
    nest: int,
    outer: int,
    at: Ints,
    number: int,
) -> tuple[int, int]:
    """Append one instruction of a product A B = C: position of the outer loops and micro-tile.

    Returns the accesses so far, and the tile of C if this was its last visit, else -1.
    """
    first = nests.nests[nest, FIRST]
    for slot in range(first, first + 2):
        tile = tile_of(nests, nest, slot, outer, at)
        n = put_tile(nests, chunk, n, slot, tile, 0, True, number)
    slot = first + 2
    tile = tile_of(nests, nest, slot, outer, at)
    counter, seen = nests.slots[slot, VISITS], int64(0)
    if counter >= 0:
        seen = visits[counter + tile]
        visits[counter + tile] = seen + 1
        if seen:  # a running partial result
            n = put_tile(nests, chunk, n, slot, tile, 0, True, number)
    n = put_tile(nests, chunk, n, slot, tile, 1, True, number)
    last = counter < 0 or seen + 1 == nests.slots[slot, TOTAL]
    return n, tile if last else int64(-1)


@inlined
def next_nest(nests: Nests, position: Ints, first: int, end: int) -> tuple[int, bool]:
    """Return the nest of a group whose next instruction has the first place, -1 if all are done.

    And whether it has no rival: then it runs to its end.
    """
    found, nearest, left = -1, np.inf, 0
    for nest in range(first, end):
        count, done = nests.nests[nest, COUNT], position[nest - first]
        if done >= count or nests.nests[nest, FOLLOWS] >= 0:
            continue
        left += 1
        begin_at, end_at = nests.places[nest, 0], nests.places[nest, 1]
        place = begin_at + (end_at - begin_at) * done / count
        if place < nearest:
            found, nearest = nest, place
    return found, left == 1


@compiled
def generate(
    nests: Nests,
    state: Ints,
    position: Ints,
    walkers: Ints,
    visits: Blocks,
    chunk: Chunk,
    at: Ints,
    left_out: Flags,
    until: int,
    one_instruction: bool,
    room: int,
) -> int:
    """Fill a chunk from where the generator stands, up to group ``until``; return its length.

    ``at`` holds the micro-tile at hand, `(3,)`; ``left_out`` are groups that are not unrolled.
    """
    n = int64(0)
    table = nests.nests
    while state[GROUP] < until:
        if left_out[state[GROUP]]:
            state[GROUP] += 1
            continue
        first, end = nests.group_start[state[GROUP]], nests.group_start[state[GROUP] + 1]
        if n + room > chunk.block.size and not (one_instruction and state[OPEN] == 1):
            return n  # a group that is one instruction has room for all of it, and stays together
        if not state[OPEN]:
            state[OPEN] = 1
            visits[:] = 0
            position[: end - first] = 0
        nest, alone = next_nest(nests, position, first, end)
        if nest < 0:
            state[GROUP] += 1
            state[OPEN] = 0
            state[INSTRUCTION] += one_instruction
            continue
        is_product = table[nest, PRODUCT] == 1
        box = table[nest, M] * table[nest, N] * table[nest, K] if is_product else int64(1)
        done, count = position[nest - first], table[nest, COUNT]
        outer, inner = done // box, done % box
        at[:] = 0
        while True:
            done += 1
            number = state[INSTRUCTION]
            state[INSTRUCTION] += not one_instruction
            if is_product:
                walker = walkers[table[nest, WALKS]]
                if inner == 0:
                    begin(walker, table[nest, M], table[nest, N], table[nest, K])
                advance(walker, at)
                n, tile = put_product(nests, visits, chunk, n, nest, outer, at, number)
                if tile >= 0:
                    at[:] = 0
                    for other in range(nest + 1, end):
                        if table[other, FOLLOWS] == nest:
                            number = state[INSTRUCTION]
                            state[INSTRUCTION] += not one_instruction
                            n = put_instruction(nests, visits, chunk, n, other, tile, at, number)
            else:
                n = put_instruction(nests, visits, chunk, n, nest, outer, at, number)
            inner += 1
            if inner == box:
                inner = int64(0)
                outer += 1
            if not alone or done == count or n + room > chunk.block.size:
                break
        position[nest - first] = done
    return n


class Generator:
    """Unrolls a table from its first group on, chunk by chunk; the arrays of a chunk are reused.

    Groups that are ``left_out`` are none of it.
    """

    def __init__(self, table: NestTable, left_out: Flags) -> None:
        size = max(CHUNK, 2 * table.room)
        self.table = table
        self.state = np.zeros(3, np.int64)
        self.chunk = Chunk(
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.int32),
            np.empty(size, np.uint8),
            np.empty(size, np.int64),
        )
        self._nests = nests_of(table)
        self._left_out = left_out
        longest = int(np.diff(table.group_start).max(initial=1))
        self._position = np.zeros(longest, np.int64)
        self._walkers = np.zeros((table.walkers, WALKER), np.int64)
        self._visits = np.zeros(table.visits, np.int32)
        self._at = np.zeros(3, np.int64)

    @property
    def group(self) -> int:
        """The group that the next access is of."""
        return int(self.state[GROUP])

    def until(self, group: int) -> Iterator[Chunk]:
        """Yield the accesses of all groups before ``group`` that have not been generated yet."""
        table = self.table
        while count := generate(
            self._nests,
            self.state,
            self._position,
            self._walkers,
            self._visits,
            self.chunk,
            self._at,
            self._left_out,
            group,
            table.one_instruction,
            table.room,
        ):
            yield self.chunk.start(count)
