"""Two memories that a stream of accesses runs through: a scratchpad and a cache, all sizes at once.

*Scratchpad*: one LRU stack of live values; dead ones leave at once. An instruction prices all it
reads against the stack as it stands before, moves that to the top in read order, then pushes what
it writes (ByteDMD). *Cache*: one LRU stack of blocks that keep their address, access by access; a
write brings its block in like a read, and nothing is ever known to be dead.

A written value crosses the boundary of a memory of c bytes once if the farthest of its later
accesses lies beyond c: of its reads before it is overwritten or dies (scratchpad), of all accesses
up to and including the next write (cache).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined, int64
from instrumented.distances.stack import COLD, NEVER
from instrumented.distances.stack_kernels import (
    ABSENT,
    BYTES,
    NEXT,
    bytes_below,
    push,
    remove,
    with_room,
)
from instrumented.distances.sums import ALLOCATED, BYTEDMD, READ, WRITTEN, Cells, Sums, add, find
from instrumented.lowering.generate import Chunk
from instrumented.lowering.stream import Accesses

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]

NOBODY = -1
WARM, PRICE, FOLLOW = range(3)
"""Before the step in question: only the order of the stack counts. In it: what it moves is summed
up. After it: distances alone, for what becomes of its writes."""
GATHERED, DATA, OPEN = range(3)
"""Totals: bytes of gathered rows on the stack, bytes of the data sets they come from, and values
of which it is not yet known how far they go."""

LOOK_AFTER = 2
"""Accesses per block after which it is worth while to look for open values again."""
UNKNOWN = 2**62  # groups, accesses: more than there are

STAMP, SEEN, PLACE, MOVED, FAR, WIDTH = range(6)
"""Per block: when it was used last (ABSENT: not on the stack), the last instruction that read it,
and of a value written in the step in question its place (NOBODY: none), the bytes written, and the
farthest access since, which is never a first one."""


class State(NamedTuple):
    """Per block ``sizes``, and ``kept`` with the columns above.

    ``rows`` is the first block of gathered rows; ``totals`` are the sums named above.
    """

    sizes: Ints
    kept: Ints
    totals: Ints
    rows: int


class Stack(NamedTuple):
    """The arrays of ``stack_kernels.py``."""

    slots: Ints
    tree: Ints
    owner: Ints
    state: Ints


@compiled
def sum_of_roots(n: int) -> int:
    """⌈√1⌉ + … + ⌈√n⌉, see ``bytedmd.py``."""
    if n <= 0:
        return 0
    m = int(math.sqrt(n))
    while m * m < n:
        m += 1
    return (m - 1) * m // 2 * (4 * m - 5) // 3 + m * (n - (m - 1) ** 2)


@inlined
def cost_of(distance: int, size: int, moved: int) -> int:
    """ByteDMD of reading ``moved`` of the bytes of a block: its share of the block's cost."""
    whole = sum_of_roots(distance) - sum_of_roots(distance - size)
    if moved == size:
        return whole
    return whole // size * moved + whole % size * moved // size


@inlined
def depth_of(block: int, stack: Stack) -> int:
    """Distance of a block in bytes, itself included; COLD if it is not on the stack."""
    slot = stack.slots[block]
    if slot == ABSENT:
        return COLD
    distance: int = stack.state[BYTES] - bytes_below(stack.tree, slot)
    return distance


@inlined
def bottom_of(state: State, stack: Stack) -> int:
    """Distance of rows gathered at random: all that is on the stack, and the data set."""
    distance: int = stack.state[BYTES] - state.totals[GATHERED] + state.totals[DATA]
    return distance


@inlined
def settle(block: int, far: int, state: State, cells: Cells) -> None:
    """Book the write whose value has just been overwritten."""
    if state.kept[block, PLACE] != NOBODY:
        add(cells, state.kept[block, PLACE], far, WRITTEN, state.kept[block, MOVED])
        state.kept[block, PLACE] = NOBODY
        state.totals[OPEN] -= 1


@inlined
def open_value(block: int, place: int, moved: int, state: State) -> None:
    """Remember a write of the step in question until it is known how far its value goes."""
    state.totals[OPEN] += 1
    state.kept[block, PLACE] = place
    state.kept[block, MOVED] = moved
    state.kept[block, FAR] = NEVER


@compiled
def warm_scratchpad(chunk: Chunk, marked: Bits, state: State, clock: int) -> int:
    """Follow which values are on the stack and in which order, without any distance."""
    block, write, instruction = chunk.block, chunk.write, chunk.instruction
    for i in range(block.size):
        b = block[i]
        clock += 1
        if b < 0:
            continue
        if write[i]:
            state.kept[b, STAMP] = clock if marked[i] else ABSENT
            if b >= state.rows and marked[i]:
                state.totals[GATHERED] += state.sizes[b]
        elif marked[i]:
            state.kept[b, STAMP] = ABSENT
        elif state.kept[b, SEEN] != instruction[i]:  # a repeated operand moves once
            state.kept[b, STAMP] = clock
            state.kept[b, SEEN] = instruction[i]
    return clock


@compiled
def run_scratchpad(
    chunk: Chunk,
    marked: Bits,
    pricing: bool,
    places: Ints,
    state: State,
    stack: Stack,
    cells: Cells,
    depth: Ints,
) -> None:
    """Run whole instructions on the stack of live values, which has a free slot per access.

    ``depth`` is room for a distance per access.
    """
    block, operand, nbytes, write, instruction = chunk
    slots, tree, owner, counts = stack
    sizes = state.sizes
    first = 0
    while first < block.size:
        number = instruction[first]
        writes = first
        while writes < block.size and instruction[writes] == number and not write[writes]:
            writes += 1
        end = writes
        while end < block.size and instruction[end] == number:
            end += 1
        for i in range(first, writes):
            depth[i] = bottom_of(state, stack) if block[i] < 0 else depth_of(block[i], stack)
        moved = counts[NEXT]  # slots from here on belong to this instruction's reads
        for i in range(first, writes):
            b = block[i]
            if b < 0:
                depth[i] = max(depth[i], nbytes[i])
                if pricing:
                    cell = find(cells, places[operand[i]], depth[i])
                    cells.rows[cell, READ] += nbytes[i]
                    cells.rows[cell, BYTEDMD] += cost_of(
                        depth[i], int64(nbytes[i]), int64(nbytes[i])
                    )
                continue
            if pricing and nbytes[i]:
                cell = find(cells, places[operand[i]], depth[i])
                cells.rows[cell, BYTEDMD] += cost_of(depth[i], sizes[b], int64(nbytes[i]))
                if state.kept[b, SEEN] == number and depth[i] != COLD:  # fetched once
                    cell = find(cells, places[operand[i]], sizes[b])
                cells.rows[cell, READ] += nbytes[i]
            state.kept[b, SEEN] = number
            state.kept[b, FAR] = max(state.kept[b, FAR], depth[i])
            slot = slots[b]
            if slot >= moved:  # a repeated operand moves once, in the order of its first read
                if marked[i]:
                    remove(b, slots, sizes, tree, owner, counts)
            elif slot != ABSENT and slot == counts[NEXT] - 1 and not marked[i]:
                moved = slot
            else:
                if slot != ABSENT:
                    remove(b, slots, sizes, tree, owner, counts)
                if not marked[i]:
                    push(b, slots, sizes, tree, owner, counts)
        for i in range(writes, end):
            b = block[i]
            settle(int64(b), state.kept[b, FAR], state, cells)
            if pricing and nbytes[i]:
                open_value(b, places[operand[i]], nbytes[i], state)
            if slots[b] != ABSENT:
                remove(b, slots, sizes, tree, owner, counts)
            if marked[i]:
                push(b, slots, sizes, tree, owner, counts)
                if b >= state.rows:
                    state.totals[GATHERED] += sizes[b]
        first = end


@compiled
def warm_cache(block: npt.NDArray[np.int32], state: State, clock: int) -> int:
    """Follow in which order blocks were used last."""
    for i in range(block.size):
        b = block[i]
        clock += 1
        if b >= 0:
            if b >= state.rows:
                state.totals[GATHERED] += state.sizes[b]
            state.kept[b, STAMP] = clock
    return clock


@compiled
def run_cache(
    chunk: Chunk, pricing: bool, places: Ints, state: State, stack: Stack, cells: Cells
) -> None:
    """Run single accesses on the stack of blocks, which has a free slot per access."""
    block, operand, nbytes, write, _ = chunk
    slots, tree, owner, counts = stack
    sizes = state.sizes
    for i in range(block.size):
        b, moved = block[i], nbytes[i]
        if b < 0:
            if pricing:
                far = max(bottom_of(state, stack), moved)
                add(cells, places[operand[i]], far, READ, moved)
            continue
        on_top = slots[b] != ABSENT and slots[b] == counts[NEXT] - 1
        distance = sizes[b] if on_top else depth_of(b, stack)
        if write[i]:
            settle(int64(b), max(state.kept[b, FAR], distance), state, cells)
        else:
            state.kept[b, FAR] = max(state.kept[b, FAR], distance)
        if pricing and moved:
            add(cells, places[operand[i]], distance, ALLOCATED if write[i] else READ, moved)
            if write[i]:
                open_value(b, places[operand[i]], moved, state)
        if on_top:
            continue
        if slots[b] != ABSENT:
            remove(b, slots, sizes, tree, owner, counts)
        push(b, slots, sizes, tree, owner, counts)
        if b >= state.rows and write[i]:
            state.totals[GATHERED] += sizes[b]


@compiled
def close_values(kept: Flags, state: State, cells: Cells) -> None:
    """Book the writes whose values were not overwritten; a ``kept`` one lives on, to come out."""
    for b in range(state.sizes.size):
        if state.kept[b, PLACE] != NOBODY:
            settle(int64(b), COLD if kept[b] else state.kept[b, FAR], state, cells)


@compiled
def push_all(order: Ints, slots: Ints, sizes: Ints, tree: Ints, owner: Ints, counts: Ints) -> None:
    """Put blocks on the stack, the first at the bottom."""
    for b in order:
        push(b, slots, sizes, tree, owner, counts)


class Memory:
    """One of the two memories, through which parts of a stream run in order.

    Args:
        sizes: bytes of every block.
        places: the place of every operand, under which its bytes are summed up.
        rows: the first of the blocks that hold rows gathered from a data set.
        data_bytes: bytes of the data sets that are gathered from.
        live: which blocks lie in it from the start, the bottom first (a scratchpad); None: it is
            a cache, which starts empty.
    """

    def __init__(
        self,
        sizes: Ints,
        places: Ints,
        *,
        rows: int,
        data_bytes: int,
        live: Ints | None,
    ) -> None:
        blocks = sizes.size
        totals = np.array([0, data_bytes, 0], np.int64)
        kept = np.full((blocks, WIDTH), ABSENT, np.int64)
        self.state = State(sizes, kept, totals, rows)
        self.places = places
        self.is_cache = live is None
        self.sums = Sums()
        self.clock = 0
        if live is not None:
            self.clock = live.size
            self.state.kept[live, STAMP] = np.arange(live.size)
        self._slots = np.full(blocks, ABSENT, np.int64)
        self._tree = np.zeros(1025, np.int64)
        self._owner = np.full(1024, ABSENT, np.int64)
        self._counts = np.zeros(2, np.int64)
        self._depth = np.empty(0, np.int64)
        self._warm = True
        self._until = self._unseen = UNKNOWN  # last group with an open value; accesses since a look

    def run(self, part: Accesses, phase: int) -> None:
        """Let accesses pass, whole instructions; phases (WARM, PRICE, FOLLOW) come in order."""
        chunk, marked = part.chunk, part.marked
        if phase == WARM:
            if self.is_cache:
                self.clock = warm_cache(chunk.block, self.state, self.clock)
            else:
                self.clock = warm_scratchpad(chunk, marked, self.state, self.clock)
            return
        self._stand()
        accesses = chunk.block.size
        self.sums.make_room(2 * accesses)  # a read may be of two distances, a write settles one
        self._unseen += accesses
        stack = self._stack(accesses)
        cells, pricing = self.sums.cells, phase == PRICE
        if self.is_cache:
            run_cache(chunk, pricing, self.places, self.state, stack, cells)
            return
        if accesses > self._depth.size:
            self._depth = np.empty(accesses, np.int64)
        run_scratchpad(chunk, marked, pricing, self.places, self.state, stack, cells, self._depth)

    def settled(self, group: int, last: Ints) -> bool:
        """Whether nothing from ``group`` on tells more of how far the values of the step go.

        So it is where no open one has a ``last`` group (by block) from there on. To look for one
        takes time, so that it is done once in a while.
        """
        if self.state.totals[OPEN] and self._unseen >= LOOK_AFTER * last.size:
            still_open = self.state.kept[:, PLACE] != NOBODY
            self._until = int(last[still_open].max())
            self._unseen = 0
        return not self.state.totals[OPEN] or group > self._until

    def finish(self, kept: Flags) -> Sums:
        """Settle what is open; ``kept`` blocks (in a cache all of them) live on."""
        self.sums.make_room(int(self.state.totals[OPEN]))
        closing = np.ones_like(kept) if self.is_cache else kept
        close_values(closing, self.state, self.sums.cells)
        return self.sums

    def _stand(self) -> None:
        """Build the stack from the order in which blocks were used last."""
        if not self._warm:
            return
        self._warm = False
        stamp = self.state.kept[:, STAMP]
        present = np.flatnonzero(stamp != ABSENT)
        order = present[np.argsort(stamp[present], kind="stable")]
        self.state.kept[:, SEEN] = ABSENT
        slots, *stack = self._stack(order.size)
        push_all(order, slots, self.state.sizes, *stack)

    def _stack(self, room: int) -> Stack:
        """Return the stack, with at least ``room`` free slots."""
        self._tree, self._owner = with_room(
            room, self._slots, self.state.sizes, self._tree, self._owner, self._counts
        )
        return Stack(self._slots, self._tree, self._owner, self._counts)
