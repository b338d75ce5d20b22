"""Which groups of a table hold which blocks: read off its operands, without unrolling them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled
from instrumented.lowering.fusion_scopes import NO_SCOPE
from instrumented.lowering.generate import (
    BASE,
    BLOCKS,
    BOTTOM,
    COUNT,
    END,
    FIRST,
    MODE,
    PTR,
    READ,
    K,
    M,
    N,
    Nests,
    nests_of,
    tile_of,
)
from instrumented.lowering.layout import Ints
from instrumented.lowering.table import Blocks, NestColumn, NestTable

Flags = npt.NDArray[np.bool_]
NOBODY = -1


class Held(NamedTuple):
    """Per group its slots, from ``slots[g]`` to ``slots[g + 1]``; per slot what it is about.

    ``mode``, the first block ``base`` of its buffer, and the ``begin`` and ``end`` of its blocks,
    counted from the base, in ``blocks``.
    """

    slots: Ints
    mode: Ints
    base: Ints
    begin: Ints
    end: Ints
    blocks: Blocks


def held(table: NestTable) -> Held:
    """Return what the groups of a table hold."""
    begin, end = (np.zeros(table.slots.shape[0], np.int64) for _ in range(2))
    find_blocks(nests_of(table), np.zeros(3, np.int64), begin, end)
    first = np.append(table.nests[:, NestColumn.FIRST], table.slots.shape[0])
    mode, base = (np.ascontiguousarray(table.slots[:, column]) for column in (MODE, BASE))
    return Held(first[table.group_start], mode, base, begin, end, table.tile_blocks)


@compiled
def find_blocks(nests: Nests, at: Ints, begin: Ints, end: Ints) -> None:
    """Find where the blocks of all tiles of every slot begin and end; ``at`` is scratch, `(3,)`."""
    for nest in range(nests.nests.shape[0]):
        m, n, k = nests.nests[nest, M], nests.nests[nest, N], nests.nests[nest, K]
        outer = nests.nests[nest, COUNT] // (m * n * k) - 1
        at[0], at[1], at[2] = m - 1, n - 1, k - 1
        for slot in range(nests.nests[nest, FIRST], nests.nests[nest, END]):
            if nests.slots[slot, MODE] != BOTTOM:
                first, blocks = nests.slots[slot, PTR], nests.slots[slot, BLOCKS]
                last = first + tile_of(nests, nest, slot, outer, at)
                begin[slot] = blocks
                end[slot] = blocks + nests.tile_ptr[last + 1]


def last_groups(of: Held, blocks: int) -> Ints:
    """Return per block the last group that holds it."""
    last = np.zeros(blocks, np.int64)  # each is in some
    find_last_groups(of, last)
    return last


@compiled
def find_last_groups(of: Held, last: Ints) -> None:
    """Put the last group that holds a block into ``last``."""
    for group in range(of.slots.size - 1):
        for slot in range(of.slots[group], of.slots[group + 1]):
            if of.mode[slot] == BOTTOM:
                last[of.base[slot]] = group
            for entry in range(of.begin[slot], of.end[slot]):
                last[of.base[slot] + of.blocks[entry]] = group


def outlived(of: Held, table: NestTable, until: int) -> Flags:
    """Mark the groups before ``until`` whose every block is touched again before ``until``.

    What lies where in a memory at ``until`` hangs on the last access to each block, so that such
    groups have no part in it. Of a fused group only reads of what it has not written are counted,
    since others may be saved; a group that gathers rows is not marked.
    """
    marked = np.zeros(of.slots.size - 1, np.bool_)
    event = table.event_of_operand[of.slots[:-1]]
    fused = np.asarray(table.scope, np.int64)[event] != NO_SCOPE
    blocks = table.sizes.size
    again, writer = np.zeros(blocks, np.bool_), np.full(blocks, NOBODY, np.int64)
    find_outlived(of, until, fused, again, writer, marked)
    return marked


@compiled
def find_outlived(
    of: Held, until: int, fused: Flags, again: Flags, writer: Ints, marked: Flags
) -> None:
    """Go back from ``until``; by block: touched ``again``, and the group at hand as ``writer``."""
    for group in range(until - 1, -1, -1):
        marked[group] = True
        for slot in range(of.slots[group], of.slots[group + 1]):
            marked[group] &= of.mode[slot] != BOTTOM
            for entry in range(of.begin[slot], of.end[slot]):
                marked[group] &= again[of.base[slot] + of.blocks[entry]]
            if not marked[group]:
                break
        if marked[group]:
            continue
        for slot in range(of.slots[group], of.slots[group + 1]):
            if of.mode[slot] != READ:
                for entry in range(of.begin[slot], of.end[slot]):
                    writer[of.base[slot] + of.blocks[entry]] = group
        for slot in range(of.slots[group], of.slots[group + 1]):
            for entry in range(of.begin[slot], of.end[slot]):
                block = of.base[slot] + of.blocks[entry]
                again[block] |= not fused[group] or writer[block] != group
