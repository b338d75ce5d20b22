"""Compiled loops of the LRU stack: a Fenwick tree over a timeline that is compacted as it fills.

Every block on the stack owns one slot of a timeline, and the newest slot is the top. The depth of
a block is the number of live bytes in its slot and above, a prefix sum (Bennett and Kruskal 1975;
Olken 1981). Slots left behind are squeezed out when the timeline is full, so memory follows the
distinct blocks and not the length of the trace.

`state` holds the next free slot and the live bytes, between calls too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled_with_arrays, inlined, int64

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEXT, BYTES = 0, 1
ABSENT = -1


@inlined
def bytes_below(tree: Ints, slot: int) -> int:
    """Live bytes in all slots before `slot`."""
    total = 0
    while slot > 0:
        total += tree[slot]
        slot &= slot - 1
    return total


@inlined
def push(block: int, slots: Ints, sizes: Ints, tree: Ints, owner: Ints, state: Ints) -> None:
    """Put `block` on top: O(1) amortised, as only nodes up to the newest slot are ever valid."""
    slot = state[NEXT]
    node = slot + 1
    covered = sizes[block]
    floor, below = node & (node - 1), slot
    while below > floor:
        covered += tree[below]
        below &= below - 1
    tree[node] = covered
    owner[slot] = block
    slots[block] = slot
    state[NEXT] = node
    state[BYTES] += sizes[block]


@inlined
def remove(block: int, slots: Ints, sizes: Ints, tree: Ints, owner: Ints, state: Ints) -> None:
    """Take `block` out of the stack; what lies below it slides up."""
    slot = slots[block]
    node = slot + 1
    while node <= state[NEXT]:
        tree[node] -= sizes[block]
        node += node & -node
    owner[slot] = ABSENT
    slots[block] = ABSENT
    state[BYTES] -= sizes[block]


@compiled_with_arrays
def with_room(
    room: int, slots: Ints, sizes: Ints, tree: Ints, owner: Ints, state: Ints
) -> tuple[Ints, Ints]:
    """Tree and owners with at least `room` free slots: compacted, and doubled if still crowded."""
    if state[NEXT] + room <= owner.size:
        return tree, owner
    live = np.empty(state[NEXT], np.int64)
    count = 0
    for slot in range(state[NEXT]):
        if owner[slot] != ABSENT:
            live[count] = owner[slot]
            count += 1
    capacity = owner.size
    while capacity < 2 * count + room:
        capacity *= 2
    if capacity > owner.size:
        tree = np.zeros(capacity + 1, np.int64)
        owner = np.full(capacity, ABSENT, np.int64)
    state[NEXT] = 0
    state[BYTES] = 0
    for index in range(count):
        push(live[index], slots, sizes, tree, owner, state)
    return tree, owner


@compiled_with_arrays
def access(
    blocks: Ints, slots: Ints, sizes: Ints, tree: Ints, owner: Ints, state: Ints
) -> tuple[Ints, Ints, Ints]:
    """Distances of single reads on a stack where nothing dies; tree and owners after them."""
    distances = np.empty(blocks.size, np.int64)
    for index in range(blocks.size):
        block = blocks[index]
        slot = slots[block]
        if slot == ABSENT:
            distances[index] = -1
        else:
            if slot == state[NEXT] - 1:  # already on top
                distances[index] = sizes[block]
                continue
            distances[index] = state[BYTES] - bytes_below(tree, slot)
            remove(block, slots, sizes, tree, owner, state)
        tree, owner = with_room(int64(1), slots, sizes, tree, owner, state)
        push(block, slots, sizes, tree, owner, state)
    return distances, tree, owner


@compiled_with_arrays
def last_uses(
    reads: Ints, read_ptr: Ints, writes: Ints, write_ptr: Ints, live: Flags
) -> tuple[Flags, Flags]:
    """Which reads are the last of their value, and which written values are never read.

    `live` comes in as what survives the end and leaves as what must be there at the start.
    """
    read_last = np.empty(reads.size, np.bool_)
    write_dead = np.empty(writes.size, np.bool_)
    for instruction in range(read_ptr.size - 2, -1, -1):
        for index in range(write_ptr[instruction + 1] - 1, write_ptr[instruction] - 1, -1):
            write_dead[index] = not live[writes[index]]
            live[writes[index]] = False
        for index in range(read_ptr[instruction + 1] - 1, read_ptr[instruction] - 1, -1):
            read_last[index] = not live[reads[index]]
            live[reads[index]] = True
    return read_last, write_dead


@compiled_with_arrays
def execute(
    reads: Ints,
    read_ptr: Ints,
    read_last: Flags,
    writes: Ints,
    write_ptr: Ints,
    write_dead: Flags,
    slots: Ints,
    sizes: Ints,
    tree: Ints,
    owner: Ints,
    state: Ints,
) -> tuple[Ints, Ints, Ints]:
    """Price, move up, bury, push: one instruction after the other."""
    distances = np.empty(reads.size, np.int64)
    for instruction in range(read_ptr.size - 1):
        first, end = read_ptr[instruction], read_ptr[instruction + 1]
        first_write, end_write = write_ptr[instruction], write_ptr[instruction + 1]
        room = end - first + end_write - first_write
        tree, owner = with_room(room, slots, sizes, tree, owner, state)
        for index in range(first, end):
            slot = slots[reads[index]]
            if slot == ABSENT:
                distances[index] = -1
            else:
                distances[index] = state[BYTES] - bytes_below(tree, slot)
        moved = state[NEXT]  # slots from here on belong to this instruction's reads
        for index in range(first, end):
            block, dies = reads[index], read_last[index]
            slot = slots[block]
            if slot >= moved:  # a repeated operand moves once, in the order of its first read
                if dies:
                    remove(block, slots, sizes, tree, owner, state)
            elif slot != ABSENT and slot == state[NEXT] - 1 and not dies:
                moved = slot
            else:
                if slot != ABSENT:
                    remove(block, slots, sizes, tree, owner, state)
                if not dies:
                    push(block, slots, sizes, tree, owner, state)
        for index in range(first_write, end_write):
            block = writes[index]
            if slots[block] != ABSENT:
                remove(block, slots, sizes, tree, owner, state)
            if not write_dead[index]:
                push(block, slots, sizes, tree, owner, state)
    return distances, tree, owner
