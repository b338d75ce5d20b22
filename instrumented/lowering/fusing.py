"""The fused reading of a stream of accesses, and what must be known ahead of it.

Inside a fusion scope each byte of an outside array is read once however often it is used (partial
reads as their union), arrays born and dead inside cost nothing, and what survives is written once
(docs/metric.md). All of it is decided block by block. A fused product still comes back to its
operand tiles and keeps its accumulator tile: that is what a fused product does too.

A stream is read twice: the first time to learn which written values are needed and which read of
a value is the last, a bit an access; the second time to drop, or to price.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.compiling import compiled, inlined
from instrumented.lowering.generate import Chunk
from instrumented.lowering.layout import Ints

Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]
NONE = -1


class Owners(NamedTuple):
    """Per operand its ``event``; per event its fusion ``scope`` instance and if it is a product."""

    event: Ints
    scope: Ints
    product: Flags


MAKER_SCOPE, MAKER, READER_SCOPE, COVERED, READER, READ_IN, LAST_READ, LAST_WRITE = range(8)
"""What is held per block, a row of a cache line: who wrote its value (scope instance and event),
which scope instance has read it, how many bytes so far, in which event and instruction last;
and the last access to it that stays: its read and its write, by number."""


def nothing_held(blocks: int) -> Ints:
    """Return the state of blocks before the first access, `(blocks, 8)`."""
    return np.full((blocks, 8), NONE, np.int64)


@inlined
def bytes_that_stay(
    held: Ints, owners: Owners, sizes: Ints, block: int, event: int, nbytes: int, instruction: int
) -> int:
    """Return the bytes that a read still moves once its scope is fused, NONE if it is dropped."""
    scope = owners.scope[event]
    moved: int = nbytes
    if scope == NONE:
        return moved
    if held[block, MAKER_SCOPE] == scope:
        return moved if held[block, MAKER] == event else NONE  # an accumulator comes back
    if held[block, READER_SCOPE] != scope:
        held[block, READER_SCOPE] = scope
        held[block, COVERED] = nbytes
        held[block, READER] = event
        held[block, READ_IN] = instruction
        return moved
    if owners.product[event]:
        if held[block, READER] == event and instruction > held[block, READ_IN]:
            held[block, READ_IN] = instruction
            return moved  # a product comes back to its tile
        if held[block, READER] != event:
            held[block, READER] = event
            held[block, READ_IN] = instruction
    left: int = min(moved, sizes[block] - held[block, COVERED])
    if left <= 0:
        return NONE
    held[block, COVERED] += left
    return left


@inlined
def note_write(held: Ints, owners: Owners, block: int, event: int) -> None:
    """A block has a new value."""
    held[block, MAKER_SCOPE] = owners.scope[event]
    held[block, MAKER] = event
    held[block, READER_SCOPE] = NONE


@inlined
def mark(bits: Bits, number: int) -> None:
    """Set the bit of an access; none for number NONE."""
    if number >= 0:
        bits[number >> 3] |= np.uint8(1 << (number & 7))


@compiled
def look_ahead(
    chunk: Chunk,
    start: int,
    held: Ints,
    owners: Owners,
    sizes: Ints,
    initial: Flags,
    bits: Bits,
) -> None:
    """Mark writes whose value is needed, reads that are the last of theirs, and initial values.

    ``start`` is the number of the chunk's first access. What is open at the end of the record is
    for ``close`` to settle.
    """
    block, operand, nbytes, write, instructions = chunk
    for i in range(block.size):
        b = block[i]
        if b < 0:
            continue
        event = owners.event[operand[i]]
        if write[i]:
            mark(bits, held[b, LAST_READ])
            held[b, LAST_READ] = NONE
            held[b, LAST_WRITE] = start + i
            note_write(held, owners, b, event)
        elif bytes_that_stay(held, owners, sizes, b, event, nbytes[i], instructions[i]) != NONE:
            initial[b] |= held[b, MAKER] == NONE
            held[b, LAST_READ] = start + i
            mark(bits, held[b, LAST_WRITE])


@compiled
def close(held: Ints, kept: Flags, bits: Bits) -> None:
    """Settle the last values of all blocks: those of ``kept`` blocks live on."""
    for b in range(kept.size):
        if kept[b]:
            mark(bits, held[b, LAST_WRITE])
        else:
            mark(bits, held[b, LAST_READ])


@compiled
def fuse_chunk(
    chunk: Chunk, start: int, held: Ints, owners: Owners, sizes: Ints, bits: Bits, marked: Bits
) -> int:
    """Drop from a chunk, in place, what fusion saves; return what is left of it.

    ``marked`` receives the bit of every access that stays: a write that is needed, a read that is
    the last of its value. A write in no scope stays even if nobody needs it.
    """
    block, operand, nbytes, write, instructions = chunk
    n = 0
    for i in range(block.size):
        b, moved = block[i], nbytes[i]
        bit = (bits[(start + i) >> 3] >> ((start + i) & 7)) & 1
        if b >= 0:
            event = owners.event[operand[i]]
            if write[i]:
                note_write(held, owners, b, event)
                if not bit and owners.scope[event] != NONE:
                    continue
            else:
                left = bytes_that_stay(held, owners, sizes, b, event, moved, instructions[i])
                if left == NONE:
                    continue
                moved = left
        block[n] = b
        operand[n] = operand[i]
        nbytes[n] = moved
        write[n] = write[i]
        instructions[n] = instructions[i]
        marked[n] = bit
        n += 1
    return n


@compiled
def show_bits(bits: Bits, start: int, count: int, marked: Bits) -> None:
    """Write the bits of accesses from ``start`` on into ``marked``."""
    for i in range(count):
        marked[i] = (bits[(start + i) >> 3] >> ((start + i) & 7)) & 1


@compiled
def reads_first(chunk: Chunk, marked: Bits, count: int, aside: Ints) -> None:
    """Put, within every instruction, all reads before all writes; the order stays otherwise.

    ``aside`` is room for the writes of an instruction, `(count, 4)` or more.
    """
    block, operand, nbytes, write, instructions = chunk
    first = 0
    while first < count:
        instruction, n, kept = instructions[first], first, 0
        while first < count and instructions[first] == instruction:
            if write[first]:
                aside[kept, 0] = block[first]
                aside[kept, 1] = operand[first]
                aside[kept, 2] = nbytes[first]
                aside[kept, 3] = marked[first]
                kept += 1
            else:
                block[n] = block[first]
                operand[n] = operand[first]
                nbytes[n] = nbytes[first]
                marked[n] = marked[first]
                write[n] = 0
                n += 1
            first += 1
        for k in range(kept):
            block[n + k] = aside[k, 0]
            operand[n + k] = aside[k, 1]
            nbytes[n + k] = aside[k, 2]
            marked[n + k] = aside[k, 3]
            write[n + k] = 1
